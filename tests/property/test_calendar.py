"""Cron lines in zones with changes of clocks, against an oracle that walks through every minute.

The oracle knows nothing of how occurrences are found: it asks of each minute on the wall clock whether the line names
it, and of each change of clocks what it skipped or repeated.
"""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from drillmark import calendar
from schedules import schedule

MINUTE = timedelta(minutes=1)
# Days around changes of clocks, and the zones in which they are.
CHANGES = {
    "Europe/Berlin": ("2027-03-28", "2027-10-31"),
    "America/New_York": ("2027-03-14", "2027-11-07"),
    "Australia/Lord_Howe": ("2027-04-04", "2027-10-03"),
    "America/Sao_Paulo": ("2018-11-04", "2018-02-18"),
    "Africa/Casablanca": ("2027-02-07", "2027-03-14"),
    "Asia/Kolkata": ("2027-03-28", "2027-10-31"),
}
minutes = st.sampled_from(["0", "30", "15,45", "*/20", "59", "*"])
hours = st.sampled_from(["0", "1", "2", "3", "*", "*/2", "1-3", "23", "0-2"])
days = st.sampled_from(["*", "28", "L", "*/2", "1-7"])
weekdays = st.sampled_from(["*", "sun", "sat-mon", "sun#1", "sun#2", "0,3"])
lines = st.tuples(minutes, hours, days, st.just("*"), weekdays).map(" ".join)
places = st.sampled_from([(zone, day) for zone, both in CHANGES.items() for day in both])


def field(text: str, size: int) -> set[int]:
    """The numbers of one field, by hand."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0", "", str(size - 1)) if span == "*" else span.partition("-")
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


def named_by(cron: str, begin: datetime, end: datetime, tz: ZoneInfo) -> list[datetime]:
    """Every instant that the line names, minute by minute."""
    minute, hour, *rest = cron.split()
    at_minutes, at_hours = field(minute, 60), field(hour, 24)
    on_days = cache(lambda day: croniter.match(" ".join(["0", "0", *rest]), datetime.combine(day, time())))

    def names(wall: datetime) -> bool:
        return wall.minute in at_minutes and wall.hour in at_hours and on_days(wall.date())

    found: list[datetime] = []
    at = begin
    while at < end:
        there, before = at.astimezone(tz), (at - MINUTE).astimezone(tz)
        wall = there.replace(tzinfo=None, fold=0)
        skipped = max(int((wall - before.replace(tzinfo=None, fold=0)) / MINUTE) - 1, 0)
        shown = [wall - MINUTE * step for step in range(skipped + 1)]
        if any(names(each) for each in shown) and (hour.startswith("*") or there.fold == 0):
            found.append(at)
        at += MINUTE
    return found


@given(cron=lines, place=places)
@settings(max_examples=40, deadline=None)
def test_what_is_due_is_what_a_walk_through_every_minute_finds(cron, place):
    zone, day = place
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=14)
    end = begin + timedelta(hours=34)
    expected = named_by(cron, begin, end, ZoneInfo(zone))
    made = schedule(cron=cron, time_zone=zone)
    found = [each.due for each in calendar.occurrences(made, "x", after=begin - MINUTE, until=end - MINUTE)]
    assert found == expected


@given(cron=lines, place=places, cuts=st.lists(st.integers(0, 34 * 60), max_size=6))
@settings(max_examples=60, deadline=None)
def test_where_a_heartbeat_cuts_changes_nothing(cron, place, cuts):
    zone, day = place
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=14)
    edges = sorted({begin, *(begin + MINUTE * cut for cut in cuts), begin + timedelta(hours=34)})
    made = schedule(cron=cron, time_zone=zone)
    whole = list(calendar.occurrences(made, "x", after=edges[0], until=edges[-1]))
    pieces = [
        each
        for since, until in itertools.pairwise(edges)
        for each in calendar.occurrences(made, "x", after=since, until=until)
    ]
    assert pieces == whole


@given(
    every=st.sampled_from(["night", "week", "month", "quarter", "half", "year"]),
    place=st.sampled_from(list(CHANGES)),
    day=st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    span=st.integers(0, 40),
    window=st.sampled_from(
        [None, {"from": "02:00", "to": "05:00"}, {"days": "tue-thu", "from": "22:00", "to": "04:00"}]
    ),
)
@settings(max_examples=30, deadline=None)
def test_a_period_has_at_most_one_and_none_that_is_shut_out(every, place, day, span, window):
    fields = {"every": every, "time_zone": place, "blackouts": [f"{day}/{day + timedelta(days=span)}"]}
    made = schedule(**fields, **({"window": window} if window else {}))
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    found = [each.due for each in calendar.occurrences(made, "x", after=begin, until=begin + timedelta(days=400))]
    assert found == sorted(set(found))
    assert not [at for at in found if calendar.shut_at(made, at)]
    shortest = {"night": 1, "week": 7, "month": 28, "quarter": 90, "half": 181, "year": 365}[every]
    longest = {"night": 1, "week": 7, "month": 31, "quarter": 92, "half": 184, "year": 366}[every]
    assert len(found) <= 400 / shortest + 2
    if window is None:
        assert len(found) >= 400 / longest - (span + 1) / shortest - 2
