"""How grave an entry is, and its words in one line: the same in every log. Pure."""

from __future__ import annotations

from typing import Literal

from drillmark.model.entry import Entry, Kind
from drillmark.report import words

Level = Literal["info", "warning", "error"]
_QUIET_EVENTS = frozenset(
    {"samples_closed", "alerts_opened", "alerts_closed", "alerts_received_at", "alert", "declared"}
)
_LONGEST_TEXT = 500


def level_of(entry: Entry) -> Level:
    """How grave it is."""
    data = entry.data
    if entry.kind is Kind.OUTCOME:
        status = data.get("status")
        return "error" if status in ("failed", "timed_out") else "warning" if status == "indeterminate" else "info"
    if entry.kind is Kind.GUARD:
        return "error"
    if entry.kind in (Kind.ABORT, Kind.RESUMED):
        return "warning"
    if entry.kind is Kind.EVENT:
        return "info" if data.get("what") in _QUIET_EVENTS else "warning"
    return "info"


def words_of(entry: Entry, sentence: str) -> str:
    """What it says, in one harmless line."""
    data = entry.data
    name = " ".join(filter(None, (str(data.get("effect", "")), entry.key.partition(":")[2])))
    text = {
        Kind.RUN_STARTED: "the run has started",
        Kind.INTENT: sentence or name,
        Kind.OUTCOME: f"{name}: {data.get('status', '')}",
        Kind.EVENT: str(data.get("what", "")),
        Kind.ABORT: f"abort: {data.get('reason', '')}",
        Kind.RESUMED: "taken up again by another runner",
        Kind.GUARD: f"the guard: {data.get('what', '')}",
        Kind.UNDONE: "the fault is gone",
        Kind.RUN_ENDED: f"the run has ended: {data.get('verdict', '')}",
    }[entry.kind]
    return words.harmless(text, limit=_LONGEST_TEXT)
