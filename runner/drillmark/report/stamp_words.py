"""What the stamps of a result are called: short in the picture and on the page, in full in `report.md`. Pure."""

from __future__ import annotations

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


def names(*, undone: bool) -> dict[str, str]:
    """The short names. `undone`: the undo is known to have worked; else it only ended."""
    return _NAMES | ({"undo_end": "undone"} if undone else {})
