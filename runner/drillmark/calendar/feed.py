"""The calendar as an iCalendar file, to which any calendar program subscribes: one event for each occurrence.

An event has the same id whenever it is written, so that a program moves it instead of showing it twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from drillmark.calendar.occurring import Occurrence

_LENGTH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One occurrence as people see it."""

    occurrence: Occurrence
    title: str
    words: str


def write(entries: Iterable[Entry], now: datetime) -> bytes:
    """The file."""
    made = Calendar()
    made.add("prodid", "-//Drillmark//drillmark schedule calendar//EN")
    made.add("version", "2.0")
    made.add("x-wr-calname", "Drills")
    made.add("refresh-interval", timedelta(hours=6), parameters={"VALUE": "DURATION"})
    for entry in entries:
        event = Event()
        event.add("uid", f"{entry.occurrence.id}@drillmark")
        event.add("dtstamp", now)
        event.add("dtstart", entry.occurrence.start)
        event.add("dtend", entry.occurrence.start + _LENGTH)
        event.add("summary", entry.title)
        event.add("description", entry.words)
        made.add_component(event)
    return made.to_ical()
