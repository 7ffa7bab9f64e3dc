"""What is due, by tables that anybody can check against a printed calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drillmark import calendar
from drillmark.define.schedule import Schedule
from drillmark.errors import UsageError


def schedule(**fields: object) -> Schedule:
    return Schedule.model_validate(fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dues(made: Schedule, after: str, until: str, **more) -> list[str]:
    found = calendar.occurrences(made, "x", after=at(after), until=at(until), **more)
    return [f"{each.due:%Y-%m-%d %H:%M}" for each in found]


def test_the_first_tuesday_of_a_quarter():
    made = schedule(cron="0 3 * 1,4,7,10 tue#1", time_zone="Europe/Berlin")
    assert dues(made, "2026-12-31", "2028-01-31") == [
        "2027-01-05 02:00", "2027-04-06 01:00", "2027-07-06 01:00", "2027-10-05 01:00", "2028-01-04 02:00",
    ]  # fmt: skip


def test_an_occurrence_has_an_id_that_every_machine_makes_alike():
    made = schedule(cron="0 3 * * *", jitter="10m")
    (one,) = calendar.occurrences(made, "orders-db-lost", after=at("2027-01-04 12:00"), until=at("2027-01-05 12:00"))
    (same,) = calendar.occurrences(made, "orders-db-lost", after=at("2027-01-05 02:59"), until=at("2027-01-05 03:00"))
    assert one == same
    assert one.id == "orders-db-lost@2027-01-05T03:00Z"
    assert one.due <= one.start < one.due + timedelta(minutes=10)


def test_after_is_left_out_and_until_is_not():
    made = schedule(cron="0 3 * * *")
    assert dues(made, "2027-01-05 03:00", "2027-01-06 03:00") == ["2027-01-06 03:00"]


def test_a_calendar_file_that_was_not_read_is_no_free_day():
    made = schedule(cron="0 3 * * *", blackouts=["calendars/freeze.ics"])
    with pytest.raises(UsageError, match=r"calendars/freeze\.ics was not read"):
        dues(made, "2027-01-01", "2027-02-01")
