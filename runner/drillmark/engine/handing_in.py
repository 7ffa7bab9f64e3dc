"""Hands in what a runner recorded while it could not reach the journal: `unsent.jsonl`, beside the run's other files.

Each line becomes an event that says when it happened and what was to be written. It is no intent and no outcome any
more: what was decided since was decided without it, and the journal stays as it is. Idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drillmark import files
from drillmark.engine.context import Context
from drillmark.engine.paths import RunPaths
from drillmark.model.entry import Entry, Kind

WHAT = "handed_in"


def missing(paths: RunPaths, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The lines that the journal does not have: neither as entries, nor handed in."""
    lines = files.read_json_lines(paths.unsent)
    if not lines:
        return []
    known = {_mark(entry.stamp.as_json()) for entry in entries}
    known |= {_mark(entry.data.get("at")) for entry in entries if entry.data.get("what") == WHAT}
    return [line for line in lines if _mark(line.get("stamp")) not in known]


def hand_in(context: Context) -> None:
    """Journal what is missing."""
    for line in missing(context.paths, context.entries):
        told = {"kind": str(line.get("kind", "")), "epoch": line.get("epoch"), "recorded": line.get("data")}
        context.journal(
            Kind.EVENT,
            {"what": WHAT, "at": line.get("stamp")} | told,
            sentence="what was recorded offline is handed in",
        )


def _mark(stamp: object) -> tuple[str, object, object]:
    """What no two moments of a run have in common."""
    body: dict[str, Any] = stamp if isinstance(stamp, dict) else {}
    return str(body.get("boot")), body.get("monotonic_ns"), body.get("wall_ns")
