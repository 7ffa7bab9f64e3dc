"""`every`, windows and blackouts, by tables."""

from __future__ import annotations

import pytest

from drillmark import calendar
from drillmark.errors import UsageError
from schedules import at, dues, ics, schedule

NIGHTS = {"days": "tue-thu", "from": "02:00", "to": "05:00"}
LATE = {"days": "fri", "from": "22:00", "to": "04:00"}

# 2027-01-01 is a Friday.
EVERY = [
    ("night", {"every": "night"}, "2027-01-01", "2027-01-03 23:00", ["2027-01-01 03:00", "2027-01-02 03:00", "2027-01-03 03:00"]),
    ("week", {"every": "week"}, "2027-01-01", "2027-01-14", ["2027-01-04 03:00", "2027-01-11 03:00"]),
    ("month", {"every": "month"}, "2027-01-01", "2027-03-31", ["2027-01-01 03:00", "2027-02-01 03:00", "2027-03-01 03:00"]),
    ("quarter", {"every": "quarter"}, "2027-01-02", "2028-01-02", ["2027-04-01 03:00", "2027-07-01 03:00", "2027-10-01 03:00", "2028-01-01 03:00"]),
    ("half", {"every": "half"}, "2027-01-02", "2028-01-02", ["2027-07-01 03:00", "2028-01-01 03:00"]),
    ("year", {"every": "year"}, "2027-01-02", "2029-01-02", ["2028-01-01 03:00", "2029-01-01 03:00"]),
    ("the first opening of the window in the quarter", {"every": "quarter", "window": NIGHTS}, "2026-12-31", "2027-12-31",
     ["2027-01-05 02:00", "2027-04-01 02:00", "2027-07-01 02:00", "2027-10-05 02:00"]),
    ("in the zone of the schedule", {"every": "quarter", "window": NIGHTS, "time_zone": "America/New_York"}, "2026-12-31", "2027-06-30",
     ["2027-01-05 07:00", "2027-04-01 06:00"]),
    ("a freeze moves it within its quarter", {"every": "quarter", "window": NIGHTS, "blackouts": ["2026-12-20/2027-01-06"]}, "2026-12-31", "2027-04-30",
     ["2027-01-07 02:00", "2027-04-01 02:00"]),
    ("a freeze over a whole month takes that month alone", {"every": "month", "blackouts": ["2027-02-01/2027-02-28"]}, "2027-01-01", "2027-03-31",
     ["2027-01-01 03:00", "2027-03-01 03:00"]),
    ("once a month although the freeze ends in it", {"every": "month", "blackouts": ["2027-01-25/2027-02-03"]}, "2027-01-10", "2027-03-31",
     ["2027-02-04 03:00", "2027-03-01 03:00"]),
    ("a window over midnight belongs to the day that it opens on", {"every": "week", "window": LATE}, "2027-01-02", "2027-01-16",
     ["2027-01-08 22:00", "2027-01-15 22:00"]),
    ("the rest of a window after a freeze that ends in it", {"every": "week", "window": LATE, "blackouts": ["2027-01-08"]}, "2027-01-03", "2027-01-16",
     ["2027-01-09 00:00", "2027-01-15 22:00"]),
    ("a night whose hour is skipped", {"every": "night", "window": {"from": "02:30", "to": "05:00"}, "time_zone": "Europe/Berlin"}, "2027-03-27", "2027-03-29 02:00",
     ["2027-03-27 01:30", "2027-03-28 01:00", "2027-03-29 00:30"]),
    ("a window that is skipped whole is shut that night", {"every": "night", "window": {"from": "02:00", "to": "02:45"}, "time_zone": "Europe/Berlin"}, "2027-03-27", "2027-03-29 02:00",
     ["2027-03-27 01:00", "2027-03-29 00:00"]),
    ("a leap day is a night", {"every": "night"}, "2028-02-28", "2028-03-01 23:00", ["2028-02-28 03:00", "2028-02-29 03:00", "2028-03-01 03:00"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "after", "until", "expected"), [row[1:] for row in EVERY], ids=[row[0] for row in EVERY]
)
def test_every_by_the_table(fields, after, until, expected):
    assert dues(schedule(**fields), after, until) == expected


def test_what_cron_puts_outside_the_window_does_not_run():
    made = schedule(cron="0 3 * * *", window=NIGHTS)
    assert dues(made, "2027-01-03", "2027-01-11") == ["2027-01-05 03:00", "2027-01-06 03:00", "2027-01-07 03:00"]


def test_a_window_shuts_at_its_end_and_opens_at_its_beginning():
    made = schedule(cron="0 2,5 * * *", window=NIGHTS)
    assert dues(made, "2027-01-05", "2027-01-06") == ["2027-01-05 02:00"]


def test_after_midnight_a_window_still_belongs_to_the_day_before():
    made = schedule(cron="0 3 * * *", window=LATE)
    assert dues(made, "2027-01-01", "2027-01-10") == ["2027-01-02 03:00", "2027-01-09 03:00"]


def test_both_ends_of_a_blackout_belong_to_it_as_days_of_the_zone():
    made = schedule(cron="30 0,23 * * *", time_zone="Asia/Tokyo", blackouts=["2027-01-05/2027-01-06", "2027-01-08"])
    # Tokyo is nine hours ahead: 23:30 is 14:30Z, 00:30 is 15:30Z of the day before.
    assert dues(made, "2027-01-04 00:00", "2027-01-08 23:00") == [
        "2027-01-04 14:30", "2027-01-06 15:30", "2027-01-07 14:30", "2027-01-08 15:30",
    ]  # fmt: skip


FILES = [
    ("whole days", ["DTSTART;VALUE=DATE:20270105|DTEND;VALUE=DATE:20270107|SUMMARY:Freeze"], ["04", "07", "08"]),
    ("a day without an end", ["DTSTART;VALUE=DATE:20270105"], ["04", "06", "07", "08"]),
    ("hours in a zone", ["DTSTART;TZID=Europe/Berlin:20270105T033000|DTEND;TZID=Europe/Berlin:20270105T043000"], ["04", "06", "07", "08"]),
    ("hours that end as it is due", ["DTSTART:20270105T010000Z|DTEND:20270105T030000Z"], ["04", "05", "06", "07", "08"]),
    ("a duration", ["DTSTART:20270105T010000Z|DURATION:PT26H1M"], ["04", "07", "08"]),
    ("every second day", ["DTSTART;VALUE=DATE:20261229|RRULE:FREQ=DAILY;INTERVAL=2"], ["05", "07"]),
    ("with an exception", ["DTSTART;VALUE=DATE:20270101|RRULE:FREQ=DAILY|EXDATE;VALUE=DATE:20270106"], ["06"]),
    ("on more days", ["DTSTART;VALUE=DATE:20270104|RDATE;VALUE=DATE:20270107"], ["05", "06", "08"]),
    ("until a day", ["DTSTART;VALUE=DATE:20270101|RRULE:FREQ=DAILY;UNTIL=20270105"], ["06", "07", "08"]),
    ("cancelled", ["DTSTART;VALUE=DATE:20270105|STATUS:CANCELLED"], ["04", "05", "06", "07", "08"]),
    ("marked as free, as calendars of holidays are", ["DTSTART;VALUE=DATE:20270105|TRANSP:TRANSPARENT"], ["04", "06", "07", "08"]),
    ("two events", ["DTSTART;VALUE=DATE:20270105", "DTSTART;VALUE=DATE:20270107"], ["04", "06", "08"]),
    ("no event at all", [], ["04", "05", "06", "07", "08"]),
    ("one that began the year before", ["DTSTART;VALUE=DATE:20261220|DTEND;VALUE=DATE:20270106"], ["06", "07", "08"]),
]  # fmt: skip


@pytest.mark.parametrize(("events", "days"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_calendar_file_by_the_table(events, days):
    read = calendar.read_ics(ics(*events), "freeze.ics")
    made = schedule(cron="0 3 * * *", blackouts=["freeze.ics"])
    assert dues(made, "2027-01-04", "2027-01-08 12:00", read) == [f"2027-01-{day} 03:00" for day in days]


def test_a_moved_event_of_a_series_is_where_it_was_moved_to():
    moved = b"\r\n".join([
        b"BEGIN:VCALENDAR", b"VERSION:2.0", b"PRODID:x",
        b"BEGIN:VEVENT", b"UID:1", b"DTSTART:20270104T020000Z", b"DTEND:20270104T040000Z", b"RRULE:FREQ=DAILY;COUNT=3", b"END:VEVENT",
        b"BEGIN:VEVENT", b"UID:1", b"RECURRENCE-ID:20270105T020000Z", b"DTSTART:20270107T020000Z", b"DTEND:20270107T040000Z", b"END:VEVENT",
        b"END:VCALENDAR", b"",
    ])  # fmt: skip
    made = schedule(cron="0 3 * * *", blackouts=["f.ics"])
    assert dues(made, "2027-01-04", "2027-01-08 12:00", calendar.read_ics(moved, "f.ics")) == [
        "2027-01-05 03:00",
        "2027-01-08 03:00",
    ]


def test_a_day_of_a_file_is_a_day_of_the_schedules_zone():
    read = calendar.read_ics(ics("DTSTART;VALUE=DATE:20270105"), "f.ics")
    made = schedule(cron="30 0 * * *", time_zone="Asia/Tokyo", blackouts=["f.ics"])
    assert dues(made, "2027-01-03 16:00", "2027-01-05 16:00", read) == ["2027-01-05 15:30"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"BEGIN:VCALENDAR",
        b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
        ics("DTSTART;VALUE=DATE:20270105")[:-40],
    ],
)
def test_what_is_no_calendar_file_is_said_so(data):
    with pytest.raises(UsageError, match=r"^freeze\.ics (is no calendar file|holds no calendar)"):
        calendar.read_ics(data, "freeze.ics")


def test_an_event_without_a_beginning_does_not_pass_as_a_free_day():
    with pytest.raises(UsageError, match=r"an event cannot be read \(no DTSTART\)"):
        calendar.read_ics(ics("SUMMARY:Freeze"), "freeze.ics")


@pytest.mark.parametrize(
    "line",
    [
        "DTSTART:yesterday",
        "DTSTART:20270105T010000Z|RRULE:FREQ=SOMETIMES",
        "DTSTART:20270105T010000Z|DTEND:never",
        "DTSTART:20270105T010000Z|RRULE:FREQ=SECONDLY",
    ],
)
def test_what_of_an_event_cannot_be_read_is_not_left_out(line):
    with pytest.raises(UsageError, match=r"freeze\.ics"):
        calendar.read_ics(ics(line), "freeze.ics")


def test_a_calendar_file_that_was_not_read_is_no_free_day():
    made = schedule(cron="0 3 * * *", blackouts=["calendars/freeze.ics"])
    with pytest.raises(UsageError, match=r"calendars/freeze\.ics was not read"):
        dues(made, "2027-01-01", "2027-02-01")
    with pytest.raises(UsageError, match="was not read"):
        calendar.shut_at(made, at("2027-01-01"))


def test_what_shuts_is_told_with_its_name():
    read = calendar.read_ics(ics("DTSTART;VALUE=DATE:20270105|SUMMARY:Year-end freeze"), "freeze.ics")
    made = schedule(every="night", window=NIGHTS, blackouts=["freeze.ics", "2027-01-06"])
    told = [
        calendar.shut_at(made, at(text), blackouts=[read])
        for text in ("2027-01-05 03:00", "2027-01-06 03:00", "2027-01-07 05:00")
    ]
    assert [shut and shut.words for shut in told] == [
        'in "Year-end freeze" in freeze.ics', "in the blackout 2027-01-06", "outside the window tue-thu 02:00 to 05:00 (UTC)",
    ]  # fmt: skip
    assert calendar.shut_at(made, at("2027-01-07 02:00"), blackouts=[read]) is None
