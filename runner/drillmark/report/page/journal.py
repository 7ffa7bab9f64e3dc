"""The timeline: every journal entry as a row, short enough to read, whole enough to follow a figure to its evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.report import words

_MOST_ROWS = 2500
_DETAIL_CHARACTERS = 1500
_ALL_DETAILS_CHARACTERS = 700_000
_BAD = frozenset({"failed", "timed_out"})
KIND_WORDS = {
    Kind.RUN_STARTED: "run",
    Kind.INTENT: "intent",
    Kind.OUTCOME: "outcome",
    Kind.EVENT: "event",
    Kind.ABORT: "abort",
    Kind.RESUMED: "resumed",
    Kind.GUARD: "guard",
    Kind.UNDONE: "undone",
    Kind.RUN_ENDED: "run",
}


def rows(entries: Sequence[Entry]) -> dict[str, Any]:
    """`rows`, `kinds` (with how many), `left_out`: entries in the middle of a very long journal that are not shown."""
    began = next((e.stamp for e in entries if e.kind is Kind.INTENT and e.effect is Effect.INJECT), None)
    origin = began or (entries[0].stamp if entries else None)
    shown, left_out = _shown(entries)
    room = _ALL_DETAILS_CHARACTERS
    made: list[dict[str, Any]] = []
    for entry in shown:
        detail, cut = _detail(entry.data, min(_DETAIL_CHARACTERS, room))
        room -= len(detail)
        made.append(
            {
                "number": entry.sequence,
                "kind": KIND_WORDS[entry.kind],
                "at": _since(entry.stamp, origin),
                "wall": words.iso(entry.stamp.wall_ns),
                "what": _what(entry),
                "tone": _tone(entry),
                "detail": detail,
                "cut": cut,
                "hash": entry.hash,
                "epoch": entry.epoch,
            }
        )
    kinds: dict[str, int] = {}
    for row in made:
        kinds[row["kind"]] = kinds.get(row["kind"], 0) + 1
    return {"rows": made, "kinds": kinds, "left_out": left_out, "since_fault": began is not None}


def _shown(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    if len(entries) <= _MOST_ROWS:
        return list(entries), 0
    # Events repeat; everything else is what the result rests on.
    rest = [entry for entry in entries if entry.kind is not Kind.EVENT]
    room = max(0, _MOST_ROWS - len(rest))
    events = [entry for entry in entries if entry.kind is Kind.EVENT]
    half = room // 2
    kept = [*rest[:_MOST_ROWS], *events[: room - half], *(events[-half:] if half else [])]
    return sorted(kept, key=lambda entry: entry.sequence), len(entries) - len(kept)


def _since(stamp: Stamp, origin: Stamp | None) -> str:
    if origin is None:
        return ""
    same = stamp.same_clock(origin)
    at = stamp.monotonic_ns - origin.monotonic_ns if same else stamp.wall_ns - origin.wall_ns
    return f"{at / NANOSECONDS:+,.3f} s"


def _what(entry: Entry) -> str:
    data = entry.data
    said = [str(data[name]) for name in ("effect", "what") if data.get(name)]
    text = " ".join(said).replace("_", " ") or str(entry.kind).replace("_", " ")
    name = entry.key.split(":", 1)[-1]
    text += f" {name}" if name else ""
    if data.get("what") == "alert":
        labels = data.get("labels")
        text += f" {labels.get('alertname', '') if isinstance(labels, dict) else ''} {data.get('status', '')}"
    if entry.kind is Kind.ABORT:
        text = f"abort asked for by {data.get('by', 'somebody')}"
    status = str(data.get("status", "")) if entry.kind is Kind.OUTCOME else ""
    text += f": {status.replace('_', ' ')}" if status else ""
    reason = str(data.get("error") or data.get("reason") or data.get("file") or "")
    return words.harmless(text + (f" ({reason})" if reason else ""), limit=300)


def _tone(entry: Entry) -> str:
    data = entry.data
    if entry.kind in {Kind.ABORT, Kind.GUARD} or data.get("status") in _BAD or data.get("good") is False:
        return "bad"
    if entry.kind is Kind.RESUMED or data.get("status") == "indeterminate":
        return "doubt"
    return "head" if entry.effect is Effect.INJECT and entry.kind is Kind.INTENT else ""


def _detail(data: dict[str, Any], limit: int) -> tuple[str, int]:
    """The entry's data, and how many characters of it are left out."""
    text = json.dumps(data, indent=1, ensure_ascii=False, default=str)
    lines = [words.harmless(line) for line in text.split("\n")]
    whole = "\n".join(lines)
    if len(whole) <= limit:
        return whole, 0
    return whole[: max(0, limit)], len(whole) - max(0, limit)
