"""What is due, by tables that anybody can check against a printed calendar and the published changes of clocks."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from drillmark import calendar
from drillmark.errors import UsageError
from schedules import at, dues, schedule

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"

# Clocks: Berlin 2027-03-28 02:00 -> 03:00 and 2027-10-31 03:00 -> 02:00; New York 2027-03-14 and 2027-11-07 at 02:00;
# Lord Howe moves by half an hour (2027-10-03 02:00 -> 02:30, 2027-04-04 02:00 -> 01:30); Sao Paulo moved at midnight
# (2018-11-04 00:00 -> 01:00); Apia left out 2011-12-30 whole.
TABLE = [
    ("first Tuesday of a quarter", "0 3 * 1,4,7,10 tue#1", BERLIN, "2026-12-31", "2028-01-31",
     ["2027-01-05 02:00", "2027-04-06 01:00", "2027-07-06 01:00", "2027-10-05 01:00", "2028-01-04 02:00"]),
    ("end of a quarter", "0 3 L 3,6,9,12 *", "UTC", "2027-01-01", "2028-01-01",
     ["2027-03-31 03:00", "2027-06-30 03:00", "2027-09-30 03:00", "2027-12-31 03:00"]),
    ("last day of the quarter in a zone ahead of UTC", "0 1 L 3,6,9,12 *", "Pacific/Auckland", "2027-01-01", "2027-12-31",
     ["2027-03-30 12:00", "2027-06-29 13:00", "2027-09-29 12:00", "2027-12-30 12:00"]),
    ("last days of February", "0 3 L 2 *", "UTC", "2027-01-01", "2029-01-01", ["2027-02-28 03:00", "2028-02-29 03:00"]),
    ("leap days", "0 3 29 2 *", "UTC", "2027-01-01", "2037-01-01",
     ["2028-02-29 03:00", "2032-02-29 03:00", "2036-02-29 03:00"]),
    ("2100 is no leap year", "0 3 29 2 *", "UTC", "2095-01-01", "2105-01-01", ["2096-02-29 03:00", "2104-02-29 03:00"]),
    ("2000 was one", "0 3 29 2 *", "UTC", "1999-01-01", "2003-01-01", ["2000-02-29 03:00"]),
    ("an hour that is skipped", "30 2 * * *", BERLIN, "2027-03-27", "2027-03-30",
     ["2027-03-27 01:30", "2027-03-28 01:00", "2027-03-29 00:30"]),
    ("an hour that comes twice", "30 2 * * *", BERLIN, "2027-10-30", "2027-11-02",
     ["2027-10-30 00:30", "2027-10-31 00:30", "2027-11-01 01:30"]),
    ("skipped in New York", "15 2 * * *", NEW_YORK, "2027-03-13", "2027-03-16",
     ["2027-03-13 07:15", "2027-03-14 07:00", "2027-03-15 06:15"]),
    ("twice in New York", "15 1 * * *", NEW_YORK, "2027-11-06", "2027-11-09",
     ["2027-11-06 05:15", "2027-11-07 05:15", "2027-11-08 06:15"]),
    ("the jump itself is due but once", "*/30 2,3 * * *", BERLIN, "2027-03-28", "2027-03-28 12:00",
     ["2027-03-28 01:00", "2027-03-28 01:30"]),
    ("every half hour goes on through a skipped hour", "*/30 * * * *", BERLIN, "2027-03-28 00:00", "2027-03-28 02:00",
     ["2027-03-28 00:30", "2027-03-28 01:00", "2027-03-28 01:30", "2027-03-28 02:00"]),
    ("every half hour goes on through one that comes twice", "*/30 * * * *", BERLIN, "2027-10-31 00:00", "2027-10-31 02:00",
     ["2027-10-31 00:30", "2027-10-31 01:00", "2027-10-31 01:30", "2027-10-31 02:00"]),
    ("half an hour skipped", "15 2 * * *", "Australia/Lord_Howe", "2027-10-01 12:00", "2027-10-03 23:00",
     ["2027-10-01 15:45", "2027-10-02 15:30", "2027-10-03 15:15"]),
    ("half an hour twice", "45 1 * * *", "Australia/Lord_Howe", "2027-04-02 12:00", "2027-04-04 23:00",
     ["2027-04-02 14:45", "2027-04-03 14:45", "2027-04-04 15:15"]),
    ("midnight skipped", "0 0 * * *", "America/Sao_Paulo", "2018-11-02 12:00", "2018-11-05 12:00",
     ["2018-11-03 03:00", "2018-11-04 03:00", "2018-11-05 02:00"]),
    ("a day that never was", "0 3 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01",
     ["2011-12-29 13:00", "2011-12-30 10:00", "2011-12-30 13:00", "2011-12-31 13:00"]),
    ("a zone without changes of clocks", "0 3 * * *", "Asia/Kolkata", "2027-03-27", "2027-03-29",
     ["2027-03-27 21:30", "2027-03-28 21:30"]),
    ("Sunday is 0 and 7", "0 3 * * 7", "UTC", "2027-01-01", "2027-01-12", ["2027-01-03 03:00", "2027-01-10 03:00"]),
    ("a week of weekdays over its end", "0 3 * * fri-mon", "UTC", "2027-01-05", "2027-01-12",
     ["2027-01-08 03:00", "2027-01-09 03:00", "2027-01-10 03:00", "2027-01-11 03:00"]),
    ("day of month and weekday are joined by OR", "0 3 2-8 1,4,7,10 2", "UTC", "2027-01-01", "2027-01-20",
     ["2027-01-02 03:00", "2027-01-03 03:00", "2027-01-04 03:00", "2027-01-05 03:00", "2027-01-06 03:00",
      "2027-01-07 03:00", "2027-01-08 03:00", "2027-01-12 03:00", "2027-01-19 03:00"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cron", "zone", "after", "until", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_cron_line_by_the_table(cron, zone, after, until, expected):
    assert dues(schedule(cron=cron, time_zone=zone), after, until) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "after", "until", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_asked_piece_by_piece_nothing_is_lost_and_nothing_comes_twice(cron, zone, after, until, expected):
    """As a heartbeat asks: from where it stopped to now."""
    made = schedule(cron=cron, time_zone=zone)
    begin, end = at(after), at(until)
    edges = [
        begin,
        *sorted({at(text) + timedelta(minutes=shift) for text in expected for shift in (-61, -1, 0, 1, 59, 61)}),
        end,
    ]
    edges = [edge for edge in edges if begin <= edge <= end]
    found: list[str] = []
    for since, now in itertools.pairwise(edges):
        found += [f"{each.due:%Y-%m-%d %H:%M}" for each in calendar.occurrences(made, "x", after=since, until=now)]
    assert found == expected


def test_an_occurrence_has_an_id_and_a_start_that_every_machine_makes_alike():
    made = schedule(cron="0 3 * * *", jitter="10m")
    (one,) = calendar.occurrences(made, "orders-db-lost", after=at("2027-01-04 12:00"), until=at("2027-01-05 12:00"))
    (same,) = calendar.occurrences(made, "orders-db-lost", after=at("2027-01-05 02:59"), until=at("2027-01-05 03:00"))
    assert one == same
    assert one.id == "orders-db-lost@2027-01-05T03:00Z"
    assert f"{one.start:%H:%M:%S}" == "03:01:59"


def test_jitter_spreads_drills_over_its_whole_length_and_no_further():
    made = schedule(cron="0 3 * * *", jitter="10m")
    due = at("2027-01-05 03:00")
    late = [(calendar.occurrence(made, f"drill-{number}", due).start - due).total_seconds() for number in range(500)]
    assert min(late) >= 0
    assert max(late) < 600
    counts = [sum(step * 60 <= each < (step + 1) * 60 for each in late) for step in range(10)]
    assert min(counts) > 20


def test_jitter_carries_no_start_out_of_the_window_or_into_a_blackout():
    made = schedule(cron="50 4 * * *", jitter="6h", window={"from": "02:00", "to": "05:00"})
    due = at("2027-01-05 04:50")
    starts = [calendar.occurrence(made, f"drill-{number}", due).start for number in range(100)]
    assert all(due <= start < at("2027-01-05 05:00") for start in starts)
    assert len(set(starts)) > 50
    eve = schedule(cron="50 23 * * *", jitter="6h", blackouts=["2027-01-06"])
    due = at("2027-01-05 23:50")
    starts = [calendar.occurrence(eve, f"drill-{number}", due).start for number in range(100)]
    assert all(start < at("2027-01-06 00:00") for start in starts)


def test_after_is_left_out_and_until_is_not():
    made = schedule(cron="0 3 * * *")
    assert dues(made, "2027-01-05 03:00", "2027-01-06 03:00") == ["2027-01-06 03:00"]


def test_a_zone_that_there_is_not_is_named():
    with pytest.raises(UsageError, match='there is no time zone "Europe/Berln"'):
        dues(schedule(cron="0 3 * * *", time_zone="Europe/Berln"), "2027-01-01", "2027-01-02")
