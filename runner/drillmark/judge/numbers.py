"""Durations against their objectives: hi <= objective passes, lo > objective fails, between is unknown."""

from __future__ import annotations

from dataclasses import replace

from drillmark.measure.outage.after_undo import MISSING
from drillmark.measure.outage.durations import SILENCE
from drillmark.measure.outage.rta import ENDED_BY_UNDO
from drillmark.measure.timeline.history import History
from drillmark.model.entry import Effect, Kind
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Cited, Measured, Measurements, Writer
from drillmark.model.verdict import Judged, Outcome

STRADDLES = "straddles"
NO_MARKERS = "the target has no markers"


def against(name: str, measured: Measured, objective: float) -> Judged:
    """One duration against its objective in seconds.

    What the runner's own absence may have added to the lower edge does not fail an objective.
    """
    observed = measured.seconds
    if observed is None:
        outcome = Outcome.UNKNOWN if measured.applicable else Outcome.NOT_APPLICABLE
        return Judged(name, outcome, objective, reason=measured.reason or "not measured", cited=measured.cited)
    reason = measured.reason
    if observed.hi is not None and observed.hi <= objective:
        outcome, reason = Outcome.PASSED, ""
    elif observed.lo - measured.away_seconds > objective:
        outcome, reason = Outcome.FAILED, reason or "missed"
    elif observed.lo > objective:
        outcome, reason = Outcome.UNKNOWN, "the runner was away, the delay may be ours"
    else:
        outcome, reason = Outcome.UNKNOWN, f"{STRADDLES}: {reason}" if reason else STRADDLES
    return Judged(name, outcome, objective, observed, reason=reason, cited=measured.cited)


def rto(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """RTA against RTO. A drill that states an RTO and whose fault only the undo ended has failed it."""
    del told
    objectives, measured = evidence.plan.objectives, measurements.rta
    judged = against("rto", measured, objectives.rto_seconds)
    if judged.outcome is Outcome.NOT_APPLICABLE and objectives.rto_stated:
        outcome = Outcome.FAILED if measured.reason == ENDED_BY_UNDO else Outcome.UNKNOWN
        return [Judged("rto", outcome, objectives.rto_seconds, reason=measured.reason, cited=measured.cited)]
    return [judged]


def rpo(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """RPA against RPO."""
    del told
    objectives = evidence.plan.objectives
    judged = against("rpo", measurements.rpa, objectives.rpo_seconds)
    if len(measurements.writers) > 1:
        parts = [against(one.name, one.durations["rpa"], objectives.rpo_seconds) for one in measurements.writers]
        judged = replace(judged, parts=tuple(parts))
    if judged.outcome is Outcome.NOT_APPLICABLE and objectives.rpo_stated:
        return [Judged("rpo", Outcome.UNKNOWN, objectives.rpo_seconds, reason=judged.reason, cited=judged.cited)]
    return [judged]


def integrity(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """Holes, split brain, unexpected writes, and writes that even the restored store lost."""
    del told
    if not evidence.plan.markers:
        blind = evidence.plan.positions is not None
        reason = "by position: holes, split brain and unexpected writes cannot be seen" if blind else NO_MARKERS
        return [Judged("integrity", Outcome.NOT_APPLICABLE, unit="", reason=reason)]
    parts = [_intact(one, measurements) for one in measurements.writers]
    if not parts:
        return [Judged("integrity", Outcome.UNKNOWN, unit="", reason=measurements.rpa.reason or "not measured")]
    if len(parts) == 1:
        return [replace(parts[0], name="integrity")]
    worst = max(parts, key=lambda part: part.outcome.severity)
    reason = "; ".join(f"{part.name}: {part.reason}" for part in parts if part.outcome is worst.outcome and part.reason)
    cited = Cited(
        entries=tuple(sorted({number for part in parts for number in part.cited.entries})),
        samples=tuple(dict.fromkeys(name for part in parts for name in part.cited.samples)),
    )
    return [Judged("integrity", worst.outcome, unit="", reason=reason, cited=cited, parts=tuple(parts))]


def _intact(writer: Writer, measurements: Measurements) -> Judged:
    writes = writer.writes
    if writes is None:
        reason = writer.durations["rpa"].reason or measurements.rpa.reason or "not measured"
        return Judged(writer.name, Outcome.UNKNOWN, unit="", reason=reason)
    found = {
        "holes": writes.holes,
        "lost updates": writes.lost_updates,
        "resurrected": writes.resurrected,
        "split brain": writes.split_brain,
        "unexpected": writes.unexpected,
        "lost by the restored store": writes.lost_after,
    }
    bad = [f"{name}: {number}" for name, number in found.items() if number]
    outcome = Outcome.FAILED if bad else Outcome.PASSED
    return Judged(writer.name, outcome, unit="", reason=", ".join(bad), cited=writes.cited)


def time_to_detect(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """Judged where alerts are observed, or the drill waits for a person.

    Silence fails it where the drill waited in vain, or states no time within which it is to be detected. Otherwise
    it is a duration like any other: silence for longer than the objective has missed it, for less is unknown.
    """
    objective = evidence.plan.objectives.time_to_detect_seconds
    measured = measurements.durations.get("time_to_detect")
    if measured is None or (objective is None and not evidence.plan.detects):
        return []
    judged = against("time_to_detect", measured, objective or 0.0)
    if measured.seconds is None:
        return [replace(judged, objective=objective)]
    if measured.reason == SILENCE:
        in_vain = told.one(Effect.DETECT).data.get("by") == "nobody"
        ended = told.finished and not any(True for _ in told.of(Kind.ABORT))
        if in_vain or (objective is None and ended):
            reason = f"{SILENCE} in all the time that was waited for one" if in_vain else SILENCE
            return [replace(judged, outcome=Outcome.FAILED, objective=objective, reason=reason)]
    if objective is None:
        known = measured.seconds.hi is not None
        outcome = Outcome.PASSED if known else Outcome.UNKNOWN
        return [replace(judged, outcome=outcome, objective=None, reason="" if known else measured.reason)]
    return [judged]


def mtd(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """RTA + WRT against the maximum tolerable downtime, where stated."""
    del told
    objective = evidence.plan.objectives.mtd_seconds
    measured = measurements.durations.get("rta_and_wrt", Measured(None, "not measured"))
    if objective is None:
        return []
    judged = against("mtd", measured, objective)
    if judged.outcome is Outcome.NOT_APPLICABLE:
        return [Judged("mtd", Outcome.UNKNOWN, objective, reason=judged.reason, cited=judged.cited)]
    return [judged]


def after_undo(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """From the undo's end until service held again. Never restored is a failure, stated or not."""
    del told
    objective = evidence.plan.objectives.after_undo_seconds
    measured = measurements.durations.get("after_undo", Measured(None, "not measured"))
    if not measured.applicable:
        return []
    if measured.seconds is not None and measured.seconds.hi is None:
        outcome = Outcome.UNKNOWN if measured.reason == MISSING else Outcome.FAILED
        return [
            Judged("after_undo", outcome, objective, measured.seconds, reason=measured.reason, cited=measured.cited)
        ]
    if objective is None:
        if measured.seconds is None and measurements.fault_begin is not None:
            return [Judged("after_undo", Outcome.UNKNOWN, reason=measured.reason, cited=measured.cited)]
        return []
    return [against("after_undo", measured, objective)]
