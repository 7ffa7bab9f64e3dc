"""What a run's undo takes away, as reasons and reports call it: a fault, or the copy of a simulated disaster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UndoWords:
    """Clauses about one thing that is to be taken away.

    Attributes:
        thing: what it is.
        done, never: that it was taken away, and that it never was.
        failed, doubtful: that its undo went wrong, and that nobody knows.
        by_hand: what a person must do where it went wrong.
    """

    thing: str
    done: str
    never: str
    failed: str
    doubtful: str
    by_hand: str


_FAULT = UndoWords(
    thing="the fault",
    done="the fault was undone",
    never="the fault was never undone",
    failed="the fault was not undone cleanly",
    doubtful="the fault may still be there",
    by_hand="check the system by hand now: the undo of the fault failed",
)
_COPY = UndoWords(
    thing="the copy",
    done="the copy was taken away",
    never="the copy was never taken away",
    failed="the copy was not taken away",
    doubtful="it is not known whether the copy is gone",
    by_hand="look for the copy by hand now: taking it away failed",
)


def undo_words(*, simulated: bool) -> UndoWords:
    """The clauses that fit; in a simulated disaster nothing is broken, and the undo takes a copy away."""
    return _COPY if simulated else _FAULT
