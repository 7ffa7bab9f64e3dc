"""Quantities with their units, as people write them: `1h30m`, `99.9%`, `100/s`, `02:00`.

Each type checks the text, holds a number in the unit that its name says, and brings its own JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from drillmark.define.base import show, wrong

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_UNIT_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": Decimal("0.001")}
DURATION_PATTERN = f"^(?=.)(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m(?!s))?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?$"
_PART = re.compile(f"({_NUMBER})(ms|d|h|m|s)")
POSITIVE_DURATION_PATTERN = DURATION_PATTERN.replace("^(?=.)", "^(?=.*[1-9])")
PERCENT_PATTERN = r"^(?:100(?:\.0{1,9})?|[0-9]{1,2}(?:\.[0-9]{1,9})?)%$"
RATE_PATTERN = f"^{_NUMBER}/(?:s|m|h)$"
POSITIVE_RATE_PATTERN = RATE_PATTERN.replace("^", "^(?=.*[1-9])", 1)
TIME_PATTERN = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"
_DURATION_HINT = "a duration is a number with its unit: 100ms, 30s, 5m, 4h, 1h30m, 7d"


def duration_seconds(value: object) -> float:
    """The seconds of a duration. Raises an error with a hint for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < 0:
            raise wrong(f"a duration cannot be negative, found {value}", _DURATION_HINT)
        raise wrong(f"a duration needs a unit, found {value}", f"write {value}s if seconds are meant")
    if not isinstance(value, str):
        raise wrong(f"expected a duration, found {show(value)}", _DURATION_HINT)
    if re.fullmatch(DURATION_PATTERN, value):
        return float(sum(Decimal(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(value)))
    if value.strip().startswith("-"):
        raise wrong(f"a duration cannot be negative, found {show(value)}", _DURATION_HINT)
    if re.fullmatch(r"\s*[0-9.]+\s*", value):
        raise wrong(f"a duration needs a unit, found {show(value)}", f"write {value.strip()}s if seconds are meant")
    raise wrong(f"expected a duration, found {show(value)}", _DURATION_HINT)


def _positive_seconds(value: object) -> float:
    seconds = duration_seconds(value)
    if seconds <= 0:
        raise wrong(f"expected a duration longer than zero, found {show(value)}")
    return seconds


def _ratio(value: object) -> float:
    if isinstance(value, str) and re.fullmatch(PERCENT_PATTERN, value):
        return float(Decimal(value[:-1]) / 100)
    hint = "a percentage lies between 0% and 100%, and is written with its sign: 99.9%"
    raise wrong(f"expected a percentage, found {show(value)}", hint)


def _per_second(value: object) -> float:
    if isinstance(value, str) and re.fullmatch(RATE_PATTERN, value):
        number, _, unit = value.partition("/")
        return float(Decimal(number) / _UNIT_SECONDS[unit])
    raise wrong(f"expected a rate, found {show(value)}", "a rate is written with its unit: 100/s")


def _positive_per_second(value: object) -> float:
    rate = _per_second(value)
    if rate <= 0:
        raise wrong(f"expected a rate above zero, found {show(value)}")
    return rate


@dataclass(frozen=True, slots=True)
class Written:
    """Annotates a type with how it is written in files: `check` makes the value, the pattern is for editors."""

    check: Callable[[object], object]
    pattern: str
    examples: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The check, before pydantic's own."""
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Text of that pattern, whatever it becomes."""
        return self.as_schema()

    def as_schema(self) -> dict[str, Any]:
        """The JSON Schema of the text."""
        made: dict[str, Any] = {"type": "string", "pattern": self.pattern}
        return made | {"examples": list(self.examples)} if self.examples else made


def worded(pattern: str, what: str, *examples: str, hint: str = "") -> Written:
    """Text of a fixed form, with an error that says in words what the form is."""

    def check(value: object) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        if isinstance(value, (int, float, bool)):
            raise wrong(f"expected {what}, found {show(value)}", f'quote it if text is meant: "{show(value)}"')
        raise wrong(f"expected {what}, found {show(value)}", hint)

    return Written(check, pattern, examples)


_PATH = worded(
    r"^(?![/~\\])(?!.*(?:^|/)\.\.(?:/|$))[^\x00-\x1f]{1,1000}$",
    "a path inside the workspace",
    "experiments/orders-db-lost.yaml",
    hint="paths count from the workspace root, and do not leave it (no leading /, no ..)",
)
WORKSPACE_PATH_SCHEMA = _PATH.as_schema()

Seconds = Annotated[float, Written(duration_seconds, DURATION_PATTERN, ("30s", "1h30m"))]
PositiveSeconds = Annotated[float, Written(_positive_seconds, POSITIVE_DURATION_PATTERN, ("30s", "1h30m"))]
Ratio = Annotated[float, Written(_ratio, PERCENT_PATTERN, ("99.9%", "1%"))]
PerSecond = Annotated[float, Written(_per_second, RATE_PATTERN, ("100/s",))]
PositivePerSecond = Annotated[float, Written(_positive_per_second, POSITIVE_RATE_PATTERN, ("20/s",))]
TimeOfDay = Annotated[
    str, worded(TIME_PATTERN, "a time of day", "02:00", hint="hours and minutes, from 00:00 to 23:59")
]
Slug = Annotated[
    str,
    worded(
        r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
        "an id",
        "orders-db-lost",
        hint="lower-case letters, digits and hyphens, at most 63, with a letter or digit at both ends",
    ),
]
Text = Annotated[str, worded(r"^(?=.*\S)[^\x00-\x1f]{1,500}$", "text on one line", hint="at most 500 characters")]
Name = Annotated[str, worded(r"^(?=.*\S)[^\x00-\x1f]{1,200}$", "a name", hint="at most 200 characters on one line")]
WorkspacePath = Annotated[str, _PATH]
Url = Annotated[str, worded(r"^https?://[^\s]{1,1000}$", "an http address", "http://127.0.0.1:8080")]


def duration_text(seconds: float) -> str:
    """Seconds as a drill would write them, in the largest unit that takes them whole: `30s`, `7d`, `1500ms`."""
    for unit, length in _UNIT_SECONDS.items():
        number = Decimal(repr(seconds)) / length
        if number and number == number.to_integral_value():
            return f"{number:.0f}{unit}"
    return f"{seconds:g}s"
