"""Calendar files (iCalendar, RFC 5545) as blackouts: every event is a time in which nothing begins.

Which events fall into a year, with their repetitions and exceptions, is the library's business; it is asked once for
each year and zone. An event that is cancelled does not count; one that is marked as free does: calendars of holidays
mark all of theirs so. Must never open a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from drillmark.calendar.blackouts import Span, latest, midnight
from drillmark.calendar.zones import instant
from drillmark.errors import UsageError

_DAY = timedelta(days=1)
_MOMENT = timedelta(minutes=1)
_HINT = "iCalendar (RFC 5545), as calendar programs export it"


class IcsBlackouts:
    """The events of one calendar file. Made by `read_ics`; one object for all drills that name the file."""

    def __init__(self, name: str, calendars: list[Any]) -> None:
        self.name = name
        self._calendars = calendars
        self._years: dict[tuple[int, str], tuple[Span, ...]] = {}

    def covering(self, at: datetime, tz: ZoneInfo) -> Span | None:
        """The event that covers that instant, if there is one."""
        year = at.astimezone(UTC).year
        key = year, tz.key
        if key not in self._years:
            try:
                self._years[key] = tuple(self._spans(year, tz))
            except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, LookupError) as error:
                raise UsageError(f"the events of {self.name} in {year} cannot be told: {error}", hint=_HINT) from error
        return latest(span for span in self._years[key] if span.start <= at < span.end)

    def _spans(self, year: int, tz: ZoneInfo) -> Iterator[Span]:
        # A day on both sides: zones reach that far.
        first, last = datetime(year, 1, 1, tzinfo=UTC) - _DAY, datetime(year + 1, 1, 1, tzinfo=UTC) + _DAY
        for event in (
            found for each in self._calendars for found in recurring_ical_events.of(each).between(first, last)
        ):
            if str(event.get("STATUS", "")).upper() == "CANCELLED":
                continue
            start, end = _bounds(event, tz)
            summary = " ".join(str(event.get("SUMMARY", "")).split())[:100]
            yield Span(start, end, f'"{summary}" in {self.name}' if summary else f"an event in {self.name}")


def read_ics(data: bytes, name: str) -> IcsBlackouts:
    """Read a calendar file; `name` is how it is told. Raises UsageError for what is none."""
    try:
        calendars: list[Any] = list(icalendar.Calendar.from_ical(data, multiple=True))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UsageError(f"{name} is no calendar file: {error}", hint=_HINT) from error
    if not calendars or any(getattr(each, "name", "") != "VCALENDAR" for each in calendars):
        raise UsageError(f"{name} holds no calendar", hint="it must begin with BEGIN:VCALENDAR")
    for event in (found for each in calendars for found in each.walk("VEVENT")):
        wrong = _unreadable(event)
        if wrong:
            raise UsageError(f"{name} is no calendar file: an event cannot be read ({wrong})", hint=_HINT)
    return IcsBlackouts(name, calendars)


def _unreadable(event: Any) -> str:
    """Why an event would count for nothing. The library leaves out what it cannot read: a freeze would pass as free."""
    if event.errors:
        return "; ".join(f"{key}: {text}" for key, text in event.errors)
    if "DTSTART" not in event:
        return "no DTSTART"
    rules = event.get("RRULE", [])
    often = {str(each) for rule in (rules if isinstance(rules, list) else [rules]) for each in rule.get("FREQ", [])}
    return "it repeats every minute, or oftener" if often & {"SECONDLY", "MINUTELY"} else ""


def _bounds(event: Any, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """From when to when an event lasts; one without an end takes the day, or the moment, at which it begins."""
    start, end = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
    if end is None and "DURATION" in event:
        end = start + event["DURATION"].dt
    if end is None:
        end = start + (_MOMENT if isinstance(start, datetime) else _DAY)
    return _instant(start, tz), _instant(end, tz)


def _instant(value: date, tz: ZoneInfo) -> datetime:
    if not isinstance(value, datetime):
        return midnight(value, tz)
    return instant(value, tz) if value.tzinfo is None else value.astimezone(UTC)
