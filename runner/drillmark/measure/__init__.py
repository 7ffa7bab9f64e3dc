"""Measuring: journal and samples in, numbers with their uncertainty and their evidence out. Pure.

Must never read a clock, a file or a network, and never turn what is missing into a number.
"""

from drillmark.measure.core import measure
from drillmark.measure.live import after_undo_restored, detected, restored, steady_state

__all__ = ["after_undo_restored", "detected", "measure", "restored", "steady_state"]
