"""Drillmark runs disaster-recovery and chaos drills and measures what they showed.

This module holds the version and nothing else: importing it must stay free of cost.
"""

__version__ = "0.1.0"
