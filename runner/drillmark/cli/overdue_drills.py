"""Which drills are overdue and why, as `/metrics` shows it and people are told of it. Wires; decides nothing.

A drill that was missed and has not run to a verdict since; and one whose tier-1 target has no pass in a quarter that
ends soon. What cannot be asked is not known, which is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drillmark.errors import DrillmarkError

if TYPE_CHECKING:
    from drillmark.fleet.worker import Worker

_MISSED_SECONDS = 60.0
# For the quarter's passes all of its runs are read.
_QUARTER_SECONDS = 3600.0


class Reasons:
    """Why each of them is overdue. What concerns the quarter may be an hour old."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._undrilled: dict[str, str] = {}
        self._day: date | None = None
        self._at = 0.0

    def look(self, today: date) -> dict[str, str]:
        """Drill -> reason; a target that no drill is for stands under its own name. Raises DrillmarkError."""
        from drillmark import schedule_runs

        if self._day != today or time.monotonic() - self._at >= _QUARTER_SECONDS:
            self._undrilled = schedule_runs.undrilled_soon(self._root, today)
            self._day, self._at = today, time.monotonic()
        return self._undrilled | {one.drill: one.reason for one in schedule_runs.missed(self._root)}


class Overdue:
    """Asks now and then, and at once where there are other drills."""

    def __init__(self, worker: Worker, say: Callable[[str], None]) -> None:
        self._worker = worker
        self._say = say
        self._reasons = Reasons(worker.root)
        self._known: dict[str, bool] = {}
        self._drills: set[str] = set()
        self._at = -_MISSED_SECONDS
        self._complained = ""

    def look(self) -> Mapping[str, bool]:
        """Drill -> whether it is overdue; empty where that cannot be told."""
        drills = {one.drill.id for one in self._worker.planned()}
        if drills == self._drills and time.monotonic() - self._at < _MISSED_SECONDS:
            return self._known
        self._drills, self._at = drills, time.monotonic()
        try:
            late = self._reasons.look(datetime.now(tz=UTC).date())
        except DrillmarkError as error:
            if str(error) != self._complained:
                self._say(f"what is overdue is not known: {error}")
            self._known, self._complained = {}, str(error)
        else:
            self._known, self._complained = {drill: drill in late for drill in drills | late.keys()}, ""
        return self._known
