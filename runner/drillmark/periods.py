"""Periods of the calendar: where nights, weeks, months, quarters, halves and years begin, and their names. Pure.

`begin`, `following` and `days` are of dates, so that a schedule may count them in its own zone; a `Period` has a name
(`2026Q4`, `2026`, `2026H1`, `202611`) and is told in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from drillmark.errors import UsageError

Every = Literal["night", "week", "month", "quarter", "half", "year"]

_MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_YEAR_MONTHS = 12
_DAY = timedelta(days=1)
_NAME = re.compile(r"(\d{4})(?:-?(?:[Qq]([1-4])|[Hh]([12])|(0[1-9]|1[0-2])))?")


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin`, up to and without `end`; both at midnight in UTC."""

    name: str
    begin: datetime
    end: datetime

    @property
    def first(self) -> date:
        """Its first day."""
        return self.begin.date()

    @property
    def last(self) -> date:
        """Its last day, which belongs to it."""
        return self.end.date() - _DAY


def parse(text: str) -> Period:
    """The period of that name. Raises UsageError where there is none."""
    found = _NAME.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= 9998:  # noqa: PLR2004 (the years that a calendar has)
        raise UsageError(
            f"{text!r} is no period", hint="a quarter (2026Q4), a year (2026), a half (2026H1) or a month (202611)"
        )
    year, quarter, half, month = found.groups()
    if quarter:
        return _period("quarter", f"{year}Q{quarter}", date(int(year), int(quarter) * _MONTHS["quarter"], 1))
    if half:
        return _period("half", f"{year}H{half}", date(int(year), int(half) * _MONTHS["half"], 1))
    if month:
        return _period("month", f"{year}{month}", date(int(year), int(month), 1))
    return _period("year", year, date(int(year), 1, 1))


def quarter_of(day: date) -> Period:
    """The quarter that the day lies in."""
    return parse(f"{day.year:04}Q{(day.month + 2) // _MONTHS['quarter']}")


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
        return first + _DAY
    if every == "week":
        return first + timedelta(days=7)
    years, months = divmod(first.month - 1 + _MONTHS[every], _YEAR_MONTHS)
    return date(first.year + years, months + 1, 1)


def days(every: Every, first: date) -> Iterator[date]:
    """The days of the period that begins then."""
    end = following(every, first)
    while first < end:
        yield first
        first += _DAY


def _period(every: Every, name: str, day: date) -> Period:
    first = begin(every, day)
    return Period(name, *(datetime.combine(each, time(), UTC) for each in (first, following(every, first))))
