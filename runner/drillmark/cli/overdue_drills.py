"""Which drills are overdue, as `/metrics` shows it and people are told of it. Wires; decides nothing.

A drill that was missed and has not run to a verdict since; and one whose tier-1 target has no pass in a quarter that
ends soon. What cannot be asked is not known, which is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from drillmark.errors import DrillmarkError

if TYPE_CHECKING:
    from drillmark.fleet.worker import Worker

_MISSED_SECONDS = 60.0
# For the quarter's passes all of its runs are read.
_QUARTER_SECONDS = 3600.0


class Overdue:
    """Asks now and then, and at once where there are other drills."""

    def __init__(self, worker: Worker, say: Callable[[str], None]) -> None:
        self._worker = worker
        self._say = say
        self._known: dict[str, bool] = {}
        self._drills: set[str] = set()
        self._at = -_MISSED_SECONDS
        self._undrilled: set[str] = set()
        self._quarter_at = -_QUARTER_SECONDS
        self._complained = ""

    def look(self) -> Mapping[str, bool]:
        """Drill -> whether it is overdue; empty where that cannot be told."""
        drills = {one.drill.id for one in self._worker.planned()}
        if drills == self._drills and time.monotonic() - self._at < _MISSED_SECONDS:
            return self._known
        self._drills, self._at = drills, time.monotonic()
        try:
            late = self._late()
        except DrillmarkError as error:
            if str(error) != self._complained:
                self._say(f"what is overdue is not known: {error}")
            self._known, self._complained = {}, str(error)
        else:
            self._known, self._complained = {drill: drill in late for drill in drills | late}, ""
        return self._known

    def _late(self) -> set[str]:
        from drillmark import schedule_runs

        root = self._worker.root
        if time.monotonic() - self._quarter_at >= _QUARTER_SECONDS:
            found = schedule_runs.overdue(root, datetime.now(tz=UTC).date())
            self._undrilled = {drill for one in found if one.ends_soon for drill in one.drills}
            self._quarter_at = time.monotonic()
        return {one.drill for one in schedule_runs.missed(root)} | self._undrilled
