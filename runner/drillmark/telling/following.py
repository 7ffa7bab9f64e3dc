"""Follows the runs of a worker, which are performed in processes of their own, by their journal, for its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drillmark.engine.paths import WorkspacePaths
from drillmark.journal.opening import open_store
from drillmark.model.entry import Kind
from drillmark.telling.metrics import RunMetrics, WorkerMetrics


@dataclass(slots=True)
class _Followed:
    listener: RunMetrics
    seen: int = 0


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
            self._followed.setdefault(run, _Followed(self.metrics.listener(workspace.runs)))
        if not self._followed:
            return
        store = open_store(workspace)
        try:
            for run, followed in list(self._followed.items()):
                entries = store.read(run)
                for entry in entries[followed.seen :]:
                    followed.listener.entry(entry, "")
                followed.seen = len(entries)
                ended = any(entry.kind is Kind.RUN_ENDED for entry in entries)
                if ended or (run not in under_way and not entries):
                    del self._followed[run]
        finally:
            store.close()
