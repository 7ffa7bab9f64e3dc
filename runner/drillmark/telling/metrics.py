"""What a worker counts of itself and of its runs, for Prometheus. A registry of its own: no globals.

Fed by the views of its runs (`listener`), by the outcomes of notifications (`told`), and by whoever plans (`facts`).
What is not known is not shown: a series that is absent can be alerted on, a zero cannot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from drillmark import __version__
from drillmark.define.notifications import News
from drillmark.engine.view import Live
from drillmark.errors import UsageError
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.report import files
from drillmark.telling.news import Message, is_down
from drillmark.telling.posting import Outcome


@dataclass(frozen=True, slots=True)
class Facts:
    """What the heartbeat knows of the whole calendar. None, or not in the mapping: not known, and so not shown.

    Attributes:
        waiting: occurrences that are due and that nobody has taken yet.
        running: occurrences that somebody runs.
        overdue: drill -> whether it is overdue.
        next_due: drill -> when it is due next, seconds since the epoch.
        gaps_open: severity -> how many gaps are open.
    """

    waiting: int | None = None
    running: int | None = None
    overdue: Mapping[str, bool] = field(default_factory=dict[str, bool])
    next_due: Mapping[str, float] = field(default_factory=dict[str, float])
    gaps_open: Mapping[str, int] = field(default_factory=dict[str, int])


class WorkerMetrics:
    """The metrics of one worker process. Safe to use from several threads."""

    def __init__(self, worker: str = "") -> None:
        self._registry = CollectorRegistry()
        self._lock = threading.Lock()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._gauge("drillmark_worker_info", "The worker, and which version it is.", "worker", "version").labels(
            worker, __version__
        ).set(1)
        self._shown: set[Gauge] = set()
        self._heartbeat = Gauge(
            "drillmark_heartbeat_timestamp_seconds", "When the calendar was last looked at.", registry=None
        )
        self._waiting = Gauge("drillmark_waiting_drills", "Drills that are due and taken by nobody.", registry=None)
        self._running = Gauge("drillmark_running_drills", "Drills that some worker runs.", registry=None)
        self._overdue = self._gauge("drillmark_drill_overdue", "1: it should have passed by now, and has not.", "drill")
        self._next_due = self._gauge("drillmark_drill_next_due_timestamp_seconds", "When it is due next.", "drill")
        self._gaps = self._gauge("drillmark_gaps_open", "Gaps that are open.", "severity")
        self._in_progress = self._gauge("drillmark_run_in_progress", "1: this worker runs it.", "drill")
        self._in_effect = self._gauge("drillmark_fault_in_effect", "1: its fault may be in effect.", "drill", "target")
        self._used = self._gauge("drillmark_run_rto_used_ratio", "How much of the RTO is used.", "drill")
        self._last = self._gauge(
            "drillmark_drill_last_end_timestamp_seconds", "When it last ended so, here.", "drill", "verdict"
        )
        self._actual = self._gauge(
            "drillmark_drill_observed_seconds", "What the last run observed.", "drill", "objective", "bound"
        )
        self._objective = self._gauge("drillmark_drill_objective_seconds", "What was promised.", "drill", "objective")
        self._runs = self._counter("drillmark_runs", "Runs that ended here.", "drill", "verdict")
        self._undo_failed = self._counter("drillmark_undo_failures", "Undos that failed.", "drill", "target")
        self._told = self._counter(
            "drillmark_notifications", "Messages to channels: sent, waiting or failed.", "channel", "event", "outcome"
        )
        self._seen: dict[Gauge, set[tuple[str, ...]]] = {}

    def expect(self, channels: Iterable[str], drills: Iterable[tuple[str, str]] = ()) -> None:
        """Begin to count at zero, for channels and for drills with their targets.

        A counter that is first seen at one has not increased, as Prometheus sees it: nothing would be alerted on.
        """
        for channel in channels:
            for event in get_args(News):
                for outcome in get_args(Outcome):
                    self._told.labels(channel, event, outcome)
        for drill, target in drills:
            self._undo_failed.labels(drill, target)

    def heartbeat(self, facts: Facts) -> None:
        """The calendar was looked at, with this result."""
        self._show(self._heartbeat, time.time())
        self.show(facts)

    def show(self, facts: Facts) -> None:
        """Show this, and forget what is not in it."""
        self._show(self._waiting, facts.waiting)
        self._show(self._running, facts.running)
        self._replace(self._overdue, {(drill,): float(is_so) for drill, is_so in facts.overdue.items()})
        self._replace(self._next_due, {(drill,): at for drill, at in facts.next_due.items()})
        self._replace(self._gaps, {(severity,): count for severity, count in facts.gaps_open.items()})

    def told(self, channel: str, message: Message, outcome: Outcome, _reason: str) -> None:
        """How a message to a channel went (`telling.views(on_outcome=...)`)."""
        self.counted(channel, message.event, outcome)

    def counted(self, channel: str, event: str, outcome: str) -> None:
        """The same, heard of from the process of a run."""
        self._told.labels(channel, event, outcome).inc()

    def listener(self, runs: Path) -> RunMetrics:
        """A listener for the views of one run. `runs` is the folder of the workspace's runs."""
        return RunMetrics(self, runs)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text of `/metrics` and its content type, in the format that the reader asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(name, words, labels, registry=self._registry)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(name, words, labels, registry=self._registry)

    def _show(self, gauge: Gauge, value: float | None) -> None:
        """A number that is not known is not shown: it would read as zero."""
        with self._lock:
            if value is not None:
                gauge.set(value)
            if (value is not None) is not (gauge in self._shown):
                if value is None:
                    self._registry.unregister(gauge)
                    self._shown.discard(gauge)
                else:
                    self._registry.register(gauge)
                    self._shown.add(gauge)

    def _replace(self, gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
        """What is not in there any more (a drill that was taken away) is not shown any more."""
        with self._lock:
            for labels in self._seen.get(gauge, set()) - values.keys():
                gauge.remove(*labels)
            for labels, value in values.items():
                gauge.labels(*labels).set(value)
            self._seen[gauge] = set(values)

    # -- what a run changes ---------------------------------------------------------------------------------------

    def began(self, drill: str) -> None:
        """This worker runs it from now on."""
        self._in_progress.labels(drill).set(1)

    def fault(self, drill: str, target: str, *, in_effect: bool) -> None:
        """Its fault may be in effect, or is gone."""
        self._in_effect.labels(drill, target).set(float(in_effect))

    def undo_failed(self, drill: str, target: str) -> None:
        """An undo failed."""
        self._undo_failed.labels(drill, target).inc()

    def used(self, drill: str, ratio: float) -> None:
        """So much of the RTO is used."""
        self._used.labels(drill).set(ratio)

    def ended(self, drill: str, verdict: str, result: Mapping[str, Any] | None) -> None:
        """It ended here."""
        self._in_progress.labels(drill).set(0)
        self._used.labels(drill).set(0)
        self._runs.labels(drill, verdict).inc()
        self._last.labels(drill, verdict).set(time.time())
        for objective in ("rto", "rpo"):
            judged = (result or {}).get(objective) or {}
            observed = judged.get("observed_seconds") or {}
            for bound in ("lo", "hi"):
                labels = (drill, objective, bound)
                if observed.get(bound) is None:
                    self._forget(self._actual, labels)  # an older run's figure is not this one's
                else:
                    self._actual.labels(*labels).set(observed[bound])
            if judged.get("objective_seconds") is not None:
                self._objective.labels(drill, objective).set(judged["objective_seconds"])

    def _forget(self, gauge: Gauge, labels: Iterable[str]) -> None:
        try:
            gauge.remove(*labels)
        except KeyError:
            return  # it was never there


class RunMetrics:
    """Counts one run: a listener."""

    name = "the metrics"

    def __init__(self, metrics: WorkerMetrics, runs: Path) -> None:
        self._metrics = metrics
        self._runs = runs
        self._drill = ""
        self._target = ""
        self._handlers: dict[Kind, Callable[[Entry], None]] = {
            Kind.RUN_STARTED: self._started,
            Kind.INTENT: self._intent,
            Kind.OUTCOME: self._outcome,
            Kind.UNDONE: self._undone,
            Kind.RUN_ENDED: self._ended,
        }

    def entry(self, entry: Entry, sentence: str) -> None:
        """Count what is in it."""
        del sentence
        if (handler := self._handlers.get(entry.kind)) is not None:
            handler(entry)

    def tick(self, live: Live) -> None:
        """Show how much of the objective is used; once users are served again, it stays where it was."""
        if live.since_fault_seconds is not None and is_down(live):
            self._metrics.used(self._drill, live.since_fault_seconds / live.rto_seconds)

    def close(self) -> None:
        """Nothing waits."""

    def _started(self, entry: Entry) -> None:
        self._drill, self._target = str(entry.data.get("drill")), str(entry.data.get("target"))
        self._metrics.began(self._drill)

    def _intent(self, entry: Entry) -> None:
        if entry.effect is Effect.INJECT:
            self._metrics.fault(self._drill, self._target, in_effect=True)

    def _outcome(self, entry: Entry) -> None:
        if entry.effect is Effect.INJECT and entry.data.get("nothing_began"):
            self._metrics.fault(self._drill, self._target, in_effect=False)
        if entry.effect is Effect.UNDO and entry.data.get("status") != Status.SUCCEEDED:
            self._metrics.undo_failed(self._drill, self._target)

    def _undone(self, _entry: Entry) -> None:
        self._metrics.fault(self._drill, self._target, in_effect=False)

    def _ended(self, entry: Entry) -> None:
        try:
            result = files.read(self._runs / entry.run)
        except UsageError:
            result = None
        self._metrics.ended(self._drill, str(entry.data.get("verdict", "unknown")), result)
