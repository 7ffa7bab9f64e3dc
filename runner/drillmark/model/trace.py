"""The names of a run's spans in a trace: computed from the run alone, so that every process of it knows them.

A runner that takes a run up again goes on with the same trace, and an activity's child needs nobody to tell it whose
child its spans are. The form is that of W3C Trace Context.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from drillmark.model.entry import Entry, Kind

VARIABLE = "TRACEPARENT"  # for the programs of activities
HEADER = "traceparent"  # for the requests of activities
ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
)


def is_on(environment: Mapping[str, str]) -> bool:
    """Whether drills are traced: an endpoint is set, and OpenTelemetry is not switched off."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not off and any(environment.get(name) for name in ENDPOINTS)


def trace_id(run: str) -> int:
    """The trace of a run."""
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:16], "big")


def span_id(run: str, *names: str) -> int:
    """A span of a run; without names, the run's own."""
    return int.from_bytes(hashlib.sha256("\0".join((run, *names)).encode()).digest()[:8], "big")


def traceparent(run: str, *names: str) -> str:
    """The context that a span hands on."""
    return f"00-{trace_id(run):032x}-{span_id(run, *names):016x}-01"


def names_of(entry: Entry) -> tuple[str, str, str]:
    """The names of an effect's span, by its intent or outcome."""
    return str(entry.data.get("effect", "")), entry.key, str(entry.data.get("attempt", 1))


def under_way(entries: Sequence[Entry]) -> str:
    """The context of the effect that was begun last; empty where there is none."""
    found = next((entry for entry in reversed(entries) if entry.kind is Kind.INTENT), None)
    return "" if found is None else traceparent(found.run, *names_of(found))
