"""The vocabulary that all parts share: what a drill is, what happened, what was measured, how it is judged.

One module for each family of words. Nothing here reads a clock, a file or a network, or knows another part.
"""
