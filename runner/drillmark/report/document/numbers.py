"""Numbers as the result holds them: intervals, what was measured and judged, and what each rests on. Pure."""

from __future__ import annotations

import math
from typing import Any

from drillmark.model.measurement import Cited, Measured
from drillmark.model.stamp import Interval
from drillmark.model.verdict import Judged, Outcome, Verdict

_ACTUAL = {"rto": "rta", "rpo": "rpa"}


def of_objective(name: str, seconds: float, measured: Measured, verdict: Verdict, *, part: str = "") -> dict[str, Any]:
    """RTO or RPO, and what it was judged by; `part` is the name of one marker writer."""
    judged = verdict.of(name)
    if part and judged is not None:
        judged = of_part(judged, part)
    if judged is None:
        outcome, observed, reason, cited = Outcome.NOT_APPLICABLE, measured.seconds, measured.reason, measured.cited
    else:
        seconds = seconds if judged.objective is None else judged.objective
        outcome, observed, reason = judged.outcome, judged.observed, judged.reason
        cited = judged.cited if _cites(judged.cited) else measured.cited
    return {
        "objective_seconds": seconds,
        "observed_seconds": of_interval(observed),
        "verdict": str(outcome),
        "reason": reason,
        "flags": list(measured.flags),
        "actual": _ACTUAL[name],
        "cited": of_cited(cited),
    }


def of_judged(judged: Judged) -> dict[str, Any]:
    """One objective that was judged."""
    return {
        "name": judged.name,
        "verdict": str(judged.outcome),
        "objective": judged.objective,
        "observed": of_interval(judged.observed),
        "unit": judged.unit,
        "reason": judged.reason,
        "phase": judged.phase,
        "cited": of_cited(judged.cited),
    }


def of_part(judged: Judged | None, name: str) -> Judged:
    """What was judged of one marker writer: the whole, where it is the only one."""
    if judged is None:
        return Judged(name, Outcome.NOT_APPLICABLE)
    return next((part for part in judged.parts if part.name == name), judged)


def of_measured(measured: Measured) -> dict[str, Any]:
    """One duration, and what stands beside it."""
    return {
        "seconds": of_interval(measured.seconds),
        "applicable": measured.applicable,
        "reason": measured.reason,
        "flags": list(measured.flags),
        "away_seconds": measured.away_seconds,
        "cited": of_cited(measured.cited),
    }


def of_interval(value: Interval | None) -> dict[str, float | None] | None:
    """An interval; one without an upper edge has None there."""
    return None if value is None else value.as_json()


def of_span(span: dict[str, float] | None) -> dict[str, float] | None:
    """A stretch of time, in seconds since the fault began."""
    return None if span is None else {"lo": span["lo"], "hi": span["hi"]}


def of_cited(cited: Cited) -> dict[str, Any]:
    """What a number rests on."""
    return {
        "entries": list(cited.entries),
        "samples": list(cited.samples),
        "formula": cited.formula,
        "filled_in": cited.filled_in,
        "terms": _plain(cited.terms),
    }


def _cites(cited: Cited) -> bool:
    return bool(cited.entries or cited.samples or cited.formula)


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
