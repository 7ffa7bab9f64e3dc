"""A drill as OpenTelemetry: a trace with a span for each phase and activity, its metrics, and its entries as logs.

The names of spans are those of `model.trace`, which activities know too. Sends by OTLP over HTTP, to where the
environment says; no provider of this process is touched. Must never hold more than journal and result do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from drillmark import __version__
from drillmark.chaos.events import What, read_events
from drillmark.chaos.redact import Redactor, collect
from drillmark.engine.paths import RunPaths
from drillmark.engine.view import Live
from drillmark.errors import UsageError
from drillmark.model import trace
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.phases import phase_of
from drillmark.report import files
from drillmark.telling.beside import Reports
from drillmark.telling.severity import level_of, words_of

_EXPORT_MILLIS = 1000.0
_METRICS_MILLIS = 5000.0
_SEVERITIES = {"info": SeverityNumber.INFO, "warning": SeverityNumber.WARN, "error": SeverityNumber.ERROR}
_BAD = frozenset({"failed", "timed_out", "indeterminate"})
# An activity of the experiment belongs to the effect that plays its part of it.
_PLAYED_BY = {
    Effect.INJECT: ("hypothesis_before", "hypothesis_during", "method"),
    Effect.UNDO: ("hypothesis_after", "rollbacks"),
}


class OpenTelemetry:
    """A listener."""

    name = "OpenTelemetry"

    def __init__(self, environment: Mapping[str, str], runs: Path, before: Sequence[Entry], reports: Reports) -> None:
        self._runs = runs
        self._drill = ""
        self._root: Span | None = None
        self._phase: tuple[str, Span] | None = None
        self._open: dict[tuple[str, ...], Span] = {}
        self._told: set[tuple[str, int]] = set()
        _complain(reports, environment)
        resource = Resource.create({"service.version": __version__} | _named(environment))
        self._ids = _Ids()
        self._traces = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False, id_generator=self._ids)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=_EXPORT_MILLIS))
        self._tracer = self._traces.get_tracer("drillmark", __version__)
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=_METRICS_MILLIS)
        self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
        meter = self._metrics.get_meter("drillmark", __version__)
        self._runs_ended = meter.create_counter("drillmark.runs", description="Runs that ended.")
        self._observed = meter.create_gauge("drillmark.observed", "s", "What the run observed: a bound of an interval.")
        self._effects = meter.create_histogram("drillmark.effect.duration", "s", "How long each effect took.")
        self._live = {
            name: meter.create_gauge(f"drillmark.{name}", unit)
            for name, unit in (("rto.used", "1"), ("load.rate", "1/s"), ("load.errors", "1/s"), ("load.p95", "s"))
        }
        self._logs = LoggerProvider(resource, shutdown_on_exit=False)
        self._logs.add_log_record_processor(
            BatchLogRecordProcessor(OTLPLogExporter(), schedule_delay_millis=_EXPORT_MILLIS)
        )
        self._logger = self._logs.get_logger("drillmark", __version__)
        for entry in before[:1]:
            self._start(entry)

    def entry(self, entry: Entry, sentence: str) -> None:
        """Begin or end what it begins or ends, and log it."""
        if entry.kind is Kind.RUN_STARTED:
            self._start(entry)
        if entry.kind is Kind.INTENT:
            self._begin(entry)
        self._log(entry, sentence)
        if entry.kind is Kind.OUTCOME:
            self._end(entry)
        elif entry.kind in (Kind.EVENT, Kind.ABORT, Kind.RESUMED, Kind.GUARD, Kind.UNDONE) and self._root is not None:
            self._root.add_event(words_of(entry, sentence), timestamp=entry.stamp.wall_ns)
        elif entry.kind is Kind.RUN_ENDED:
            self._finish(entry)

    def tick(self, live: Live) -> None:
        """The moment's figures."""
        used = None if live.since_fault_seconds is None else live.since_fault_seconds / live.rto_seconds
        figures = {
            "rto.used": used,
            "load.rate": live.load_per_second,
            "load.errors": live.load_errors_per_second,
            "load.p95": live.load_p95_seconds,
        }
        for name, value in figures.items():
            if value is not None:
                self._live[name].set(value, {"drillmark.drill": self._drill})

    def close(self) -> None:
        """Send what waits. What a lost run leaves open is told by whoever takes it up."""
        for provider in (self._traces, self._logs, self._metrics):
            provider.shutdown()

    def _start(self, entry: Entry) -> None:
        self._drill = str(entry.data.get("drill", ""))
        about = {"drillmark.run": entry.run, "drillmark.drill": self._drill}
        about["drillmark.target"] = str(entry.data.get("target", ""))
        self._root = self._span(entry.run, (), f"drill {self._drill}", None, entry.stamp.wall_ns, about)

    def _begin(self, entry: Entry) -> None:
        assert entry.effect is not None
        phase = phase_of(entry.effect, simulated=bool(entry.data.get("simulated")))
        at = entry.stamp.wall_ns
        if self._phase is None or self._phase[0] != phase:
            self._end_phase(at)
            names = ("phase", phase, str(entry.sequence))
            self._phase = phase, self._span(entry.run, names, phase, self._root, at, {"drillmark.phase": phase})
        names = trace.names_of(entry)
        title = " ".join(filter(None, (names[0], entry.key.partition(":")[2])))
        about = {"drillmark.effect": names[0], "drillmark.key": names[1], "drillmark.phase": phase}
        self._open[names] = self._span(entry.run, names, title, self._phase[1], at, about)

    def _end(self, entry: Entry) -> None:
        span = self._open.pop(trace.names_of(entry), None)
        if span is None:
            return  # its beginning was another runner's
        status = str(entry.data.get("status", ""))
        if entry.effect is not None and entry.effect in _PLAYED_BY:
            self._activities(entry, span, _PLAYED_BY[entry.effect])
        span.set_attribute("drillmark.status", status)
        if status in _BAD:
            span.set_status(Status(StatusCode.ERROR, str(entry.data.get("error", ""))[:500]))
        span.end(entry.stamp.wall_ns)
        began: int = getattr(span, "start_time", entry.stamp.wall_ns)
        about = {"drillmark.drill": self._drill, "drillmark.effect": str(entry.effect), "drillmark.status": status}
        self._effects.record((entry.stamp.wall_ns - began) / 1e9, about)

    def _activities(self, entry: Entry, parent: Span, phases: Sequence[str]) -> None:
        """The activities of the experiment, by its child's own event log."""
        began: dict[tuple[str, int], int] = {}
        for event in read_events(RunPaths(self._runs / entry.run).events):
            place = event.phase, event.index
            if event.phase not in phases or event.index < 0 or place in self._told:
                continue
            if event.event == What.ACTIVITY_STARTED:
                began[place] = event.stamp.wall_ns
            elif event.event == What.ACTIVITY_ENDED:
                self._told.add(place)
                about = {"drillmark.activity": event.name, "drillmark.phase": event.phase}
                about["drillmark.status"] = event.status
                at = began.get(place, event.stamp.wall_ns)
                span = self._span(entry.run, (event.phase, str(event.index)), event.name, parent, at, about)
                if event.status in _BAD:
                    span.set_status(Status(StatusCode.ERROR, event.error[:500]))
                span.end(event.stamp.wall_ns)

    def _finish(self, entry: Entry) -> None:
        at, verdict = entry.stamp.wall_ns, str(entry.data.get("verdict", "unknown"))
        about = {"drillmark.drill": self._drill, "drillmark.verdict": verdict}
        self._end_phase(at)
        if self._root is not None:
            self._root.set_attribute("drillmark.verdict", verdict)
            if verdict != "passed":
                self._root.set_status(Status(StatusCode.ERROR, verdict))
            self._root.end(at)
        self._runs_ended.add(1, about)
        for objective in ("rto", "rpo"):
            observed = (_result(self._runs / entry.run).get(objective) or {}).get("observed_seconds") or {}
            for bound in ("lo", "hi"):
                if observed.get(bound) is not None:
                    more = {"drillmark.objective": objective, "drillmark.bound": bound}
                    self._observed.set(observed[bound], about | more)

    def _end_phase(self, at_ns: int) -> None:
        if self._phase is not None:
            self._phase[1].end(at_ns)
            self._phase = None

    def _span(
        self, run: str, names: tuple[str, ...], title: str, parent: Span | None, at_ns: int, about: dict[str, str]
    ) -> Span:
        self._ids.trace, self._ids.span = trace.trace_id(run), trace.span_id(run, *names)
        context = set_span_in_context(parent if parent is not None else _NO_SPAN)
        return self._tracer.start_span(title, context, start_time=at_ns, attributes=about)

    def _log(self, entry: Entry, sentence: str) -> None:
        level = level_of(entry)
        effect = self._open.get(trace.names_of(entry)) or self._root
        about: dict[str, Any] = {"drillmark.run": entry.run, "drillmark.drill": self._drill}
        about |= {"drillmark.kind": str(entry.kind), "drillmark.sequence": entry.sequence}
        if self._phase is not None:
            about["drillmark.phase"] = self._phase[0]
        record = LogRecord(
            timestamp=entry.stamp.wall_ns,
            observed_timestamp=entry.stamp.wall_ns,
            context=None if effect is None else set_span_in_context(effect),
            severity_number=_SEVERITIES[level],
            severity_text=level.upper(),
            body=words_of(entry, sentence),
            attributes=about,
        )
        self._logger.emit(record)


class _Ids(IdGenerator):
    """Hands out what it was given last: the names of spans are not random here."""

    trace = 0
    span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


_NO_SPAN = NonRecordingSpan(SpanContext(0, 0, is_remote=False, trace_flags=TraceFlags(0)))


def _result(run_dir: Path) -> dict[str, Any]:
    try:
        return files.read(run_dir) or {}
    except UsageError:
        return {}


def _named(environment: Mapping[str, str]) -> dict[str, str]:
    return {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": "drillmark"}


def _complain(reports: Reports, environment: Mapping[str, str]) -> None:
    """What the exporters have to complain of is said on the face, without what is secret in their settings."""
    secret = [value for name, value in environment.items() if name.startswith("OTEL_") and name.endswith("HEADERS")]
    secret += [part.partition("=")[2] for value in secret for part in value.split(",")]
    redactor = Redactor(collect([*secret, *(environment.get(name) for name in trace.ENDPOINTS)]) if secret else ())

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reports.add(f"OpenTelemetry: {redactor.text(record.getMessage())[:200]}")

    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.handlers[:] = [Teller(logging.WARNING)]
