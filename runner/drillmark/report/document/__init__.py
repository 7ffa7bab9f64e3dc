"""The result of a run as one JSON document, `drillmark.result/1`: what `result.json` holds. Pure.

Made from the plan, the journal up to where the run was concluded, measurements, verdict and gaps, so the same
stored run gives the same document on any later day. `docs/reference/result.md` names every field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drillmark.journal.entries import concluded
from drillmark.judge import exit_code
from drillmark.model.entry import Entry, Kind
from drillmark.model.measurement import Measurements
from drillmark.model.plan import Plan
from drillmark.model.verdict import Verdict
from drillmark.report import timeline, words
from drillmark.report.document import numbers, service, writes

if TYPE_CHECKING:
    from drillmark.model.gap import Gap

SCHEMA = "drillmark.result/1"


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
        "rto": numbers.of_objective("rto", plan.objectives.rto_seconds, measurements.rta, verdict),
        "rpo": numbers.of_objective("rpo", plan.objectives.rpo_seconds, measurements.rpa, verdict),
        "objectives": [numbers.of_judged(judged) for judged in verdict.judged],
        "stamps": {name: numbers.of_span(span) for name, span in measurements.stamps.items()},
        "durations": {name: numbers.of_measured(measured) for name, measured in measurements.durations.items()},
        "timeline": timeline.build(entries, measurements),
        "detection": None if measurements.detection is None else service.of_detection(measurements.detection),
        "slo": {name: service.of_phase(phase) for name, phase in measurements.slo.items()},
        "writes": None if measurements.writes is None else writes.of_writes(measurements.writes),
        "writers": [writes.of_writer(one, plan, verdict) for one in measurements.writers],
        "gaps": [_gap(gap) for gap in gaps],
        "evidence": _evidence(entries, started),
        "errors": list(measurements.errors),
    }


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
