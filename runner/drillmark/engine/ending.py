"""Ends Chaos Toolkit's journal where its child could not: a run that was cut short tells of its rollbacks all the same.

What the child wrote while it played stays as it is. Must never raise: the undo is done by then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drillmark import files
from drillmark.chaos.events import What, read_events
from drillmark.engine.context import Context
from drillmark.model.entry import Effect, Kind
from drillmark.model.stamp import NANOSECONDS, Stamp


def end_journal(context: Context) -> None:
    """Write the rollbacks that were run from outside, and how it ended, into a bare experiment's journal."""
    bare, fault = context.plan.bare, context.plan.fault
    if bare is None or fault is None:
        return
    if any(event.event == What.FINISHED for event in read_events(context.paths.events)):
        return
    kept = files.read_json(context.paths.chaos_journal)
    if not isinstance(kept, dict):
        return
    activities = fault.experiment.get("rollbacks") or []
    # The child's own records come first, in order; those without a status are the ones that were cut short.
    runs = [run for run in kept.get("rollbacks", []) if run.get("status") == "succeeded"]
    runs += [_record(activities, done) for done in _from_outside(context)]
    now = datetime.now(UTC)
    with suppress(ValueError, KeyError, TypeError):
        kept["duration"] = (now - datetime.fromisoformat(kept["start"])).total_seconds()
    kept |= {"rollbacks": runs, "end": now.isoformat(), "status": "interrupted"}
    for path in (context.paths.chaos_journal, Path(bare.journal_path)):
        with suppress(OSError):
            files.write_durably(path, json.dumps(kept, indent=2, ensure_ascii=False))


def _from_outside(context: Context) -> Iterator[dict[str, Any]]:
    """The last outcome of each rollback that the engine or the guard ran."""
    last: dict[int, dict[str, Any]] = {}
    for entry in context.entries:
        if entry.kind is Kind.OUTCOME and entry.effect is Effect.UNDO:
            done: list[dict[str, Any]] = entry.data.get("rollbacks", [])
            found = [one for one in done if one.get("outside")]
        elif entry.kind is Kind.GUARD and entry.data.get("what") == "rollback":
            by_guard: dict[str, Any] = {**entry.data, "ended": entry.data.get("stamp")}
            found = [by_guard]
        else:
            continue
        last |= {int(one["index"]): one for one in found}
    return (last[index] for index in sorted(last))


def _record(activities: list[Any], done: dict[str, Any]) -> dict[str, Any]:
    index = int(done["index"])
    activity = activities[index] if index < len(activities) else {"name": done.get("name")}
    ended = Stamp.from_json(done["ended"])
    started = Stamp.from_json(done["started"]) if done.get("started") else ended
    failed = {"exception": [str(done.get("error") or done["status"])]} if done["status"] != "succeeded" else {}
    return {
        "activity": activity,
        "output": done.get("output"),
        "start": _iso(started),
        "status": "succeeded" if done["status"] == "succeeded" else "failed",
        "end": _iso(ended),
        "duration": (ended.monotonic_ns - started.monotonic_ns) / NANOSECONDS,
        **failed,
    }


def _iso(stamp: Stamp) -> str:
    return datetime.fromtimestamp(stamp.wall_ns / NANOSECONDS, tz=UTC).isoformat()
