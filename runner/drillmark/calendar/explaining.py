"""A sentence for people: why a drill runs at a time, or does not, as far as its schedule decides.

What happened to an occurrence (a run, a lock, an approval) is known elsewhere and told there. Must never guess it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from drillmark.calendar.blackouts import CalendarFile
from drillmark.calendar.occurring import nominal, occurrence
from drillmark.calendar.zones import zone
from drillmark.define.schedule import Schedule

# The rarest line that runs at all, one of leap days, comes once in eight years (1896 to 1904, 2096 to 2104).
_HORIZON = timedelta(days=8 * 366)


def explain(schedule: Schedule, drill: str, at: datetime, *, blackouts: Sequence[CalendarFile] = ()) -> str:
    """Whether an occurrence is due at that minute, and if not, why not and when the next one is."""
    minute = at.replace(second=0, microsecond=0)
    before = minute - timedelta(seconds=1)
    for due, shut in nominal(schedule, after=before, until=minute, blackouts=blackouts):
        told = f"{drill} is due at {when(due, schedule)} by {rule(schedule)}"
        if shut is not None:
            return f"{told}, but does not run: that is {shut.words}."
        start = occurrence(schedule, drill, due, blackouts=blackouts).start
        late = f", and begins at {start:%H:%M:%S}Z (jitter)" if start != due else ""
        return f"{told}{late}."
    following = next_one(schedule, drill, minute, blackouts=blackouts)
    return f"{drill} is not due at {when(minute, schedule)} by {rule(schedule)}; {following}."


def next_one(schedule: Schedule, drill: str, after: datetime, *, blackouts: Sequence[CalendarFile] = ()) -> str:
    """The next time that the drill is due, in words."""
    del drill
    horizon = after + _HORIZON
    for due, shut in nominal(schedule, after=after, until=horizon, blackouts=blackouts):
        if shut is None:
            return f"it is next due at {when(due, schedule)}"
    return "it is not due in the next eight years"


def rule(schedule: Schedule) -> str:
    """The schedule's rule, as it is written."""
    return f'cron "{schedule.cron}"' if schedule.cron is not None else f"every: {schedule.every}"


def when(at: datetime, schedule: Schedule) -> str:
    """An instant on the schedule's own clock, with its offset: `Tue 2027-01-05 03:00 +01:00`."""
    there = at.astimezone(zone(schedule.time_zone))
    offset = f"{there:%z}"
    return f"{there:%a %Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"
