"""The window of a schedule: the hours, read on the wall clock of its zone, in which a run may begin.

A window that closes earlier than it opens reaches into the next day; its `days` are those on which it opens. Must
never know what is due.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from drillmark.calendar.zones import instant, is_twice, local
from drillmark.define.schedule import Window

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)


@lru_cache(maxsize=1024)
def days_of(text: str | None) -> frozenset[int]:
    """The weekdays of a text such as `tue-thu` or `fri-mon,wed`; Monday is 0. All of them where there is none."""
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(found)


def is_open(window: Window, at: datetime, tz: ZoneInfo) -> bool:
    """Whether the window is open at that instant."""
    return opened_on(window, local(at, tz)) is not None


def closes(window: Window, at: datetime, tz: ZoneInfo) -> datetime:
    """When the window that is open at that instant closes."""
    day = opened_on(window, local(at, tz))
    assert day is not None, "the window is shut"
    opens_at, closes_at = time.fromisoformat(window.from_), time.fromisoformat(window.to)
    wall = datetime.combine(day if closes_at > opens_at else day + _DAY, closes_at)
    first = instant(wall, tz)
    return first if first > at or not is_twice(wall, tz) else instant(wall, tz, second=True)


def opens_on(window: Window, day: date) -> datetime | None:
    """The local time at which the window opens on that day; None if it does not."""
    if day.weekday() not in days_of(window.days):
        return None
    return datetime.combine(day, time.fromisoformat(window.from_))


def opened_on(window: Window, wall: datetime) -> date | None:
    """The day on which the window opened that is open at that local time; None where it is shut."""
    opens_at, closes_at = time.fromisoformat(window.from_), time.fromisoformat(window.to)
    clock, day = wall.time(), wall.date()
    if opens_at < closes_at:
        inside = opens_at <= clock < closes_at
    else:
        inside = clock >= opens_at or clock < closes_at
        day = day if clock >= opens_at else day - _DAY
    return day if inside and day.weekday() in days_of(window.days) else None


def parts(window: Window) -> list[range]:
    """The window in minutes of the day; one that reaches into the next day has two parts."""
    opens_at, closes_at = (
        clock.hour * 60 + clock.minute for clock in map(time.fromisoformat, (window.from_, window.to))
    )
    return [range(opens_at, closes_at)] if opens_at < closes_at else [range(opens_at, 24 * 60), range(closes_at)]
