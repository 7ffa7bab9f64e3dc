"""Whatever an activity returns becomes JSON of bounded size."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillmark.chaos.values import LIMIT_BYTES, cut, failure_text, jsonable, no_answer, provider_failure

_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner) | st.sets(st.integers())
    ),
)


class _Rude:
    def __str__(self):
        raise RuntimeError("no")


def test_values_of_common_kinds():
    value = {
        1: b"\xff",
        "when": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        "price": decimal.Decimal("1.50"),
        "id": uuid.UUID(int=1),
        "nan": float("nan"),
        "set": {1},
        "lone": "\ud800",
        "rude": _Rude(),
    }
    assert jsonable(value) == {
        "1": "\\xff",
        "when": "2026-01-02T00:00:00+00:00",
        "price": "1.50",
        "id": "00000000-0000-0000-0000-000000000001",
        "nan": "nan",
        "set": [1],
        "lone": "\\ud800",
        "rude": "<_Rude without a text: RuntimeError>",
    }


def test_a_value_that_holds_itself_ends():
    value: list[object] = []
    value.append(value)
    assert "[nested too deeply]" in json.dumps(jsonable(value))


@settings(max_examples=40, deadline=None)
@given(_ANY)
def test_anything_becomes_strict_json(value):
    json.dumps(jsonable(value), allow_nan=False).encode()


@pytest.mark.parametrize(
    "value",
    [
        "x" * 200_000,
        "\0" * 200_000,
        "é" * 200_000,
        {"a": "x" * 200_000, "b": 1},
        ["x" * 100] * 5_000,
        ["\U0001f600" * 100] * 500,
        ['\0"\\' * 30] * 5_000,
        {"k": ["y" * 20_000] * 50},
    ],
)
def test_what_is_too_big_is_cut_and_says_so(value):
    small = cut(value)
    assert len(json.dumps(small, ensure_ascii=False).encode()) <= LIMIT_BYTES
    assert "cut" in json.dumps(small)


@settings(max_examples=40, deadline=None)
@given(_ANY)
def test_what_fits_is_left_alone(value):
    plain = jsonable(value)
    if len(json.dumps(plain, ensure_ascii=False).encode()) <= LIMIT_BYTES:
        assert cut(plain) == plain


def test_failures_by_status():
    def failure(kind, provider, status, **others):
        activity = {"type": kind, "provider": {"type": provider}, **others}
        return provider_failure(activity, {"status": status, "stderr": " why \n"})

    assert failure("action", "http", 403) == "the answer has the HTTP status 403"
    assert failure("action", "process", -9) == "the process ended with the status -9: why"
    assert failure("action", "http", 302) == ""
    assert failure("action", "process", 0) == ""
    assert failure("probe", "http", 500) == ""
    assert failure("action", "http", 403, tolerance=403) == ""
    assert failure("action", "python", 1) == ""
    assert provider_failure({"type": "action", "provider": {"type": "process"}}, None) == ""


@pytest.mark.parametrize(
    ("provider", "status", "tolerance", "why"),
    [
        ("http", 503, {"type": "jsonpath", "target": "body", "path": "$.slow"}, "the answer has the HTTP status 503"),
        ("http", 404, {"type": "regex", "target": "body", "pattern": "slow"}, "the answer has the HTTP status 404"),
        ("http", 200, {"type": "regex", "target": "body", "pattern": "slow"}, ""),
        ("http", 404, 200, ""),
        ("http", 404, [200, 204], ""),
        ("http", 404, {"type": "range", "target": "status", "range": [200, 299]}, ""),
        (
            "process",
            2,
            {"type": "regex", "target": "stdout", "pattern": "t"},
            "the process ended with the status 2: why",
        ),
        ("process", 1, 0, ""),
        ("process", 0, {"type": "regex", "target": "stdout", "pattern": "t"}, ""),
        ("python", 2, True, ""),
    ],
)
def test_a_bad_status_is_no_answer_unless_the_tolerance_is_about_it(provider, status, tolerance, why):
    activity = {"type": "probe", "provider": {"type": provider}, "tolerance": tolerance}
    assert no_answer(activity, {"status": status, "stderr": " why \n"}) == why


def test_the_text_of_a_failure():
    assert failure_text({"exception": ["chaoslib.exceptions.ActivityFailed: oh\n"]}) == "oh"
    assert failure_text({}) == "it ended without a status"
