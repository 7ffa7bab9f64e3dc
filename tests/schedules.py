"""Builders for tests of the calendar: schedules and instants in few words."""

from __future__ import annotations

from datetime import UTC, datetime

from drillmark import calendar
from drillmark.define.schedule import Schedule


def schedule(**fields: object) -> Schedule:
    return Schedule.model_validate(fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dues(made: Schedule, after: str, until: str, *files: calendar.CalendarFile) -> list[str]:
    """When it is due, in UTC."""
    found = calendar.occurrences(made, "x", after=at(after), until=at(until), blackouts=files)
    return [f"{each.due:%Y-%m-%d %H:%M}" for each in found]


def ics(*events: str, head: str = "") -> bytes:
    """A calendar file; an event is its lines, divided by `|`."""
    body = "".join(
        f"BEGIN:VEVENT\nUID:{number}@example.org\nDTSTAMP:20260101T000000Z\n"
        + text.replace("|", "\n")
        + "\nEND:VEVENT\n"
        for number, text in enumerate(events)
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//tests//EN\n{head}{body}END:VCALENDAR\n".replace(
        "\n", "\r\n"
    ).encode()
