"""Bodies of alerts: every format that is read, and hostile ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillmark.observe import alert_bodies
from drillmark.observe.alert_bodies import Alert, BodyError, matches

NOW_NS = 1_800_000_000 * 10**9


def parse(body: Any) -> list[Alert]:
    return alert_bodies.parse(body if isinstance(body, bytes) else json.dumps(body).encode(), now_ns=NOW_NS)


def test_alertmanagers_body_is_read_with_status_labels_and_start():
    one = {
        "status": "firing",
        "labels": {"alertname": "Down", "job": "x"},
        "startsAt": "2027-01-15T08:00:00.123456789Z",
    }
    two = {"status": "resolved", "labels": {"alertname": "Up"}, "startsAt": "0001-01-01T00:00:00Z"}
    first, second = parse({"version": "4", "status": "firing", "commonLabels": {}, "alerts": [one, two]})
    assert first == Alert("firing", {"alertname": "Down", "job": "x"}, 1_800_000_000 * 10**9 + 123_456_000)
    assert second == Alert("resolved", {"alertname": "Up"}, None)


def test_prometheus_own_list_has_no_status_and_is_over_when_its_end_is():
    alert = {"labels": {"alertname": "Down"}, "startsAt": "2027-01-15T07:59:00Z"}
    (over,) = parse([alert | {"endsAt": "2027-01-15T07:59:30Z"}])
    (goes_on,) = parse([alert | {"endsAt": "2027-01-15T08:04:00Z"}])
    assert (over.status, goes_on.status) == ("resolved", "firing")


def test_plain_json_is_labels_alone():
    (alert,) = parse({"alertname": "Down", "severity": 1, "page": True, "nested": {"a": 1}, "status": "firing"})
    assert alert == Alert("firing", {"alertname": "Down", "severity": "1", "page": "true"})
    assert matches(alert, {"alertname": "Down", "severity": "1"})
    assert not matches(alert, {"alertname": "Down", "severity": "2"})
    assert not matches(alert, {"alertname": "Down", "team": ""})
    assert matches(alert, {})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 200_000, "no JSON"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested"),
        (b" " * (alert_bodies.LIMIT_BYTES + 1), "larger"),
        (b"7", "neither"),
        (b"[]", "0 alerts"),
        (b"[7]", "no object"),
        (b"{}", "0 labels"),
        (b'{"alerts": []}', "0 alerts"),
        (b'{"labels": 7}', "no object"),
        (b'{"labels": {"a": "b"}, "status": "\\u001b[2J"}', "status"),
        (json.dumps([{"a": "b"}] * 201).encode(), "201 alerts"),
        (json.dumps({str(n): "x" for n in range(65)}).encode(), "65 labels"),
        (b'{"alertname": NaN, "x": ' + b"9" * 5000 + b"}", "no JSON"),
    ],
)
def test_what_is_no_alert_is_told_in_harmless_words(body, why):
    with pytest.raises(BodyError, match=why) as found:
        parse(body)
    assert str(found.value).isprintable()
    assert len(str(found.value)) < 200


def test_control_characters_are_taken_out_and_long_text_is_cut():
    (alert,) = parse({"alertname": "a\x1b[2J\u202e\nb" + "x" * 1000, "y" * 1000: "z"})
    assert all(text.isprintable() and len(text) <= 200 for pair in alert.labels.items() for text in pair)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["alerts", "labels", "status", "startsAt", "endsAt", "alertname"]) | st.text(), inner
        )
    ),
    max_leaves=20,
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
def test_any_body_is_read_or_refused(body):
    try:
        found = parse(body)
    except BodyError:
        return
    assert all(alert.status in ("firing", "resolved") and alert.labels for alert in found)
    assert all(text.isprintable() for alert in found for pair in alert.labels.items() for text in pair)
    json.dumps([alert.labels for alert in found]).encode()
