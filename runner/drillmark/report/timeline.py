"""Where the time went: the steps between the fault and the service's return, from the journal. Pure.

Steps are as the journal stamps them, not intervals of a measurement: they explain an RTA, they do not make it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.measurement import Measurements
from drillmark.model.stamp import NANOSECONDS, Stamp

_PARTS = (("verify_ns", "verify the backup"), ("copy_ns", "copy the backup"), ("replay_ns", "replay the log"))
_SIMULATED = {Effect.INJECT: "declare the disaster, simulated", Effect.UNDO: "take the copy away"}
_STEPS = {
    Effect.INJECT: "inject the fault",
    Effect.PROVE_EFFECT: "prove its effect",
    Effect.DETECT: "detect and declare",
    Effect.RECOVER: "{name}",
    Effect.VERIFY: "verify: {name}",
    Effect.FAULT: "fault left in place",
    Effect.UNDO: "undo the fault",
}


def build(entries: Sequence[Entry], measurements: Measurements) -> list[dict[str, Any]]:
    """Steps with `name`, `effect`, `from_seconds`, `to_seconds` (since I), `status`, `parts`; in order of time."""
    begin = measurements.fault_begin
    if begin is None:
        return []
    entries = [entry for entry in entries if entry.kind in (Kind.INTENT, Kind.OUTCOME)]
    simulated = any(entry.data.get("simulated") for entry in entries if entry.effect is Effect.INJECT)
    names = _STEPS | _SIMULATED if simulated else _STEPS
    steps: list[dict[str, Any]] = []
    intents: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.effect is None or entry.effect not in _STEPS:
            continue
        mark = (str(entry.effect), entry.key)
        if entry.kind is Kind.INTENT:
            intents[mark] = entry
        elif entry.kind is Kind.OUTCOME and mark in intents:
            steps.append(_step(intents.pop(mark), entry, begin, names))
    steps += [_unfinished(intent, begin, names) for intent in intents.values()]
    served = _served(steps, measurements, simulated=simulated)
    return sorted([*steps, *served], key=lambda step: (step["from_seconds"], step["to_seconds"] or 0.0))


def _step(intent: Entry, outcome: Entry, begin: Stamp, names: dict[Effect, str]) -> dict[str, Any]:
    started = _stamp(outcome.data.get("started")) or intent.stamp
    ended = _stamp(outcome.data.get("ended")) or outcome.stamp
    return {
        "name": _name(intent, names),
        "effect": str(intent.effect),
        "from_seconds": _since(started, begin),
        "to_seconds": _since(ended, begin),
        "status": str(outcome.data.get("status", "")),
        "parts": _parts(outcome, begin),
    }


def _unfinished(intent: Entry, begin: Stamp, names: dict[Effect, str]) -> dict[str, Any]:
    return {
        "name": _name(intent, names),
        "effect": str(intent.effect),
        "from_seconds": _since(intent.stamp, begin),
        "to_seconds": None,
        "status": "indeterminate",
        "parts": [],
    }


def _parts(outcome: Entry, begin: Stamp) -> list[dict[str, Any]]:
    output = outcome.data.get("output")
    report = output.get("drillmark") if isinstance(output, dict) else None
    if not isinstance(report, dict):
        return []
    parts: list[dict[str, Any]] = []
    for key, name in _PARTS:
        span = report.get(key)
        if isinstance(span, list) and len(span) == 2 and all(isinstance(edge, int) for edge in span):  # noqa: PLR2004
            # Monotonic nanoseconds of the same machine as the outcome's stamps.
            first, last = ((edge - begin.monotonic_ns) / NANOSECONDS for edge in span)
            parts.append({"name": name, "from_seconds": first, "to_seconds": last})
    return sorted(parts, key=lambda part: part["from_seconds"])


def _served(steps: list[dict[str, Any]], measurements: Measurements, *, simulated: bool) -> list[dict[str, Any]]:
    """The outage as users had it, and the wait from the end of the recovery until the service was good."""
    restored, disaster = measurements.stamps.get("t_service_restored"), measurements.stamps.get("t0")
    rows = _noticed(measurements, disaster)
    if restored is None:
        return rows
    if disaster is not None and disaster["hi"] <= restored["hi"]:
        without = "without a copy that answers" if simulated else "users without good service"
        rows.append(_row(without, "outage", disaster["hi"], restored["hi"]))
    ends = [step["to_seconds"] for step in steps if step["effect"] == Effect.RECOVER and step["to_seconds"] is not None]
    if ends and restored["hi"] >= max(ends):
        until = "until the copy answered" if simulated else "until the service was good again"
        rows.append(_row(until, "serve", max(ends), restored["hi"]))
    return rows


def _noticed(measurements: Measurements, disaster: dict[str, float] | None) -> list[dict[str, Any]]:
    """Until somebody noticed: an alert, or a person."""
    detected, found = measurements.stamps.get("t_detect"), measurements.detection
    if detected is None or disaster is None or found is None or detected["hi"] < disaster["hi"]:
        return []
    who = "a person" if found.kind == "person" else "the first alert"
    return [_row(f"until {who} noticed it: {found.by}", "detect", disaster["hi"], detected["hi"])]


def _row(name: str, effect: str, begin: float, end: float) -> dict[str, Any]:
    return {
        "name": name,
        "effect": effect,
        "from_seconds": begin,
        "to_seconds": end,
        "status": "succeeded",
        "parts": [],
    }


def _name(entry: Entry, names: dict[Effect, str]) -> str:
    effect = entry.effect
    assert effect is not None
    return names[effect].format(name=entry.key.split(":", 1)[-1])


def _stamp(value: object) -> Stamp | None:
    if not isinstance(value, dict):
        return None
    try:
        return Stamp.from_json(value)
    except (KeyError, TypeError, ValueError):
        return None


def _since(stamp: Stamp, begin: Stamp) -> float:
    if stamp.same_clock(begin):
        return (stamp.monotonic_ns - begin.monotonic_ns) / NANOSECONDS
    return (stamp.wall_ns - begin.wall_ns) / NANOSECONDS
