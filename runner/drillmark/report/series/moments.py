"""Phases of a run, and what was done in it: the fault, its actions, recovery, verification, undo. From the journal."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from drillmark.judge import conduct
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import Span
from drillmark.measure.timeline.history import Ran, stamp_in
from drillmark.model.entry import Effect, Kind
from drillmark.model.phases import PHASES, phase_of
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.model.verdict import Outcome

Row = dict[str, Any]
# What happens before the target is watched, and after the last of it, is no phase of the picture.
_ASIDE = frozenset({"preflight", "preparing", "closing"})
_STANDS = {Outcome.FAILED: "not undone cleanly", Outcome.UNKNOWN: "not known to be undone"}


def phases(facts: Facts, end: float) -> list[Row]:
    """Each phase from its first intent to its last outcome; what never ended goes on to the end."""
    found: dict[str, list[float]] = {}
    for effect in PHASES:
        name = phase_of(effect, simulated=facts.plan.simulated)
        if name in _ASIDE:
            continue
        for ran in facts.history.all(effect):
            if ran.begun is None:
                continue
            begin = _at(facts, ran.begun)
            until = end if ran.ended is None else _at(facts, ran.ended)
            edges = found.setdefault(name, [begin, until])
            edges[0], edges[1] = min(edges[0], begin), max(edges[1], until)
    # Sorted by time, a phase ends at the latest where the next one begins.
    rows: list[Row] = [{"name": name, "from": a, "to": b} for name, (a, b) in found.items()]
    rows.sort(key=lambda row: row["from"])
    for row, later in pairwise(rows):
        row["to"] = min(row["to"], later["from"])
    return [row for row in rows if row["to"] >= row["from"]]


def deeds(facts: Facts, end: float) -> list[Row]:
    """The fault as it lasted, the experiment's actions, recovery and verification, and the rollbacks."""
    inject = facts.history.one(Effect.INJECT)
    rows: list[Row] = []
    if not facts.plan.simulated:
        rows += _in_place(facts, end)
    rows += _activities(facts, inject.data.get("actions"), "action")
    for effect, kind in ((Effect.RECOVER, "recover"), (Effect.VERIFY, "verify")):
        rows += [_ran(facts, ran, kind, end) for ran in facts.history.all(effect) if ran.begun is not None]
    undo = facts.history.one(Effect.UNDO)
    rollbacks = _activities(facts, undo.data.get("rollbacks"), "undo")
    if rollbacks:
        rows += rollbacks
    elif undo.begun is not None:
        rows.append(_ran(facts, undo, "undo", end) | {"name": "undo"})
    rows += _by_guard(facts)
    return sorted(rows, key=lambda row: (row["from"], row["to"]))


def undone(facts: Facts) -> bool:
    """Whether what the run did is taken back, and that is proved."""
    judged = conduct.undone(facts.plan, facts.history)
    return judged is not None and judged.outcome is Outcome.PASSED


def _in_place(facts: Facts, end: float) -> list[Row]:
    """The fault, until an undo that went well; after any other it may still be there."""
    judged = conduct.undone(facts.plan, facts.history)
    if judged is None:
        return []
    if judged.outcome is Outcome.PASSED and facts.undo_ended is not None:
        return [_row("in place", "fault", 0.0, _mid(facts.undo_ended), "succeeded")]
    status = _STANDS.get(judged.outcome, "never undone") if facts.undo_begun is not None else "never undone"
    return [_row("in place", "fault", 0.0, end, status)]


def _by_guard(facts: Facts) -> list[Row]:
    rows: list[Row] = []
    for entry in facts.history.of(Kind.GUARD):
        if entry.data.get("what") == "rollback":
            ended = stamp_in(entry.data.get("stamp")) or entry.stamp
            started = stamp_in(entry.data.get("started")) or ended
            name = f"{entry.data.get('name', 'rollback')} (by the guard)"
            status = str(entry.data.get("status", ""))
            rows.append(_row(name, "undo", _at(facts, started), _at(facts, ended), status))
    return rows


def _activities(facts: Facts, done: Any, kind: str) -> list[Row]:
    """Actions or rollbacks that say when they ran; others are told by the whole."""
    rows: list[Row] = []
    for one in done if isinstance(done, list) else []:
        started, ended = stamp_in(one.get("started")), stamp_in(one.get("ended"))
        if started is not None and ended is not None:
            name, status = str(one.get("name", "")), str(one.get("status", ""))
            rows.append(_row(name, kind, _at(facts, started), _at(facts, ended), status))
    return rows


def _ran(facts: Facts, ran: Ran, kind: str, end: float) -> Row:
    assert ran.begun is not None
    name = ran.key.split(":", 1)[-1] or str(ran.effect)
    status = ran.status or "indeterminate"
    if ran.good is False and status == "succeeded":
        status = "not good"
    return _row(name, kind, _at(facts, ran.begun), end if ran.ended is None else _at(facts, ran.ended), status)


def _row(name: str, kind: str, begin: float, end: float, status: str) -> Row:
    return {"name": name, "kind": kind, "from": round(begin, 3), "to": round(max(begin, end), 3), "status": status}


def _at(facts: Facts, stamp: Stamp) -> float:
    return _mid(facts.frame.span(stamp))


def _mid(span: Span) -> float:
    return (span.lo + span.hi) / 2 / NANOSECONDS
