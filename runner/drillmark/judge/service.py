"""The service level against its objectives: each on its own, over every phase in which it is judged."""

from __future__ import annotations

import math

from drillmark.measure.timeline.history import History
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Indicator, Measurements, PhaseSlo
from drillmark.model.plan import Plan
from drillmark.model.verdict import Judged, Outcome

_ORDER = {True: 0, None: 1, False: 2}
_AT_LEAST = frozenset({"availability", "throughput"})  # the others must not be more than their objective


def slo(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """One verdict for each objective, the worst of its phases; where none is worse, of the one nearest to missing."""
    del told
    phases = [phase for phase in measurements.slo.values() if phase.judged]
    names = list(dict.fromkeys([*_stated(evidence.plan), *_judged_names(phases)]))
    return [_judge(name, phases, _expected(evidence.plan), measurements) for name in names]


def _judged_names(phases: list[PhaseSlo]) -> list[str]:
    return [name for phase in phases for name, one in phase.indicators.items() if one.objective is not None]


def _stated(plan: Plan) -> dict[str, float]:
    slo = plan.objectives.slo
    values = {
        "availability": slo.availability_ratio,
        "error_rate": slo.error_ratio,
        "latency.p50": slo.latency.p50_seconds,
        "latency.p95": slo.latency.p95_seconds,
        "latency.p99": slo.latency.p99_seconds,
        "throughput": slo.throughput_per_second,
    }
    return {name: value for name, value in values.items() if value is not None}


def _expected(plan: Plan) -> tuple[str, ...]:
    if plan.simulated:
        return ("baseline", "production")
    return ("baseline", "soak") if plan.recovers else ("baseline", "fault", "soak")


def _judge(name: str, phases: list[PhaseSlo], expected: tuple[str, ...], measurements: Measurements) -> Judged:
    seen = {phase.phase for phase in phases}
    found: list[tuple[PhaseSlo, Indicator]] = []
    for phase in phases:
        indicator = phase.indicators.get(name)
        if indicator is not None and indicator.objective is not None:
            found.append((phase, indicator))
    label = f"slo.{name}"
    missing = [phase for phase in expected if phase not in seen]
    if not found:
        where = "nothing was injected" if measurements.fault_begin is None else "it was not measured"
        return Judged(label, Outcome.UNKNOWN, reason=where, unit=_unit(name))
    # Of phases that are alike: the first in which it was missed, and the last in which it was kept.
    in_turn = found if any(one.met is not True for _, one in found) else found[::-1]
    phase, worst = max(in_turn, key=lambda one: (_ORDER[one[1].met], _shortfall(one[1])))
    outcome = {True: Outcome.PASSED, None: Outcome.UNKNOWN, False: Outcome.FAILED}[worst.met]
    reason = "" if worst.met else f"{worst.reason} in {phase.phase}"
    if missing and outcome is Outcome.PASSED:
        outcome, reason = Outcome.UNKNOWN, f"there was no {' and no '.join(missing)} to judge it in"
    return Judged(label, outcome, worst.objective, worst.observed, worst.unit, reason, phase.phase, phase.cited)


def _shortfall(indicator: Indicator) -> float:
    """How far beyond its objective the worst is that was observed, in its unit: negative where it was kept."""
    observed, objective = indicator.observed, indicator.objective
    if observed is None or objective is None:
        return math.inf
    if indicator.name in _AT_LEAST:
        return objective - observed.lo
    return math.inf if observed.hi is None else observed.hi - objective


def _unit(name: str) -> str:
    return "seconds" if name.startswith("latency") else "per_second" if name == "throughput" else "ratio"
