"""When a drill runs by its schedule: nominal times, and which of them window and blackouts shut out.

A cron line names its times itself: one that falls outside the window or into a blackout does not run. `every` names a
period: its drill runs once in it, at the first moment that the window and the blackouts allow. Must never know what
ran, or what time it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from drillmark import periods
from drillmark.calendar import blackouts as shutting
from drillmark.calendar import cron, windows
from drillmark.calendar.blackouts import CalendarFile
from drillmark.calendar.zones import instant, is_twice, local, zone
from drillmark.define.schedule import Schedule
from drillmark.errors import UsageError

# Where no window says when: after midnight's jobs, before anybody works, and not within the hour that a clock skips.
HOUR_OF_EVERY = time(3)
_DAY = timedelta(days=1)
_BACK = timedelta(hours=3)  # further than clocks are ever put back


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time at which a drill runs. `due` is the nominal time, `start` is later by the jitter; both are in UTC."""

    drill: str
    due: datetime
    start: datetime

    @property
    def id(self) -> str:
        """What tells it from every other one, on every machine."""
        return f"{self.drill}@{self.due:%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True, slots=True)
class Shut:
    """Why nothing begins at an instant: `by` is `window` or `blackout`; `until`: when it ends, if known."""

    by: str
    words: str
    until: datetime | None = None


def occurrences(
    schedule: Schedule, drill: str, *, after: datetime, until: datetime, blackouts: Sequence[CalendarFile] = ()
) -> Iterator[Occurrence]:
    """What is due later than `after` and not later than `until`, in order. `blackouts`: the schedule's calendar files.

    Raises UsageError where the schedule names calendar files and they were not handed in.
    """
    for due, shut in nominal(schedule, after=after, until=until, blackouts=blackouts):
        if shut is None:
            yield occurrence(schedule, drill, due, blackouts=blackouts)


def occurrence(schedule: Schedule, drill: str, due: datetime, *, blackouts: Sequence[CalendarFile] = ()) -> Occurrence:
    """The occurrence of that nominal time, with the jitter that it always has."""
    jitter = timedelta(seconds=schedule.jitter or 0.0)
    if jitter and schedule.window is not None and not shut_at(schedule, due, blackouts=blackouts):
        jitter = min(jitter, windows.closes(schedule.window, due, zone(schedule.time_zone)) - due)
    plain = Occurrence(drill, due, due)
    seed = int.from_bytes(hashlib.sha256(plain.id.encode()).digest()[:8], "big") / 2**64
    start = due + timedelta(seconds=int(jitter.total_seconds() * seed))
    if start != due and shut_at(schedule, start, blackouts=blackouts):
        start = due
    return Occurrence(drill, due, start)


def nominal(
    schedule: Schedule, *, after: datetime, until: datetime, blackouts: Sequence[CalendarFile] = ()
) -> Iterator[tuple[datetime, Shut | None]]:
    """Every nominal time later than `after` and not later than `until`, and what shuts it out, if anything does."""
    _demand_files(schedule, blackouts)
    after, until = after.astimezone(UTC), until.astimezone(UTC)
    if schedule.cron is not None:
        tz = zone(schedule.time_zone)
        for due in takewhile(lambda at: at <= until, _of_line(cron.line(schedule.cron), after, tz)):
            yield due, shut_at(schedule, due, blackouts=blackouts)
    else:
        for due, shut in takewhile(lambda found: found[0] <= until, _of_periods(schedule, after, blackouts)):
            if due > after:
                yield due, shut


def shut_at(schedule: Schedule, at: datetime, *, blackouts: Sequence[CalendarFile] = ()) -> Shut | None:
    """What forbids that a run of this schedule begins at that instant: its window, a blackout, or nothing."""
    _demand_files(schedule, blackouts)
    tz = zone(schedule.time_zone)
    if schedule.window is not None and not windows.is_open(schedule.window, at, tz):
        window = schedule.window
        days = f"{window.days} " if window.days else ""
        return Shut("window", f"outside the window {days}{window.from_} to {window.to} ({tz.key})")
    span = shutting.covering(at, tz, schedule.blackouts, blackouts)
    return None if span is None else Shut("blackout", f"in {span.words}", span.end)


def _of_line(line: cron.Line, after: datetime, tz: ZoneInfo) -> Iterator[datetime]:
    """The instants of a cron line, each once, in order."""
    start = local(after, tz)
    if is_twice(start, tz):
        # Times before this one come once more.
        start -= _BACK
    last = after
    seconds: list[datetime] = []
    for wall in line.after(start):
        found = instant(wall, tz)
        for at in [*takewhile(lambda each: each < found, list(seconds)), found]:  # noqa: B023 (used at once)
            if at in seconds:
                seconds.remove(at)
            if at > last:
                last = at
                yield at
        if line.every_hour and is_twice(wall, tz):
            seconds.append(instant(wall, tz, second=True))


def _of_periods(
    schedule: Schedule, after: datetime, blackouts: Sequence[CalendarFile]
) -> Iterator[tuple[datetime, Shut | None]]:
    """For each period, from the one of the day before `after` on, its time, and what shuts it out whole."""
    assert schedule.every is not None, "`define` demands one of `every` and `cron`"
    first = periods.begin(schedule.every, local(after, zone(schedule.time_zone)).date() - _DAY)
    while True:
        found = _of_period(schedule, list(periods.days(schedule.every, first)), blackouts)
        if found is not None:
            yield found
        first = periods.following(schedule.every, first)


def _of_period(
    schedule: Schedule, days: list[date], blackouts: Sequence[CalendarFile]
) -> tuple[datetime, Shut | None] | None:
    tz = zone(schedule.time_zone)
    missed: tuple[datetime, Shut] | None = None
    for day in days:
        wall = windows.opens_on(schedule.window, day) if schedule.window else datetime.combine(day, HOUR_OF_EVERY)
        at = None if wall is None else instant(wall, tz)
        while at is not None:
            shut = shut_at(schedule, at, blackouts=blackouts)
            if shut is None:
                return at, None
            missed = missed or (at, shut)
            # A blackout that ends while the window is open leaves the rest of it.
            at = shut.until if schedule.window and shut.until and windows.is_open(schedule.window, at, tz) else None
            if at is not None and wall is not None and at >= instant(wall, tz) + _DAY:
                at = None
    return missed


def _demand_files(schedule: Schedule, blackouts: Sequence[CalendarFile]) -> None:
    """No file, no schedule: a freeze that nobody could read is not one that is over."""
    absent = {text for text in schedule.blackouts if text.endswith(".ics")} - {each.name for each in blackouts}
    if absent:
        raise UsageError(f"the calendar file {min(absent)} was not read", hint="nothing is due while it cannot be read")
