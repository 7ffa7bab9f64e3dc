"""A fault that breaks nothing: for trying out a drill, an experiment or a target, and to begin a fault of your own.

It goes the whole way of a fault: written down before, proved while it is in effect, undone.
"""

from __future__ import annotations

from drillmark.faults.deeds import Deed, place
from drillmark.recovery.activity import Configuration, activity

FAULT = "nothing"


@activity
def do_nothing(configuration: Configuration = None) -> str:
    """Break nothing, and write down that it was done. Raises ActivityFailed where it was and is not undone."""
    Deed.begin(FAULT, place(configuration))
    return "nothing is broken"


@activity
def undo_nothing(configuration: Configuration = None) -> str:
    """The undo: write down that it is over."""
    deed = Deed.read(FAULT, place(configuration))
    if deed is None or deed.undone:
        return deed.undone if deed else "nothing was done"
    return deed.end("nothing had to be undone")


@activity
def was_done(configuration: Configuration = None) -> bool:
    """The proof, true until the undo."""
    deed = Deed.read(FAULT, place(configuration))
    return deed is not None and not deed.undone
