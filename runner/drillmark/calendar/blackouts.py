"""Blackouts: the times in which nothing begins. Dates stand in the schedule, events in calendar files.

A date is a whole day of the schedule's zone; the last one of a range belongs to it. Calendar files are handed in, read
(`ics`). Must never open a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from drillmark.calendar.zones import instant

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in which nothing begins: from `start` up to `end`, which does not belong to it. `words` names it."""

    start: datetime
    end: datetime
    words: str


class CalendarFile(Protocol):
    """A calendar file that was read (`ics.read_ics`): one object for all drills that name the file."""

    @property
    def name(self) -> str:
        """Its path, as the schedules name it."""
        ...

    def covering(self, at: datetime, tz: ZoneInfo) -> Span | None:
        """The event that covers that instant, if there is one."""
        ...


def dated(texts: Iterable[str], tz: ZoneInfo) -> tuple[Span, ...]:
    """The dates and ranges among the blackouts of a schedule, as whole days of that zone."""
    return tuple(_dated(text, tz) for text in texts if not text.endswith(".ics"))


def covering(at: datetime, tz: ZoneInfo, texts: Iterable[str], files: Iterable[CalendarFile]) -> Span | None:
    """The blackout that covers that instant, the one that ends last, if there is one."""
    found = [span for span in dated(texts, tz) if span.start <= at < span.end]
    found += [span for each in files if (span := each.covering(at, tz)) is not None]
    return latest(found)


@lru_cache(maxsize=4096)
def _dated(text: str, tz: ZoneInfo) -> Span:
    first, _, last = text.partition("/")
    start, end = date.fromisoformat(first), date.fromisoformat(last or first)
    return Span(midnight(start, tz), midnight(end + _DAY, tz), f"the blackout {text}")


def midnight(day: date, tz: ZoneInfo) -> datetime:
    """When that day begins in that zone."""
    return instant(datetime.combine(day, time()), tz)


def latest(spans: Iterable[Span]) -> Span | None:
    """The one that ends last."""
    return max(spans, key=lambda span: span.end, default=None)
