"""Cron lines for schedulers that know less than ours: each fires at least whenever the drill is due.

What they cannot say (`tue#1`, `L`, windows, blackouts, the first free day of a quarter, a zone) is left to `drillmark
schedule run`, which asks again and runs only what is due. Must never leave out a time at which the drill is due.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import cast

from croniter import croniter

from drillmark.calendar.windows import days_of
from drillmark.calendar.zones import zone
from drillmark.define.schedule import RunWithin, Schedule

_MONTHS = {"quarter": (1, 4, 7, 10), "half": (1, 7), "year": (1,)}
_LAST_DAYS = (28, 29, 30, 31)
_HOUR_SECONDS = 3600
_DAY_MINUTES = 24 * 60
_TWO_YEARS = 730

Numbers = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Fields:
    """The five fields as numbers; None is any. Sunday is 0."""

    minute: Numbers
    hour: Numbers
    day: Numbers = None
    month: Numbers = None
    weekday: Numbers = None

    def __str__(self) -> str:
        """As every cron reads it."""
        each = (self.minute, self.hour, self.day, self.month, self.weekday)
        return " ".join("*" if field is None else ",".join(map(str, field)) for field in each)


def fields(schedule: Schedule) -> Fields:
    """One line on the schedule's own clock."""
    if schedule.cron is not None:
        found = croniter.expand(schedule.cron)[0]
        minute, hour, day, month, weekday = (
            None if part == ["*"] else tuple(cast("int", each) for each in part if each != "l") for part in found
        )
        if "l" in found[2]:
            day = tuple(sorted({*(day or ()), *_LAST_DAYS}))
        return Fields(minute, hour, day, month, weekday)
    window = schedule.window
    at = time.fromisoformat(window.from_) if window else time(3)
    weekdays = days_of(window.days) if window and window.days else None
    # A blackout that ends while the window is open moves the start within it: then every hour is asked.
    moves = schedule.window is not None and bool(schedule.blackouts)
    made = Fields((at.minute,), None if moves else (at.hour,), weekday=None if moves else _from_sunday(weekdays))
    if window or schedule.blackouts or schedule.every == "night":
        return made  # any day of the period may be the first free one
    if schedule.every == "week":
        return replace(made, weekday=(1,))
    return replace(made, day=(1,), month=_MONTHS.get(schedule.every or ""))


def in_utc(schedule: Schedule, now: datetime) -> list[Fields]:
    """Lines for a scheduler that knows UTC alone: one time of day for each offset that the zone will have."""
    made, offsets = fields(schedule), _offsets(schedule, now)
    if offsets == {timedelta()}:
        return [made]
    minutes = made.minute if made.minute is not None else tuple(range(60))
    hours = made.hour if made.hour is not None else tuple(range(24))
    clocks = [hour * 60 + minute for hour in hours for minute in minutes]
    shifted = {clock - offset // timedelta(minutes=1) for clock in clocks for offset in offsets}
    rest = made
    if any(not 0 <= each < _DAY_MINUTES for each in shifted):
        rest = replace(made, day=None, month=None, weekday=None)  # it is another day there
    by_minute: dict[int, set[int]] = {}
    for each in shifted:
        by_minute.setdefault(each % 60, set()).add(each // 60 % 24)
    by_hours: dict[tuple[int, ...], list[int]] = {}
    for minute, found in sorted(by_minute.items()):
        by_hours.setdefault(tuple(sorted(found)), []).append(minute)
    return [replace(rest, minute=tuple(each), hour=found) for found, each in by_hours.items()]


def within_seconds(schedule: Schedule) -> int:
    """How late a start may be that another scheduler makes: what `missed` allows, at least an hour, and the jitter."""
    allowed = schedule.missed.run_within if isinstance(schedule.missed, RunWithin) else 0.0
    return int(max(allowed, _HOUR_SECONDS) + (schedule.jitter or 0.0))


def within_seconds_anew(schedule: Schedule, now: datetime) -> int:
    """The same for one that begins with a fresh checkout and knows nothing of earlier runs.

    It must not take a start for one that is late, which another of its own starts has served already.
    """
    offsets = sorted(_offsets(schedule, now))
    between = [int((later - sooner).total_seconds()) for sooner, later in pairwise(offsets)]
    return min(within_seconds(schedule), *(span - 60 for span in (*between, _HOUR_SECONDS)))


def _offsets(schedule: Schedule, now: datetime) -> set[timedelta]:
    """Every offset from UTC that the schedule's zone has in the coming two years."""
    tz = zone(schedule.time_zone)
    return {(now + timedelta(days=day)).astimezone(tz).utcoffset() or timedelta() for day in range(_TWO_YEARS)}


def _from_sunday(weekdays: frozenset[int] | None) -> Numbers:
    return None if weekdays is None else tuple(sorted((day + 1) % 7 for day in weekdays))
