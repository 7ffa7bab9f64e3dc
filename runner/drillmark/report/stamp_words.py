"""What the stamps of a result are called: short in the picture and on the page, in full in `report.md`. Pure."""

from __future__ import annotations

from drillmark.report import words

MEANINGS = {
    "e": "the fault's effect was proved",
    "t0": "the disaster",
    "t_detect": "first qualifying alert",
    "t_declare": "the disaster was declared",
    "t_restore_start": "the first recovery activity began",
    "t_data_restored": "the store accepts reads and replay ended",
    "t_verified": "the last required verification passed",
    "t_service_restored": "the service was good, and stayed so (d)",
    "first_refused": "users were first refused",
    "undo_begin": "the undo began",
    "undo_end": "the undo ended",
    "soak_end": "the watching ended",
}
_OF_A_COPY = {
    "e": "does not apply: nothing was broken",
    "t_service_restored": "the copy was good, and stayed so (d)",
}
_NAMES = {
    "t0": "disaster",
    "e": "effect proved",
    "first_refused": "first refused",
    "t_detect": "detected",
    "t_declare": "declared",
    "t_restore_start": "recovery begins",
    "t_data_restored": "data restored",
    "t_verified": "verified",
    "t_service_restored": "served again",
    "undo_begin": "undo begins",
    "undo_end": "undo ends",
}


def begins(*, simulated: bool) -> str:
    """The short name of I."""
    return "disaster declared" if simulated else "fault begins"


def names(*, simulated: bool, undone: bool) -> dict[str, str]:
    """The short names of all others. `undone`: the undo is known to have worked; else it only ended."""
    named = _NAMES | ({"undo_end": "undone"} if undone else {})
    if not simulated:
        return named
    return named | {"t_service_restored": "copy answered"} | ({"undo_end": "copy gone"} if undone else {})


def meanings(*, simulated: bool) -> dict[str, str]:
    """What each stamps, in full."""
    return {"I": words.zero(simulated=simulated)} | MEANINGS | (_OF_A_COPY if simulated else {})
