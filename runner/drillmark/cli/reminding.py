"""Notifications of what is overdue, beside a worker: a drill that was missed, a quarter that ends without a pass.

Each drill is told of once a day, by one worker of the fleet. Must never stop or slow the worker: a thread of its own.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drillmark.cli.beside import looking
from drillmark.cli.overdue_drills import Reasons

if TYPE_CHECKING:
    from drillmark.define.settings import Settings
    from drillmark.fleet.database import Database
    from drillmark.fleet.overdue import Late
    from drillmark.telling.posting import OnOutcome

# What waited and cannot be told is tried again after so long: a dead channel is reported each time.
_AGAIN_SECONDS = 600.0


def _today() -> date:
    return datetime.now(tz=UTC).date()


class Reminder:
    """Knows what is to be told, and has told what nobody told today. `on_outcome` hears how each message went."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        database: Database,
        say: Callable[[str], None],
        today: Callable[[], date] = _today,
    ) -> None:
        self._root = root
        self._settings = settings
        self._database = database
        self._say = say
        self._today = today
        self.on_outcome: OnOutcome | None = None
        self._reasons = Reasons(root)
        self._missed: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._new: dict[str, str] = {}
        self._asked: date | None = None
        self._tell_again = 0.0

    def missed(self, late: Late) -> None:
        """A drill could not begin within its time. Returns at once."""
        self._missed.put((late.drill, late.reason))

    def look(self) -> None:
        """Tell what is new. What one part of it runs into is raised after the others, and the next look tries again."""
        today = self._today()
        while not self._missed.empty():
            drill, reason = self._missed.get()
            self._new[drill] = reason
        try:
            if self._asked != today:
                self._new = self._reasons.look(today) | self._new
                self._asked = today
        finally:
            try:
                self._hand_on(today)
            finally:
                self._tell_what_waits()

    def _hand_on(self, today: date) -> None:
        """What nobody told today waits on disk before it is marked as told: no kill and no dead channel loses it."""
        from drillmark import telling
        from drillmark.fleet import overdue

        def keep(drills: Sequence[str]) -> None:
            messages = [telling.overdue(drill, self._new[drill]) for drill in drills]
            telling.keep(self._settings, messages, root=self._root, on_outcome=self.on_outcome)

        if not self._new:
            return
        mine = overdue.hand_on(self._database, self._new, today, keep)
        if mine is not None:
            self._new = {}
        if mine:
            self._tell_again = 0.0

    def _tell_what_waits(self) -> None:
        """Also what others left, as in quiet hours: a drill that runs in them every night would never tell it."""
        from drillmark import telling

        now = time.monotonic()
        if now >= self._tell_again and telling.is_due(self._settings, root=self._root):
            self._tell_again = now + _AGAIN_SECONDS
            for text in telling.tell(self._settings, os.environ, [], root=self._root, on_outcome=self.on_outcome):
                self._say(text)


@contextmanager
def beside(reminder: Reminder, settings: Settings, say: Callable[[str], None]) -> Generator[None]:
    """Tell for as long as a worker works, where there is anybody to be told."""
    if not settings.notifications.channels:
        yield
        return
    with looking("reminder", reminder.look, say, "what is overdue could not be told"):
        yield
