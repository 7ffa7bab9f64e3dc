"""Draws from a thread of its own, so that a terminal that takes nothing (Ctrl-S, a full pipe) stops no drill.

Lines wait in a bounded queue, frames replace each other. Where drawing fails, it falls silent and keeps the reason.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

_WAITING_LINES = 1000
_CLOSE_SECONDS = 2.0


class Painter:
    """Runs drawing actions one after another in a daemon thread."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._lines: deque[Callable[[], object]] = deque(maxlen=_WAITING_LINES)
        self._frame: Callable[[], object] | None = None
        self._closing = False
        self.failure = ""
        self._thread = threading.Thread(target=self._work, name="drillmark-painter", daemon=True)
        self._thread.start()

    def line(self, draw: Callable[[], object]) -> None:
        """Draw this after all that came before."""
        with self._wake:
            self._lines.append(draw)
            self._wake.notify()

    def frame(self, draw: Callable[[], object]) -> None:
        """Draw this instead of a frame that still waits."""
        with self._wake:
            self._frame = draw
            self._wake.notify()

    def close(self) -> bool:
        """Draw what waits and end; returns False where the terminal takes nothing."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(_CLOSE_SECONDS)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (self._lines or self._frame or self._closing):
                    self._wake.wait()
                if self._lines:
                    draw = self._lines.popleft()
                elif self._frame:
                    draw, self._frame = self._frame, None
                else:
                    return
            self._draw(draw)

    def _draw(self, draw: Callable[[], object]) -> None:
        if self.failure:
            return
        try:
            draw()
        except Exception as error:  # noqa: BLE001 - whatever a terminal does, the drill goes on
            self.failure = f"{type(error).__name__}: {error}"
