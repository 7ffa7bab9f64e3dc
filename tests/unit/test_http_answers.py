"""What a service's answer to a question for one row proves: only what the body itself says."""

from __future__ import annotations

from typing import Any

import pytest

from drillmark.observe.http_answers import Answered, rows_of
from drillmark.observe.store import StoreError


def asked(body: bytes, **declared: Any) -> list[tuple[int, int]]:
    return rows_of({"url": "http://127.0.0.1/markers/${marker_row}"} | declared, Answered(200, {}, body), row=7)


@pytest.mark.parametrize(
    "body", [b"null", b"{}", b"[]", b'{"error": "no such row"}', b'{"id": 8}', b'{"id": null}', b'{"id": true}', b"7"]
)
def test_an_answer_that_does_not_hold_the_rows_number_is_no_row(body: bytes):
    with pytest.raises(StoreError):
        asked(body)


def test_an_answer_that_holds_it_is():
    assert asked(b'{"id": 7}') == [(7, 7)]
    assert asked(b'{"order": {"number": "7"}}', row="$.order.number") == [(7, 7)]


def test_a_write_vouches_for_its_row_unless_a_path_to_the_row_is_named_too():
    assert asked(b'{"write": 9}', write="$.write") == [(7, 9)]
    assert asked(b'{"id": 7, "write": 9}', row="$.id", write="$.write") == [(7, 9)]
    for body in (b'{"id": 8, "write": 9}', b'{"write": 9}'):
        with pytest.raises(StoreError):
            asked(body, row="$.id", write="$.write")
    with pytest.raises(StoreError):
        asked(b'{"error": "no such row"}', write="$.write")
