"""Whether what waits may begin at this moment: its window, its blackouts and pauses, asked when it is given out.

Its row was written a minute before its time, and it may have waited since, for a target, for a worker or for its next
attempt. Must never start or end anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drillmark import calendar
from drillmark.decisions import State
from drillmark.errors import DrillmarkError
from drillmark.fleet.plans import Plans
from drillmark.fleet.wishes import Wishes, is_wished


@dataclass(slots=True)
class Hours:
    """Those of the drills of a workspace."""

    plans: Plans
    wishes: Wishes

    def against(self, rows: Sequence[Mapping[Any, Any]], moment: float) -> dict[str, str]:
        """Why some of these occurrences must not begin now. What is to be undone, or was triggered, always may."""
        asked = [row for row in rows if not row["taking_over"] and not is_wished(row["occurrence"])]
        if not asked:
            return {}
        at = datetime.fromtimestamp(moment, tz=UTC)
        try:
            decided = self.wishes.state(at)
        except DrillmarkError as error:
            return {row["occurrence"]: f"whether it is paused cannot be told: {error}" for row in asked}
        found = {row["occurrence"]: self._of(row["source"], row["drill"], at, decided) for row in asked}
        return {name: words for name, words in found.items() if words}

    def _of(self, source: str, drill: str, at: datetime, decided: State) -> str:
        pause = decided.paused.get(drill)
        if pause is not None:
            return pause.words
        planned = self.plans.one(source)
        if planned is None:
            return ""  # the file went since: whoever gets it says so
        if isinstance(planned, str):
            return planned
        try:
            shut = calendar.shut_at(planned.schedule, at, blackouts=planned.files)
        except DrillmarkError as error:
            return str(error)
        return f"now is {shut.words}" if shut else ""
