"""Measuring: journal and samples in, numbers with their uncertainty and their evidence out. Pure.

Must never read a clock, a file or a network, and never turn what is missing into a number.
"""

from typing import TYPE_CHECKING

from drillmark import lazily

if TYPE_CHECKING:
    from drillmark.measure.live import after_undo_restored, detected, restored, steady_state
    from drillmark.measure.measuring import measure

__all__ = ["after_undo_restored", "detected", "measure", "restored", "steady_state"]

__getattr__ = lazily.parts(
    __name__,
    {
        "after_undo_restored": "live",
        "detected": "live",
        "measure": "measuring",
        "restored": "live",
        "steady_state": "live",
    },
)
