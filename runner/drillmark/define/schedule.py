"""When a drill is due: the schedule of a drill file. Checked here; nothing here runs anything."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from drillmark.define.base import Strict, show, wrong
from drillmark.define.units import PositiveSeconds, Seconds, TimeOfDay, Written, worded

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_DATE = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)


def _cron(value: object) -> str:
    hint = 'five fields, quoted: minute hour day month weekday, such as "0 3 * 1,4,7,10 tue#1"'
    if not isinstance(value, str):
        raise wrong(f"expected a cron line, found {show(value)}", hint)
    parts = value.split()
    if len(parts) != len(_FIELDS):
        raise wrong(f"expected five fields, found {len(parts)} in {show(value)}", hint)
    for part, (name, low, high, words) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _cron_item(item, low, high, words):
                raise wrong(
                    f'"{item}" is no {name} of a cron line',
                    f"{name}: {low} to {high}, *, a-b, */n" + (f", {words[0]}..." if words else ""),
                )
    return value


def _cron_item(item: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    weekday = words == _DAYS
    if item == "L":
        return (low, high) == (1, 31)
    match = re.fullmatch(r"(\*|([a-z0-9]{1,3})(?:-([a-z0-9]{1,3}))?)(?:/([1-9][0-9]?))?(?:#([1-5]))?", item.lower())
    if match is None or (match[5] and (not weekday or match[1] == "*" or match[3])):
        return False
    if match[4] and int(match[4]) > high - low:
        return False  # every ninetieth minute of an hour would be every hour
    numbers = [_cron_number(text, low, words) for text in (match[2], match[3]) if text]
    if any(number is None or not low <= number <= high for number in numbers):
        return False
    return len(numbers) < 2 or weekday or numbers[0] <= numbers[1]  # type: ignore[operator] # noqa: PLR2004


def _cron_number(text: str, low: int, words: tuple[str, ...]) -> int | None:
    if text.isdigit():
        return int(text)
    return words.index(text) + max(low, 1) if text in words else None


Cron = Annotated[str, Written(_cron, r"^\s*\S+(?:\s+\S+){4}\s*$", ("0 3 * 1,4,7,10 tue#1",))]
TimeZone = Annotated[
    str,
    worded(r"^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}$", "a time zone", "Europe/Berlin", "UTC"),
]
Days = Annotated[
    str,
    worded(
        f"^{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*$",
        "days of the week",
        "tue-thu",
        "mon,wed",
        hint="such as tue-thu or mon,wed",
    ),
]
_BLACKOUT = worded(
    rf"^(?:{_DATE}(?:/{_DATE})?|(?![/~\\])(?!.*(?:^|/)\.\.(?:/|$))[^\x00-\x1f]{{1,1000}}\.ics)$",
    "a date, two dates, or a calendar file",
    "2026-12-20/2027-01-06",
    "calendars/freeze.ics",
    hint="such as 2026-12-20/2027-01-06, or a path to an .ics file in the workspace",
)


def _blackout(value: object) -> object:
    text = _BLACKOUT.check(value)
    if isinstance(text, str) and not text.endswith(".ics"):
        dates = [_real(part) for part in text.split("/")]
        if dates[-1] < dates[0]:
            raise wrong(f"{show(text)} ends before it begins", "write the earlier date first")
    return text


def _real(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise wrong(f"there is no {text}", "year-month-day, such as 2026-12-20") from error


Blackout = Annotated[str, replace(_BLACKOUT, check=_blackout)]


class Window(Strict):
    """The only hours in which a run may begin."""

    model_config = ConfigDict(serialize_by_alias=True)

    days: Days | None = Field(default=None, description="Days of the week; every day unless given.")
    from_: TimeOfDay = Field(alias="from", description="The window opens, in the schedule's time zone.")
    to: TimeOfDay = Field(description="The window closes; earlier than `from` means the next day.")

    @model_validator(mode="after")
    def _is_some_time(self) -> Window:
        if self.from_ == self.to:
            raise wrong("the window closes when it opens", 'the whole day is written from: "00:00", to: "23:59"')
        return self


class RunWithin(Strict):
    """A missed run is made up for, if it is not too late."""

    run_within: PositiveSeconds = Field(description="How late a missed run may still begin.")


class Retry(Strict):
    """A run that ended unknown is run again; one that failed never is: it has measured something."""

    times: int = Field(default=1, ge=1, le=10, description="How often; once unless given.")
    wait: PositiveSeconds = Field(default=600.0, description="How long after its end; 10m unless given.")


def _missed_tag(value: Any) -> str:
    return "<within>" if isinstance(value, (dict, RunWithin)) else "<word>"


Missed = Annotated[
    Annotated[RunWithin, Tag("<within>")] | Annotated[Literal["skip", "once"], Tag("<word>")],
    Discriminator(_missed_tag),
]


class Schedule(Strict):
    """When the drill is due: `every` or `cron`."""

    every: Literal["night", "week", "month", "quarter", "half", "year"] | None = Field(
        default=None, description="How often the drill is due; may stand for `cron`."
    )
    cron: Cron | None = Field(
        default=None, description="Five fields: minute, hour, day, month, weekday (`tue#1`: the first Tuesday)."
    )
    time_zone: TimeZone | None = Field(default=None, description="The zone of `cron` and `window`; UTC unless given.")
    window: Window | None = Field(default=None, description="The only hours in which a run may begin.")
    missed: Missed | None = Field(
        default=None,
        description="Of runs missed: skip them (unless given), run the newest once, or run each within a time.",
    )
    retry: Retry | None = Field(
        default=None, description="A run that ended unknown (its worker died, say) is run again; not unless given."
    )
    blackouts: list[Blackout] = Field(
        default_factory=list, description="Dates on which nothing runs, or .ics files of them."
    )
    jitter: Seconds | None = Field(default=None, description="A run begins up to so much later, at random.")
    priority: int | None = Field(default=None, ge=0, le=100, description="Of two due drills, the higher runs first.")
