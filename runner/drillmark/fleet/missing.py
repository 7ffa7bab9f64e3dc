"""Ends what could not begin within its time, each once its gap is filed: no failure, and no death in between, loses it.

Two workers that are at one and the same file the same gap, which changes nothing, and one of them ends it. Must never
hold a transaction open while a gap is filed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drillmark.errors import DrillmarkError, GapRegisterError
from drillmark.fleet import overdue
from drillmark.fleet.database import Database
from drillmark.fleet.overdue import Late

# Files the gap of one and returns what it did, in words. What it raises (DrillmarkError, OSError) leaves that one as it
# is: at the next heartbeat it is called again, by this worker or another.
Filing = Callable[[Late], str]


@dataclass(slots=True)
class Missing:
    """What is missed in a fleet, as one worker ends it. Each thing that hinders it is told once."""

    database: Database
    say: Callable[[str], None]
    _told: dict[str, str] = field(default_factory=dict[str, str])

    def end(self, file: Filing) -> None:
        """End some of them. Where the gap of one cannot be filed, others of that drill wait for the next time too."""
        hindered: set[str] = set()
        for late in overdue.too_late(self.database):
            if late.source in hindered:
                continue
            try:
                done = file(late)
            except GapRegisterError as error:
                self._tell(late, error)
                return  # and so it would be with all others
            except (DrillmarkError, OSError) as error:
                self._tell(late, error)
                hindered.add(late.source)
                continue
            self._told.pop(late.source, None)
            if overdue.end_missed(self.database, late):
                self.say(f"{late.occurrence}: {late.says}" + (f"; {done}" if done else ""))

    def _tell(self, late: Late, error: Exception) -> None:
        if self._told.get(late.source) != str(error):
            self._told[late.source] = str(error)
            self.say(f"{late.occurrence}: its gap cannot be filed yet: {error}")
