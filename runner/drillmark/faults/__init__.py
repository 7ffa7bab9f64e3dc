"""Faults as ordinary Chaos Toolkit functions: one file each, with its undo and the proof of its effect.

A fault moves aside and never deletes. Its effect lasts until its undo; its undo may be called at any time, any
number of times, and after a fault that was cut short. What a fault has done stands in its deed file (`deeds`).
"""
