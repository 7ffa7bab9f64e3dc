"""Whether a window is open. Pure: the moment is handed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from drillmark.model.plan import PlannedWindow

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_open(window: PlannedWindow, now: datetime) -> bool:
    """Whether a run may begin at `now`. A window over midnight belongs to the day on which it opens."""
    local = now.astimezone(ZoneInfo(window.time_zone))
    days = days_of(window.days)
    clock = f"{local:%H:%M}"
    yesterday = (local - timedelta(days=1)).weekday()
    if window.opens < window.closes:
        return local.weekday() in days and window.opens <= clock < window.closes
    return (local.weekday() in days and clock >= window.opens) or (yesterday in days and clock < window.closes)


def days_of(text: str | None) -> frozenset[int]:
    """Days of the week, Monday is 0: `tue-thu,sat`. A range may go over the week's end: `sat-mon`."""
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(found)


def words(window: PlannedWindow) -> str:
    """The window as people say it."""
    days = "every day" if window.days is None else window.days
    return f"{days} {window.opens} to {window.closes} ({window.time_zone})"
