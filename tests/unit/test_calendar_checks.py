"""Schedules that read well and never come true."""

from __future__ import annotations

import pytest

from drillmark import calendar
from schedules import at, ics, schedule

NOW = at("2026-11-28 12:00")


def told(made, *files) -> list[str]:
    return [f"{each.key}: {each.words}" for each in calendar.problems(made, now=NOW, blackouts=files)]


@pytest.mark.parametrize("cron", ["0 3 30 2 *", "0 3 31 4,6,9,11 *", "0 3 31 2 *"])
def test_a_date_that_is_in_no_year(cron):
    assert told(schedule(cron=cron)) == [f'cron: cron "{cron}" never comes']


@pytest.mark.parametrize("cron", ["0 3 29 2 *", "0 3 31 1-3 *", "0 3 * 2 mon#5", "0 3 30 2 mon", "* * * * *"])
def test_a_rare_date_is_none_of_these(cron):
    assert told(schedule(cron=cron)) == []


TUE_TO_THU = {"days": "tue-thu", "from": "02:00", "to": "05:00"}
OVER_MIDNIGHT = {"days": "fri", "from": "22:00", "to": "04:00"}
NEVER = [
    ("0 3 * * mon", TUE_TO_THU),
    ("0 5 * * *", TUE_TO_THU),
    ("59 1 * * tue", TUE_TO_THU),
    ("*/15 6-23 * * *", TUE_TO_THU),
    ("0 3 * 1,4,7,10 sun#1", TUE_TO_THU),
    ("0 3 * * fri", OVER_MIDNIGHT),
    ("0 23 * * sat", OVER_MIDNIGHT),
]
MET = [
    ("0 3 * * tue", TUE_TO_THU),
    ("0 2 1 1 *", TUE_TO_THU),
    ("0 3 29 2 *", TUE_TO_THU),
    ("* * * * *", TUE_TO_THU),
    ("0 3 * * sat", OVER_MIDNIGHT),
    ("0 23 * * fri", OVER_MIDNIGHT),
    ("0 3,23 * * fri", OVER_MIDNIGHT),
]


@pytest.mark.parametrize(("cron", "window"), NEVER)
def test_a_window_that_is_never_met(cron, window):
    (found,) = calendar.problems(schedule(cron=cron, window=window), now=NOW)
    assert found.key == "window"
    assert found.words.startswith(f'cron "{cron}" never falls into the window {window["days"]} ')
    assert found.hint.startswith("cron next comes at ")


@pytest.mark.parametrize(("cron", "window"), MET)
def test_a_window_that_is_met_now_and_then(cron, window):
    assert told(schedule(cron=cron, window=window)) == []


ALWAYS = "blackouts: a blackout lies over every occurrence of the next year"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"every": "quarter", "blackouts": ["2026-01-01/2028-01-01"]}, [ALWAYS]),
        ({"every": "night", "blackouts": ["2026-01-01/2028-01-01"]}, [ALWAYS]),
        ({"cron": "* * * * *", "blackouts": ["2026-01-01/2028-01-01"]}, [ALWAYS]),
        ({"cron": "* * * * *", "window": TUE_TO_THU, "blackouts": ["2026-01-01/2028-01-01"]}, [ALWAYS]),
        ({"cron": "0 3 1 1 *", "blackouts": ["2026-12-20/2027-01-06"]}, [ALWAYS]),
        ({"every": "year", "blackouts": ["2026-12-20/2027-01-06"]}, []),
        ({"cron": "0 3 1 * *", "blackouts": ["2026-12-20/2027-01-06"]}, []),
        ({"every": "quarter", "blackouts": ["2026-01-01/2027-11-26"]}, []),  # the last days of the quarter
        ({"every": "quarter", "blackouts": ["2026-01-01/2027-09-30"]}, []),
        ({"every": "quarter"}, []),
    ],
)
def test_a_blackout_over_every_occurrence_of_the_next_year(fields, expected):
    assert told(schedule(**fields)) == expected


def test_a_calendar_file_counts_as_well_and_the_first_one_is_named():
    fields = {"cron": "0 3 * * tue", "blackouts": ["freeze.ics"]}
    weekly = calendar.read_ics(
        ics("DTSTART;VALUE=DATE:20200107|RRULE:FREQ=WEEKLY|SUMMARY:No changes on Tuesdays"), "freeze.ics"
    )
    (found,) = calendar.problems(schedule(**fields), now=NOW, blackouts=[weekly])
    assert found.hint.startswith(
        'the first falls at Tue 2026-12-01 03:00 +00:00, in "No changes on Tuesdays" in freeze.ics'
    )


def test_or_between_day_of_month_and_weekday_is_warned_of_with_the_next_five():
    made = schedule(cron="0 3 2-8 1,4,7,10 2", time_zone="Europe/Berlin")
    (found,) = calendar.warnings(made, now=NOW)
    # croniter takes a field with a step for a restriction, even this one.
    assert list(calendar.warnings(schedule(cron="0 3 */1 * 2"), now=NOW))
    assert found.words == (
        'cron "0 3 2-8 1,4,7,10 2" joins day of month and weekday by OR: one of the two is enough; next: '
        "Sat 2027-01-02 03:00 +01:00, Sun 2027-01-03 03:00 +01:00, Mon 2027-01-04 03:00 +01:00, "
        "Tue 2027-01-05 03:00 +01:00, Wed 2027-01-06 03:00 +01:00"
    )
    assert "tue#1" in found.hint


@pytest.mark.parametrize("cron", ["0 3 * 1,4,7,10 tue#1", "0 3 2-8 1,4,7,10 *", "0 3 * * 2", "0 3 L * *"])
def test_where_one_of_the_two_restricts_nothing_there_is_no_warning(cron):
    assert list(calendar.warnings(schedule(cron=cron), now=NOW)) == []
    assert list(calendar.warnings(schedule(every="week"), now=NOW)) == []
