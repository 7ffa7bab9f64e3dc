"""Whether a worker is well, as `/healthz` tells it: what must be heard of in time, and what is wrong now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Health:
    """The health of one worker. Safe to use from several threads.

    Attributes:
        silent_after_seconds: how old the last heartbeat may be.
    """

    silent_after_seconds: float = 180.0
    monotonic: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _heard: float | None = None
    _began: float = 0.0
    _problems: dict[str, str] = field(default_factory=dict[str, str])
    _draining: bool = False

    def __post_init__(self) -> None:
        self._began = self.monotonic()

    def heartbeat(self) -> None:
        """The calendar was looked at."""
        with self._lock:
            self._heard = self.monotonic()

    def problem(self, name: str, text: str) -> None:
        """Something is wrong (the database cannot be reached, say); an empty text: it is not any more."""
        with self._lock:
            if text:
                self._problems[name] = text
            else:
                self._problems.pop(name, None)

    def drain(self) -> None:
        """It ends what it does and takes nothing new: that is no illness, and said."""
        with self._lock:
            self._draining = True

    def as_json(self) -> dict[str, object]:
        """`ok`, and why not."""
        with self._lock:
            silent = self.monotonic() - (self._began if self._heard is None else self._heard)
            problems = dict(self._problems)
            if silent > self.silent_after_seconds and not self._draining:
                problems["heartbeat"] = f"none for {silent:.0f} s"
            return {"ok": not problems, "problems": problems, "draining": self._draining}
