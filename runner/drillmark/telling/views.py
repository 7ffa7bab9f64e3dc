"""The views of one run as one: its face, and beside it whoever else is to hear of it.

The face is served first and in the caller's thread, as it always was; every other listener has a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from drillmark.engine.view import Live, View
from drillmark.model.entry import Entry
from drillmark.telling.beside import Beside, Listener, Reports

CLOSE_SECONDS = 10.0


class Views:
    """A view that tells several. Listeners that fail are told of on the face, never to the drill."""

    def __init__(
        self, face: View, listeners: Sequence[Listener], reports: Reports, *, close_seconds: float = CLOSE_SECONDS
    ) -> None:
        self._face = face
        self._reports = reports
        self._besides = [Beside(listener, reports) for listener in listeners]
        self._close_seconds = close_seconds

    def entry(self, entry: Entry, sentence: str) -> None:
        """Tell all."""
        self._face.entry(entry, sentence)
        for beside in self._besides:
            beside.entry(entry, sentence)

    def tick(self, live: Live) -> None:
        """Tell all; and say, in this thread, what listeners have to complain of."""
        self._face.tick(live)
        for beside in self._besides:
            beside.tick(live)
        self._say_reports()

    def notice(self, text: str) -> None:
        """For whoever looks at the face."""
        self._face.notice(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for beside in self._besides:
            beside.close()
        deadline = time.monotonic() + self._close_seconds
        for beside in self._besides:
            beside.join(deadline)
        self._say_reports()

    def _say_reports(self) -> None:
        for text in self._reports.take():
            self._face.notice(f"warning: {text}")
