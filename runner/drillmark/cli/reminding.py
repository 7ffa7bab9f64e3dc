"""Notifications of what is overdue, beside a worker: a drill that was missed, a quarter that ends without a pass.

Each drill is told of once a day, by one worker of the fleet. Must never stop or slow the worker: a thread of its own.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drillmark.cli.beside import looking

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
        self._missed: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._waiting: dict[str, str] = {}
        self._looked: date | None = None
        self._tell_again = 0.0

    def missed(self, late: Late) -> None:
        """A drill could not begin within its time. Returns at once."""
        self._missed.put((late.drill, f"{late.occurrence} did not run: {late.says}"))

    def look(self) -> None:
        """Tell what is new. Without the database it waits: somebody else may have told it."""
        from drillmark import telling
        from drillmark.fleet import overdue

        while not self._missed.empty():
            drill, reason = self._missed.get()
            self._waiting[drill] = reason
        today = self._today()
        if self._looked != today:
            self._looked = today
            for drill, reason in self._undrilled(today):
                self._waiting.setdefault(drill, reason)
        self._tell_what_waited()
        if not self._waiting:
            return
        mine = overdue.to_be_told(self._database, self._waiting, today)
        if mine is None:
            return
        messages = [telling.overdue(drill, self._waiting[drill]) for drill in mine]
        self._waiting = {}
        if messages:
            for text in telling.tell(self._settings, os.environ, messages, root=self._root, on_outcome=self.on_outcome):
                self._say(text)

    def _tell_what_waited(self) -> None:
        """What waited for the end of the quiet hours: a drill that runs in them every night would never tell it."""
        from drillmark import telling

        now = time.monotonic()
        if now >= self._tell_again and telling.is_due(self._settings, root=self._root):
            self._tell_again = now + _AGAIN_SECONDS
            for text in telling.tell(self._settings, os.environ, [], root=self._root):
                self._say(text)

    def _undrilled(self, today: date) -> list[tuple[str, str]]:
        """The drills of tier-1 targets that none has passed on this quarter, in its last thirty days."""
        from drillmark import schedule_runs
        from drillmark.errors import DrillmarkError

        try:
            found = [one for one in schedule_runs.overdue(self._root, today) if one.ends_soon]
        except DrillmarkError as error:
            self._say(f"what is overdue cannot be told: {error}")
            return []
        told: list[tuple[str, str]] = []
        for one in found:
            reason = f"{one.target} has no passing drill in {one.quarter.name}, which ends on {one.quarter.last}"
            told += [(drill, reason) for drill in one.drills or (one.target,)]
        return told


@contextmanager
def beside(reminder: Reminder, settings: Settings, say: Callable[[str], None]) -> Generator[None]:
    """Tell for as long as a worker works, where there is anybody to be told."""
    if not settings.notifications.channels:
        yield
        return
    with looking("reminder", reminder.look, say, "what is overdue could not be told"):
        yield
