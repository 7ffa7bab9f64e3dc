"""What a period is called: `2026Q4`, `2026`, `2026H1`, `202611`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from drillmark.errors import UsageError

_NAME = re.compile(r"(\d{4})(?:-?(?:[Qq]([1-4])|[Hh]([12])|(0[1-9]|1[0-2])))?")
_LENGTHS = {"Q": 3, "H": 6}


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin`, up to and without `end`; both at midnight in UTC."""

    name: str
    begin: datetime
    end: datetime


def parse(text: str) -> Period:
    """The period of that name. Raises UsageError where there is none."""
    found = _NAME.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= 9998:  # noqa: PLR2004 (the years that a calendar has)
        raise UsageError(
            f"{text!r} is no period", hint="a quarter (2026Q4), a year (2026), a half (2026H1) or a month (202611)"
        )
    year, quarter, half, month = found.groups()
    if quarter:
        return _months(f"{year}Q{quarter}", int(year), (int(quarter) - 1) * _LENGTHS["Q"] + 1, _LENGTHS["Q"])
    if half:
        return _months(f"{year}H{half}", int(year), (int(half) - 1) * _LENGTHS["H"] + 1, _LENGTHS["H"])
    if month:
        return _months(f"{year}{month}", int(year), int(month), 1)
    return _months(year, int(year), 1, 12)


def _months(name: str, year: int, first: int, count: int) -> Period:
    last = first + count - 1
    begin = datetime(year, first, 1, tzinfo=UTC)
    end = datetime(year + last // 12, last % 12 + 1, 1, tzinfo=UTC)
    return Period(name, begin, end)
