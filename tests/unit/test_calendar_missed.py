"""What a scheduler starts now, and what it missed."""

from __future__ import annotations

import pytest

from drillmark import calendar
from schedules import at, schedule

# The scheduler was last there on Friday the 1st at noon. Due each night at 03:00.
TABLE = [
    ("in time", None, "2027-01-02 03:00", ["02"], [], []),
    ("a heartbeat late", None, "2027-01-02 03:04", ["02"], [], []),
    ("not yet", None, "2027-01-02 02:59", [], [], []),
    ("skip is the rule", None, "2027-01-02 03:06", [], ["02"], []),
    ("skip, said", "skip", "2027-01-04 03:01", ["04"], ["02", "03"], []),
    ("within six hours", {"run_within": "6h"}, "2027-01-02 09:00", ["02"], [], []),
    ("after six hours", {"run_within": "6h"}, "2027-01-02 09:01", [], ["02"], []),
    ("each within two days", {"run_within": "2d"}, "2027-01-04 12:00", ["03", "04"], ["02"], []),
    ("the newest, however late", "once", "2027-01-05 02:00", ["04"], ["02", "03"], []),
    ("the one in time is the newest", "once", "2027-01-05 03:00", ["05"], ["02", "03", "04"], []),
]


@pytest.mark.parametrize(
    ("missed", "now", "run", "gone", "waiting"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_becomes_of_the_missed_by_the_table(missed, now, run, gone, waiting):
    made = schedule(cron="0 3 * * *", **({} if missed is None else {"missed": missed}))
    found = calendar.due(made, "x", since=at("2027-01-01 12:00"), now=at(now))
    assert [f"{each.due:%d}" for each in found.run] == run
    assert [f"{each.occurrence.due:%d}" for each in found.missed] == gone
    assert [f"{each.due:%d}" for each in found.waiting] == waiting


def test_a_late_start_waits_for_the_window():
    made = schedule(every="week", window={"days": "tue-thu", "from": "02:00", "to": "05:00"}, missed="once")
    since = at("2027-01-04 12:00")
    due = [
        calendar.due(made, "x", since=since, now=at(now))
        for now in ("2027-01-05 05:00", "2027-01-06 01:59", "2027-01-06 02:00")
    ]
    assert [(len(each.run), len(each.waiting), len(each.missed)) for each in due] == [(0, 1, 0), (0, 1, 0), (1, 0, 0)]


def test_a_late_start_waits_for_the_end_of_a_freeze_and_is_missed_when_that_takes_too_long():
    made = schedule(cron="0 23 * * *", missed={"run_within": "26h"}, blackouts=["2027-01-05"])
    since = at("2027-01-04 12:00")
    due = [
        calendar.due(made, "x", since=since, now=at(now))
        for now in ("2027-01-05 12:00", "2027-01-06 00:30", "2027-01-06 01:30")
    ]
    assert [(len(each.run), len(each.waiting), len(each.missed)) for each in due] == [(0, 1, 0), (1, 0, 0), (0, 0, 1)]


def test_jitter_is_waited_for_and_is_not_lateness():
    made = schedule(cron="0 3 * * *", jitter="2h")
    (one,) = calendar.occurrences(made, "x", after=at("2027-01-01 12:00"), until=at("2027-01-02 12:00"))
    assert one.start > one.due
    before = calendar.due(made, "x", since=at("2027-01-01 12:00"), now=one.due)
    assert (before.run, before.waiting) == ((), (one,))
    assert calendar.due(made, "x", since=at("2027-01-01 12:00"), now=one.start).run == (one,)


def test_a_missed_one_says_how_late_and_by_which_rule():
    made = schedule(cron="0 3 * * *", missed={"run_within": "6h"})
    (gone,) = calendar.due(made, "x", since=at("2027-01-01 12:00"), now=at("2027-01-02 11:30")).missed
    assert gone.words == "nobody started it in time (8 h 30 min late), and missed: run_within is 6 h"
