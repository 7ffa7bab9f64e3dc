"""Quantities with units: what is read, and what is said against the rest."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from drillmark.define import units


def said(kind, value) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (error,) = caught.value.errors()
    return error["ctx"]["message"], error["ctx"]["hint"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4h", 14400),
        ("100ms", 0.1),
        ("0s", 0),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("2d", 172800),
        ("1m500ms", 60.5),
        ("10m", 600),
    ],
)
def test_durations(text, seconds):
    assert units.duration_seconds(text) == seconds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-5, "a duration cannot be negative, found -5"),
        ("-5s", 'a duration cannot be negative, found "-5s"'),
        (30, "a duration needs a unit, found 30"),
        ("30", 'a duration needs a unit, found "30"'),
        (0, "a duration needs a unit, found 0"),
        (1.5, "a duration needs a unit, found 1.5"),
        ("", 'expected a duration, found ""'),
        ("5 s", 'expected a duration, found "5 s"'),
        ("5sec", 'expected a duration, found "5sec"'),
        ("30m1h", 'expected a duration, found "30m1h"'),
        ("5s5s", 'expected a duration, found "5s5s"'),
        ("1e3s", 'expected a duration, found "1e3s"'),
        ("٣s", 'expected a duration, found "٣s"'),
        (True, "expected a duration, found true"),
        (["5s"], "expected a duration, found a list"),
        ("12:00", 'expected a duration, found "12:00"'),
        ("9999999999h", 'expected a duration, found "9999999999h"'),
    ],
)
def test_durations_that_are_none(value, message):
    assert said(units.Seconds, value)[0] == message


def test_a_unitless_duration_is_told_how_to_write_it():
    assert said(units.Seconds, 30)[1] == "write 30s if seconds are meant"


def test_a_duration_longer_than_zero():
    assert said(units.PositiveSeconds, "0s")[0] == 'expected a duration longer than zero, found "0s"'


@pytest.mark.parametrize(
    ("text", "ratio"), [("99.9%", 0.999), ("0%", 0.0), ("100%", 1.0), ("1%", 0.01), ("100.0%", 1.0)]
)
def test_percentages(text, ratio):
    assert TypeAdapter(units.Ratio).validate_python(text) == ratio


@pytest.mark.parametrize("value", ["99.9", 0.999, "101%", "-1%", "100.1%", "%", True, None])
def test_percentages_that_are_none(value):
    assert said(units.Ratio, value)[0].startswith("expected a percentage, found ")


@pytest.mark.parametrize(("text", "rate"), [("100/s", 100), ("60/m", 1), ("0.5/s", 0.5), ("3600/h", 1)])
def test_rates(text, rate):
    assert TypeAdapter(units.PerSecond).validate_python(text) == rate


@pytest.mark.parametrize("value", [100, "100", "100/d", "/s", "-1/s"])
def test_rates_that_are_none(value):
    assert said(units.PerSecond, value)[0].startswith("expected a rate, found ")


@pytest.mark.parametrize("path", ["/etc/passwd", "~/x", "../x", "a/../../x", "a/..", "", "a\nb", "\\\\host\\x"])
def test_paths_stay_in_the_workspace(path):
    assert said(units.WorkspacePath, path)[0].startswith("expected a path inside the workspace")


@pytest.mark.parametrize("path", ["a.yaml", "a b/c.yaml", "..a/x", "a..b", "./x"])
def test_paths_in_the_workspace(path):
    assert TypeAdapter(units.WorkspacePath).validate_python(path) == path


@pytest.mark.parametrize("value", ["Orders", "-a", "a-", "a_b", "a" * 64, "ä", "a/b"])
def test_ids_that_are_none(value):
    assert said(units.Slug, value)[0].startswith("expected an id, found ")


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_parts_of_a_duration_add_up(days, hours, minutes, seconds, milliseconds):
    text = f"{days}d{hours}h{minutes}m{seconds}s{milliseconds}ms"
    expected = days * 86400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    assert units.duration_seconds(text) == pytest.approx(expected, abs=1e-9)


@given(st.text(alphabet="0123456789dhms.- ", max_size=8))
def test_the_pattern_for_editors_says_what_the_reader_says(text):
    reads = True
    try:
        TypeAdapter(units.PositiveSeconds).validate_python(text)
    except ValidationError:
        reads = False
    assert bool(re.search(units.POSITIVE_DURATION_PATTERN, text)) == reads
