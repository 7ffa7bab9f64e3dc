"""The service as the result holds it: levels by phase, and who noticed. Pure."""

from __future__ import annotations

from typing import Any

from drillmark.model.measurement import Detected, Indicator, Noted, PhaseSlo
from drillmark.report.document.numbers import of_cited, of_interval, of_span


def of_phase(phase: PhaseSlo) -> dict[str, Any]:
    """The service level over one phase."""
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
        "cited": of_cited(phase.cited),
    }


def _indicator(indicator: Indicator) -> dict[str, Any]:
    return {
        "unit": indicator.unit,
        "observed": of_interval(indicator.observed),
        "objective": indicator.objective,
        "met": indicator.met,
        "reason": indicator.reason,
    }


def of_detection(found: Detected) -> dict[str, Any]:
    """Who noticed, and everything that was heard."""
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
        "at_seconds": of_span(noted.at_seconds),
        "name": noted.name,
        "route": noted.route,
        "status": noted.status,
        "labels": dict(noted.labels),
        "counts": noted.counts,
        "why": noted.why,
    }
