"""Follows the runs of a worker, which are performed in processes of their own, by their journal, for its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drillmark import clock, runs
from drillmark.engine.live import Tails
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.view import Live
from drillmark.errors import UsageError
from drillmark.journal.entries import run_ended
from drillmark.journal.opening import open_store
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.stamp import NANOSECONDS
from drillmark.telling.metrics import RunMetrics, WorkerMetrics


@dataclass(slots=True)
class _Followed:
    listener: RunMetrics
    tails: Tails
    seen: int = 0
    rto_seconds: float | None = None


@dataclass(slots=True)
class Follower:
    """Reads what is new in the journals of runs under way. A run is followed until its end stands in its journal."""

    metrics: WorkerMetrics
    root: Path
    _followed: dict[str, _Followed] = field(default_factory=dict[str, _Followed])

    def look(self, under_way: Sequence[str]) -> None:
        """Count what is new; `under_way` are the runs that the worker has in hand. Raises JournalError."""
        workspace = WorkspacePaths(self.root)
        for run in under_way:
            tails = Tails(RunPaths(workspace.runs / run))
            self._followed.setdefault(run, _Followed(self.metrics.listener(workspace.runs), tails))
        if not self._followed:
            return
        store = open_store(workspace)
        try:
            for run, followed in list(self._followed.items()):
                entries = store.read(run)
                for entry in entries[followed.seen :]:
                    followed.listener.entry(entry, "")
                followed.seen = len(entries)
                if (live := _moment(followed, entries)) is not None:
                    followed.listener.tick(live)
                ended = run_ended(entries) is not None
                if ended or (run not in under_way and not entries):
                    del self._followed[run]
        finally:
            store.close()


def _moment(followed: _Followed, entries: Sequence[Entry]) -> Live | None:
    """The run's moment since its fault, as its runner sees it; None without a fault, or where it cannot be told."""
    begun = next((one for one in entries if one.kind is Kind.INTENT and one.effect is Effect.INJECT), None)
    now = clock.now()
    if begun is None or not begun.stamp.same_clock(now):
        return None
    if followed.rto_seconds is None:
        try:
            followed.rto_seconds = runs.read_plan(followed.tails.paths.directory).objectives.rto_seconds
        except UsageError:
            return None
    followed.tails.follow()
    phase = next((one.effect for one in reversed(entries) if one.kind is Kind.INTENT), None)
    since_seconds = (now.monotonic_ns - begun.stamp.monotonic_ns) / NANOSECONDS
    beats = followed.tails.strip()
    simulated = bool(begun.data.get("simulated"))
    return Live(
        begun.run, str(phase), "", 0.0, None, since_seconds, followed.rto_seconds, beats=beats, simulated=simulated
    )
