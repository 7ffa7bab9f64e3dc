"""The result of a run as one JSON document, `drillmark.result/1`: what `result.json` holds. Pure.

Made from the plan, the journal up to where the run was concluded, measurements, verdict and gaps, so the same
stored run gives the same document on any later day. `docs/reference/result.md` names every field.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drillmark.judge import exit_code
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.measurement import (
    Cited,
    Detected,
    Indicator,
    Measured,
    Measurements,
    Noted,
    PhaseSlo,
    Writer,
    Writes,
)
from drillmark.model.plan import Plan
from drillmark.model.stamp import Interval
from drillmark.model.verdict import Judged, Outcome, Verdict
from drillmark.report import timeline, words

if TYPE_CHECKING:
    from drillmark.model.gap import Gap

SCHEMA = "drillmark.result/1"

_ACTUAL = {"rto": "rta", "rpo": "rpa"}


def build(
    plan: Plan, entries: Sequence[Entry], measurements: Measurements, verdict: Verdict, gaps: Sequence[Gap] = ()
) -> dict[str, Any]:
    """The document. `entries` may go on past the conclusion; what comes after it is left out."""
    entries = concluded(entries)
    started = entries[0] if entries else None
    return {
        "schema": SCHEMA,
        "run": started.run if started else "",
        "drill": plan.drill,
        "verdict": str(verdict.outcome),
        "reasons": list(verdict.reasons),
        "aborted": verdict.aborted,
        "refused": verdict.refused,
        "exit_code": exit_code(verdict),
        "title": plan.title,
        "mode": plan.mode,
        "owner": plan.owner,
        "target": plan.target.name,
        "environment": plan.target.environment,
        "source": plan.source,
        "disaster": plan.disaster,
        "imported": _imported(started),
        "runbook": _inside(plan.runbook),
        "risk": plan.risk.model_dump(mode="json"),
        "started": words.iso(started.stamp.wall_ns) if started else None,
        "fault_began": words.iso(measurements.fault_begin.wall_ns) if measurements.fault_begin else None,
        "ended": words.iso(entries[-1].stamp.wall_ns) if entries else None,
        "flags": list(measurements.flags),
        "rto": _objective("rto", plan.objectives.rto_seconds, measurements.rta, verdict),
        "rpo": _objective("rpo", plan.objectives.rpo_seconds, measurements.rpa, verdict),
        "objectives": [_judged(judged) for judged in verdict.judged],
        "stamps": {name: _span(span) for name, span in measurements.stamps.items()},
        "durations": {name: _measured(measured) for name, measured in measurements.durations.items()},
        "timeline": timeline.build(entries, measurements),
        "detection": None if measurements.detection is None else _detection(measurements.detection),
        "slo": {name: _phase(phase) for name, phase in measurements.slo.items()},
        "writes": None if measurements.writes is None else _writes(measurements.writes),
        "writers": [_writer(one, plan, verdict) for one in measurements.writers],
        "gaps": [_gap(gap) for gap in gaps],
        "evidence": _evidence(entries, started),
        "errors": list(measurements.errors),
    }


def concluded(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that a run's result rests on: those before it was concluded, for the last time.

    The engine concludes on exactly these, so measuring a stored run again on them must give the same result.
    """
    intents = [n for n, entry in enumerate(entries) if entry.kind is Kind.INTENT and entry.effect is Effect.CONCLUDE]
    before = entries[: intents[-1]] if intents else entries
    return [entry for entry in before if entry.effect is not Effect.CONCLUDE and entry.kind is not Kind.RUN_ENDED]


def _objective(name: str, seconds: float, measured: Measured, verdict: Verdict, *, part: str = "") -> dict[str, Any]:
    judged = verdict.of(name)
    if part and judged is not None:
        judged = _part(judged, part)
    if judged is None:
        outcome, observed, reason, cited = Outcome.NOT_APPLICABLE, measured.seconds, measured.reason, measured.cited
    else:
        seconds = seconds if judged.objective is None else judged.objective
        outcome, observed, reason = judged.outcome, judged.observed, judged.reason
        cited = judged.cited if _cites(judged.cited) else measured.cited
    return {
        "objective_seconds": seconds,
        "observed_seconds": _interval(observed),
        "verdict": str(outcome),
        "reason": reason,
        "flags": list(measured.flags),
        "actual": _ACTUAL[name],
        "cited": _cited(cited),
    }


def _judged(judged: Judged) -> dict[str, Any]:
    return {
        "name": judged.name,
        "verdict": str(judged.outcome),
        "objective": judged.objective,
        "observed": _interval(judged.observed),
        "unit": judged.unit,
        "reason": judged.reason,
        "cited": _cited(judged.cited),
    }


def _measured(measured: Measured) -> dict[str, Any]:
    return {
        "seconds": _interval(measured.seconds),
        "applicable": measured.applicable,
        "reason": measured.reason,
        "flags": list(measured.flags),
        "away_seconds": measured.away_seconds,
        "cited": _cited(measured.cited),
    }


def _phase(phase: PhaseSlo) -> dict[str, Any]:
    return {
        "window_seconds": list(phase.window_seconds),
        "judged": phase.judged,
        "indicators": {name: _indicator(indicator) for name, indicator in phase.indicators.items()},
        "beats": {"good": phase.good_beats, "bad": phase.bad_beats, "absent": phase.absent_beats},
        "beat_latency_seconds": {
            "p50": phase.beat_p50_seconds,
            "p95": phase.beat_p95_seconds,
            "p99": phase.beat_p99_seconds,
        },
        "requests": phase.requests,
        "errors": phase.errors,
        "cited": _cited(phase.cited),
    }


def _indicator(indicator: Indicator) -> dict[str, Any]:
    return {
        "unit": indicator.unit,
        "observed": _interval(indicator.observed),
        "objective": indicator.objective,
        "met": indicator.met,
        "reason": indicator.reason,
    }


def _detection(found: Detected) -> dict[str, Any]:
    return {
        "by": found.by,
        "kind": found.kind,
        "declared_by": found.declared_by,
        "heard": found.heard,
        "noted": [_noted(noted) for noted in found.noted],
    }


def _noted(noted: Noted) -> dict[str, Any]:
    return {
        "entry": noted.entry,
        "at_seconds": _span(noted.at_seconds),
        "name": noted.name,
        "route": noted.route,
        "status": noted.status,
        "labels": dict(noted.labels),
        "counts": noted.counts,
        "why": noted.why,
    }


def _writes(writes: Writes) -> dict[str, Any]:
    return {
        "acknowledged": writes.acknowledged,
        "lost": writes.lost,
        "holes": writes.holes,
        "lost_updates": writes.lost_updates,
        "resurrected": writes.resurrected,
        "unexpected": writes.unexpected,
        "indeterminate": writes.indeterminate,
        "attempted": writes.attempted,
        "survived": writes.survived,
        "unproved": writes.unproved,
        "recovered": writes.recovered,
        "split_brain": writes.split_brain,
        "lost_before_t0": writes.lost_before_t0,
        "acknowledged_after": writes.acknowledged_after,
        "lost_after": writes.lost_after,
        "duplicates": writes.duplicates,
        "lost_ids": list(writes.lost_ids),
        "hole_ids": list(writes.hole_ids),
        "lost_update_ids": list(writes.lost_update_ids),
        "resurrected_ids": list(writes.resurrected_ids),
        "unexpected_ids": list(writes.unexpected_ids),
        "split_brain_ids": list(writes.split_brain_ids),
        "cited": _cited(writes.cited),
    }


def _writer(writer: Writer, plan: Plan, verdict: Verdict) -> dict[str, Any]:
    """One marker writer: as the whole, by its own writes alone."""
    return {
        "name": writer.name,
        "store": writer.store,
        "rpo": _objective("rpo", plan.objectives.rpo_seconds, writer.durations["rpa"], verdict, part=writer.name),
        "integrity": str(_part(verdict.of("integrity"), writer.name).outcome),
        "durations": {name: _measured(measured) for name, measured in writer.durations.items()},
        "writes": None if writer.writes is None else _writes(writer.writes),
    }


def _part(judged: Judged | None, name: str) -> Judged:
    """What was judged of one marker writer: the whole, where it is the only one."""
    if judged is None:
        return Judged(name, Outcome.NOT_APPLICABLE)
    return next((part for part in judged.parts if part.name == name), judged)


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "id": gap.id,
        "state": gap.state,
        "objective": gap.objective,
        "kind": gap.kind,
        "severity": gap.severity,
        "title": gap.title,
        "observed": gap.observed,
        "recommendation": gap.recommendation,
        "owner": gap.owner,
        "due": gap.due,
        "opened_by": gap.opened_by,
        "closed_by": gap.closed_by,
    }


def _evidence(entries: Sequence[Entry], started: Entry | None) -> dict[str, Any]:
    begun = started.data if started else {}
    closed = [
        entry.data for entry in entries if entry.kind is Kind.EVENT and entry.data.get("what") == "samples_closed"
    ]
    return {
        "plan_hash": begun.get("plan_hash"),
        "versions": versions if isinstance(versions := begun.get("versions"), dict) else {},
        "clock_error_seconds": begun.get("clock_error_seconds"),
        "journal": {"entries": len(entries), "last_hash": entries[-1].hash if entries else None},
        "samples": [
            {"file": _inside(data.get("file"))} | {key: data.get(key) for key in ("sha256", "rows", "closed", "torn")}
            for data in {str(data.get("file")): data for data in closed}.values()
        ],
    }


def _imported(started: Entry | None) -> dict[str, str] | None:
    """Where a run that was taken in from a journal of `chaos run` comes from; None: it is our own."""
    data = started.data.get("imported") if started else None
    return {key: str(data.get(key, "")) for key in ("sha256", "node")} if isinstance(data, dict) else None


def _inside(path: Any) -> str | None:
    """A path as it may be shown: one that leads out of run or workspace is not, whoever wrote it there."""
    if path is None:
        return None
    text = str(path)
    leads_out = text[:1] in ("/", "~", "\\") or "://" in text or ".." in text.replace("\\", "/").split("/")
    return "(leads out of the workspace)" if leads_out else text


def _interval(value: Interval | None) -> dict[str, float | None] | None:
    return None if value is None else value.as_json()


def _span(span: dict[str, float] | None) -> dict[str, float] | None:
    return None if span is None else {"lo": span["lo"], "hi": span["hi"]}


def _cites(cited: Cited) -> bool:
    return bool(cited.entries or cited.samples or cited.formula)


def _cited(cited: Cited) -> dict[str, Any]:
    return {
        "entries": list(cited.entries),
        "samples": list(cited.samples),
        "formula": cited.formula,
        "filled_in": cited.filled_in,
        "terms": _plain(cited.terms),
    }


def _plain(value: Any) -> Any:
    """JSON values of what may hold intervals, tuples and numpy numbers."""
    if isinstance(value, Interval):
        return value.as_json()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return value.item() if hasattr(value, "item") else str(value)
