"""A listener in a thread of its own, beside the drill: what it does, and how long that takes, is no drill's business.

Entries wait in a bounded queue, ticks replace each other. What does not fit is dropped and counted; a listener that
raises is told of and goes on, one that does nothing else falls silent. Must never raise, wait or stop a drill.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from drillmark.engine.view import Live
from drillmark.model.entry import Entry

_WAITING_ENTRIES = 2000
_FAILURES_IN_A_ROW = 20


class Listener(Protocol):
    """Hears of a drill, in a thread of its own. It may raise, and may take its time."""

    @property
    def name(self) -> str:
        """What people call it, where it has to be said that it failed."""
        ...

    def entry(self, entry: Entry, sentence: str) -> None:
        """An entry was journalled."""

    def tick(self, live: Live) -> None:
        """About twice a second, or less often where this listener is slow."""

    def close(self) -> None:
        """The drill is over: send what waits. Whoever waits for it does so only for some seconds."""


class Reports:
    """What is to be said of listeners that fail: each text once, collected for a thread that may show it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: set[str] = set()
        self._new: list[str] = []

    def add(self, text: str) -> None:
        """Say this, unless it was said before."""
        with self._lock:
            if text not in self._said:
                self._said.add(text)
                self._new.append(text)

    def take(self) -> list[str]:
        """What is new since the last call."""
        with self._lock:
            new, self._new = self._new, []
        return new


@dataclass(frozen=True, slots=True)
class _Said:
    entry: Entry
    sentence: str


class Beside:
    """Runs one listener. Its own methods return at once."""

    def __init__(self, listener: Listener, reports: Reports, *, waiting: int = _WAITING_ENTRIES) -> None:
        self._listener = listener
        self._reports = reports
        self._waiting = waiting
        self._wake = threading.Condition()
        self._entries: deque[_Said] = deque()
        self._tick: Live | None = None
        self._closing = False
        self._failures = 0
        self.dropped = 0
        # A daemon: a listener that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=f"drillmark-{listener.name}", daemon=True)
        self._thread.start()

    def entry(self, entry: Entry, sentence: str) -> None:
        """Let it hear of an entry, in its turn."""
        with self._wake:
            if self._failures >= _FAILURES_IN_A_ROW or len(self._entries) >= self._waiting:
                self.dropped += 1
                return
            self._entries.append(_Said(entry, sentence))
            self._wake.notify()

    def tick(self, live: Live) -> None:
        """Let it hear of the moment, unless a newer one comes before it has time."""
        with self._wake:
            self._tick = live
            self._wake.notify()

    def close(self) -> None:
        """Nothing more comes; do not wait."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def join(self, deadline: float) -> None:
        """Wait until it has heard everything and closed, at most until then (`time.monotonic`); say what it missed."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        name = self._listener.name
        with self._wake:
            left = len(self._entries)
        if self._thread.is_alive():
            unheard = f", and has not heard of {left} entries" if left else ""
            self._reports.add(f"{name} did not end in time{unheard}")
        if self.dropped:
            self._reports.add(f"{name} was too slow, or failed too often: {self.dropped} entries were dropped")

    def _work(self) -> None:
        while (item := self._next()) is not None:
            try:
                if isinstance(item, _Said):
                    self._listener.entry(item.entry, item.sentence)
                else:
                    self._listener.tick(item)
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - whatever a channel or a library does: the drill goes on
                self._fail(error)
        try:
            self._listener.close()
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _next(self) -> _Said | Live | None:
        with self._wake:
            while not self._entries and self._tick is None and not self._closing:
                self._wake.wait()
            if self._entries:
                return self._entries.popleft()
            tick, self._tick = self._tick, None
            return tick

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        self._reports.add(f"{self._listener.name} failed: {type(error).__name__}: {error}"[:500])
