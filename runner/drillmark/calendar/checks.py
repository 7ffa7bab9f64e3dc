"""What is wrong with a schedule that reads well: it never comes true, or not as it was meant.

Each finding names the key that it is about. Must never stop a schedule that runs at least once in the coming year.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

from croniter import croniter

from drillmark.calendar import cron, windows
from drillmark.calendar.blackouts import CalendarFile
from drillmark.calendar.explaining import when
from drillmark.calendar.occurring import nominal, occurrences
from drillmark.calendar.zones import local, zone
from drillmark.define.schedule import Schedule, Window

_YEAR = timedelta(days=366)
# A date falls on every weekday within 28 years, and within 40 across a century without its leap day.
_EVERY_WEEKDAY = timedelta(days=41 * 366)
_MOMENT = timedelta(microseconds=1)
# A line of every minute has half a million occurrences in a year: after so many looked at, nothing is said of it.
_LOOKED_AT = 20_000
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a schedule. `key` is the one of its fields that it is about."""

    key: str
    words: str
    hint: str


def problems(schedule: Schedule, *, now: datetime, blackouts: Sequence[CalendarFile] = ()) -> Iterator[Finding]:
    """Why the schedule can never run, or not in the coming year."""
    if schedule.cron is not None:
        line = cron.line(schedule.cron)
        start = local(now, zone(schedule.time_zone))
        if next(line.after(start), None) is None:
            hint = "there is no such date in any year; `L` is the last day of a month, whichever that is"
            yield Finding("cron", f'cron "{schedule.cron}" never comes', hint)
            return
        if schedule.window is not None and not _meets(line, schedule.window, start):
            told = _window(schedule.window)
            first = when(next(due for due, _ in nominal(_bare(schedule), after=now, until=_far(now))), schedule)
            hint = f"cron next comes at {first}; move one of the two"
            yield Finding("window", f'cron "{schedule.cron}" never falls into the window {told}', hint)
            return
    span = _always_blacked_out(schedule, now, blackouts)
    if span:
        hint = f"the first falls {span}; shorten the blackouts, or move the schedule"
        yield Finding("blackouts", "a blackout lies over every occurrence of the next year", hint)


def warnings(schedule: Schedule, *, now: datetime, blackouts: Sequence[CalendarFile] = ()) -> Iterator[Finding]:
    """What is allowed in a schedule and probably not meant."""
    if schedule.cron is None or not cron.line(schedule.cron).joins_days_by_or:
        return
    following = occurrences(schedule, "", after=now, until=now + _EVERY_WEEKDAY, blackouts=blackouts)
    shown = ", ".join(when(each.due, schedule) for each in islice(following, _SHOWN))
    words = f'cron "{schedule.cron}" joins day of month and weekday by OR: one of the two is enough; next: {shown}'
    yield Finding("cron", words, 'the first Tuesday of a month is written "tue#1", with "*" for the day of month')


def _meets(line: cron.Line, window: Window, start: datetime) -> bool:
    """Whether the line ever falls into the window, by the wall clock."""
    fields = croniter.expand(line.text)[0]
    minutes, hours = (
        [*range(size)] if field == ["*"] else field for field, size in zip(fields, (60, 24), strict=False)
    )
    rest = " ".join(line.text.split()[2:])
    # On which days the line comes does not depend on the hour: one time before midnight and one after it stand for all.
    for part in windows.parts(window):
        inside = next(((h, m) for h in hours for m in minutes if part.start <= int(h) * 60 + int(m) < part.stop), None)
        if inside is None:
            continue
        days = cron.line(f"{inside[1]} {inside[0]} {rest}").after(start)
        if any(windows.opened_on(window, wall) for wall in takewhile(lambda at: at < start + _EVERY_WEEKDAY, days)):
            return True
    return False


def _always_blacked_out(schedule: Schedule, now: datetime, blackouts: Sequence[CalendarFile]) -> str:
    """Where every occurrence of the coming year falls into a blackout: the first one, in words."""
    first, looked, after = "", 0, now
    while True:
        for due, shut in nominal(schedule, after=after, until=now + _YEAR, blackouts=blackouts):
            looked += 1
            if shut is None or looked > _LOOKED_AT:
                return ""
            if shut.by == "blackout" and shut.until is not None:
                first = first or f"at {when(due, schedule)}, {shut.words}"
                if schedule.cron is not None and shut.until - _MOMENT > due:
                    after = shut.until - _MOMENT
                    break
        else:
            return first


def _bare(schedule: Schedule) -> Schedule:
    """The schedule without its window."""
    return schedule.model_copy(update={"window": None})


def _far(now: datetime) -> datetime:
    return (now + 2 * _EVERY_WEEKDAY).astimezone(UTC)


def _window(window: Window) -> str:
    return f"{window.days + ' ' if window.days else ''}{window.from_} to {window.to}"
