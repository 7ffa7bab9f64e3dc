"""What a service's answer says of a marker: written, surely not written, or nothing; and which rows it lists. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jsonpath2 import match

from drillmark.observe.http import body_of
from drillmark.observe.store import StoreError
from drillmark.observe.tolerance import http_is_good
from drillmark.samples import LedgerKind

ROWS, ROW = "$[*]", "$.id"
_SUCCESS = range(200, 300)
_CLIENT_ERRORS = range(400, 500)
_ACCEPTED = 202  # taken note of, not done
# Errors of the client that do not say that nothing was done: the request timed out on its way, was sent too early and
# perhaps again, or meets something that is there already, which may be its own first copy, sent twice by a proxy.
_NOT_REFUSALS = frozenset({408, 409, 412, 425})


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    content: bytes


def fate_of(
    declared: dict[str, Any], answered: Answered, configuration: dict[str, Any], secrets: dict[str, Any]
) -> LedgerKind:
    """What an answer to a write means.

    Acknowledged: its `tolerance` is met (without one: any 2xx but 202). Refused: a status that it lists under `refused`
    (without a list: a 4xx, but for those that do not say that nothing was done). All else says nothing: a 5xx may come
    after the commit.
    """
    status = answered.status
    if "tolerance" not in declared:
        good = status in _SUCCESS and status != _ACCEPTED
    else:
        try:
            body = body_of(answered.headers, answered.content)
        except ValueError:
            return LedgerKind.INDETERMINATE
        shaped = {"status": status, "headers": answered.headers, "body": body}
        good, _ = http_is_good({"tolerance": declared["tolerance"]}, shaped, configuration, secrets)
    if good:
        return LedgerKind.ACKNOWLEDGED
    refused = declared.get("refused")
    is_refusal = status in refused if refused is not None else status in _CLIENT_ERRORS and status not in _NOT_REFUSALS
    return LedgerKind.FAILED if is_refusal else LedgerKind.INDETERMINATE


def rows_of(declared: dict[str, Any], answered: Answered, *, row: int | None = None) -> list[tuple[int, int]]:
    """The rows that an answer lists, each with the number of the write that it is left by. Raises StoreError.

    `row`: the answer is that row, and must say so by its number, or name its write: a page that says with status 200
    that there is nothing would pass for it. Without a path for the write, a row is left by the write that inserted it.
    """
    if answered.status not in _SUCCESS:
        raise StoreError(f"the service answered {answered.status}")
    try:
        body = json.loads(answered.content)
    except ValueError:
        raise StoreError("the service did not answer in JSON") from None
    write = declared.get("write")
    if row is not None:
        if write is None or "row" in declared:
            number = _number(str(declared.get("row", ROW)), body)
            if number != row:
                raise StoreError(f"the service answered with row {number}, asked for row {row}")
        return [(row, row if write is None else _number(write, body))]
    pairs: list[tuple[int, int]] = []
    for found in match(str(declared.get("rows", ROWS)), body):
        item = found.current_value
        number = _number(str(declared.get("row", ROW)), item)
        pairs.append((number, number if write is None else _number(write, item)))
    return pairs


def _number(path: str, item: Any) -> int:
    # Paths to one key are by far the commonest, and there may be a hundred thousand rows.
    if path.startswith("$.") and path[2:].isidentifier() and isinstance(item, dict):
        values = [item[path[2:]]] if path[2:] in item else []
    else:
        values = [found.current_value for found in match(path, item)]
    try:
        if len(values) == 1 and not isinstance(values[0], bool | float):
            return int(values[0])
    except (TypeError, ValueError):
        pass
    raise StoreError(f"a row has no number at {path}")
