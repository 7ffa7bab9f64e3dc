"""What a face shows while a drill runs, computed from the tails of the sample files. Decides nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drillmark import clock, files, samples
from drillmark.engine.paths import RunPaths
from drillmark.engine.view import BeatState, RecoveryProgress
from drillmark.errors import SampleFileError
from drillmark.model.evidence import Table

if TYPE_CHECKING:
    from drillmark.samples import Tail

_STRIP = 60
_WINDOW_NS = 5_000_000_000


@dataclass(slots=True)
class LoadNow:
    """The load over the last seconds."""

    per_second: float
    errors_per_second: float
    p50_seconds: float
    p95_seconds: float


@dataclass(slots=True)
class Tails:
    """Follows the sample files of a running drill."""

    paths: RunPaths
    ledgers: tuple[str, ...] = ()
    load_parts: int = 0
    writes_acknowledged: int | None = None
    users_at_ns: int | None = None
    _beats: dict[int, bool] = field(default_factory=dict[int, bool])
    _load: deque[Table] = field(default_factory=deque[Table])
    _parts: list[str] = field(default_factory=list[str])
    _tails: dict[str, Tail] = field(default_factory=dict[str, "Tail"])

    def follow(self) -> None:
        """Read what is new."""
        for beats in self._new("beats"):
            for number, ok in zip(beats["beat"].tolist(), beats["ok"].tolist(), strict=True):
                self._beats[number] = self._beats.get(number, True) and bool(ok)
            for number in sorted(self._beats)[: -2 * _STRIP]:
                del self._beats[number]
        for name in self.ledgers:
            for ledger in self._new(name):
                acknowledged = int((ledger["kind"] == samples.LedgerKind.ACKNOWLEDGED).sum())
                self.writes_acknowledged = (self.writes_acknowledged or 0) + acknowledged
        for users in self._new("load-users"):
            self.users_at_ns = int(users["at_ns"][-1])
        for name in ("load", *self._load_names()):
            for load in self._new(name):
                self._load.append(load)
                self._forget_old_load()
        self._forget_old_load()

    def _forget_old_load(self) -> None:
        horizon = clock.monotonic_ns() - _WINDOW_NS
        while self._load and int(self._load[0]["start_ns"][-1]) < horizon:
            self._load.popleft()

    def strip(self) -> tuple[BeatState, ...]:
        """The last beats, oldest first; slots without a beat are absent."""
        if not self._beats:
            return ()
        newest = max(self._beats)
        first = max(min(self._beats), newest - _STRIP + 1)
        states: list[BeatState] = []
        for number in range(first, newest + 1):
            ok = self._beats.get(number)
            states.append("absent" if ok is None else "good" if ok else "bad")
        return tuple(states)

    def load(self) -> LoadNow | None:
        """The load over the last five seconds, or None where there is none."""
        if not self._load:
            return None
        import numpy as np  # noqa: PLC0415 - where there is no load, nobody waits for it

        start = np.concatenate([table["start_ns"] for table in self._load])
        latency = np.concatenate([table["latency_ns"] for table in self._load])
        ok = np.concatenate([table["ok"] for table in self._load])
        recent = start + latency >= clock.monotonic_ns() - _WINDOW_NS
        if not recent.any():
            return LoadNow(0.0, 0.0, 0.0, 0.0)
        seconds = _WINDOW_NS / 1e9
        p50, p95 = np.percentile(latency[recent] / 1e9, [50, 95])
        failed = np.count_nonzero(ok[recent] == 0)
        return LoadNow(float(recent.sum() / seconds), float(failed / seconds), float(p50), float(p95))

    def recovery(self) -> RecoveryProgress | None:
        """What the recovery activity last said."""
        lines = files.read_json_lines(self.paths.progress)
        if not lines:
            return None
        line = lines[-1]
        return RecoveryProgress(
            stage=str(line.get("stage", "")),
            bytes_done=line.get("bytes"),
            bytes_total=line.get("bytes_total"),
            rate_bytes_per_second=line.get("rate_bytes_per_second"),
            text=str(line.get("text", "")),
        )

    def _load_names(self) -> list[str]:
        """The files of a load in several processes, as they appear; of those here, that is: they have our clock."""
        if self.load_parts and len(self._parts) < self.load_parts:
            names = [f"load-{number}" for number in range(1, self.load_parts + 1)]
            self._parts = [name for name in names if self.paths.sample(name).exists()]
        return self._parts

    def _new(self, name: str) -> Iterator[Table]:
        """What came since the last look, piece by piece: whoever takes up a long run begins with hours of samples."""
        if name not in self._tails:
            if not self.paths.sample(name).exists():
                return
            self._tails[name] = samples.Tail(self.paths.sample(name))
        with suppress(SampleFileError):
            yield from (table for table in self._tails[name].pieces() if len(table))
