"""The periods of `every`: nights, weeks, months, quarters, halves and years, by the calendar of the schedule's zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

Every = Literal["night", "week", "month", "quarter", "half", "year"]
_MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_YEAR_MONTHS = 12


def begin(every: Every, day: date) -> date:
    """The first day of the period that the day lies in; weeks begin on Monday."""
    if every == "night":
        return day
    if every == "week":
        return day - timedelta(days=day.weekday())
    return date(day.year, (day.month - 1) // _MONTHS[every] * _MONTHS[every] + 1, 1)


def following(every: Every, first: date) -> date:
    """The first day of the next period; `first` is the first day of one."""
    if every == "night":
        return first + timedelta(days=1)
    if every == "week":
        return first + timedelta(days=7)
    years, months = divmod(first.month - 1 + _MONTHS[every], _YEAR_MONTHS)
    return date(first.year + years, months + 1, 1)


def days(every: Every, first: date) -> Iterator[date]:
    """The days of the period that begins then."""
    end = following(every, first)
    while first < end:
        yield first
        first += timedelta(days=1)
