"""Entries of the journal: append-only, each chained to the one before by SHA-256. Pure.

The hash covers everything in an entry but itself, as canonical JSON (sorted keys, no spaces, UTF-8), so that an
auditor can check a chain with any language's JSON and SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from drillmark.errors import JournalError
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.stamp import Stamp

FIRST_PREVIOUS_HASH = "0" * 64
# Made once: a long journal asks a hundred thousand times.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> str:
    """The one text of a JSON value. Raises TypeError or ValueError for what JSON cannot hold (NaN included)."""
    return _ENCODER.encode(value)


def follow(  # the fields of an entry
    previous: Entry | None, *, run: str, epoch: int, kind: Kind, stamp: Stamp, data: dict[str, Any]
) -> Entry:
    """The entry that comes after `previous` (None: the first)."""
    sequence = 1 if previous is None else previous.sequence + 1
    previous_hash = FIRST_PREVIOUS_HASH if previous is None else previous.hash
    # A round trip through JSON now, so that the entry in memory is what a reader will get.
    data = json.loads(canonical(data))
    body = _body(sequence, run, epoch, kind, stamp, data, previous_hash)
    return Entry(sequence, run, epoch, kind, stamp, data, previous_hash, _digest(body))


def to_line(entry: Entry) -> str:
    """One line of `journal.jsonl`, without its line end."""
    return canonical(_body_of(entry) | {"hash": entry.hash})


def from_line(line: str) -> Entry:
    """The inverse of `to_line`. Raises JournalError where the line is not an entry."""
    try:
        return from_body(json.loads(line))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise JournalError(f"not a journal entry: {line[:80]!a} ({str(error)[:200]!a})") from error


def from_body(body: Any) -> Entry:
    """An entry out of its JSON. Raises ValueError, KeyError or TypeError where it is none."""
    for name in ("sequence", "epoch"):
        if type(body[name]) is not int:
            raise ValueError(f"{name} is not a whole number")
    if not isinstance(body["data"], dict):
        raise TypeError("data is not an object")
    # Read as strictly as it is written: NaN and infinity are no JSON.
    canonical(body["data"])
    return Entry(
        sequence=body["sequence"],
        run=str(body["run"]),
        epoch=body["epoch"],
        kind=Kind(body["kind"]),
        stamp=Stamp.from_json(body["stamp"]),
        data=cast("dict[str, Any]", body["data"]),
        previous_hash=str(body["previous_hash"]),
        hash=str(body["hash"]),
    )


def first_break(entries: Sequence[Entry]) -> str:
    """Where a chain is broken, as one sentence; empty if it is whole."""
    previous: Entry | None = None
    for entry in entries:
        expected = 1 if previous is None else previous.sequence + 1
        if entry.sequence != expected:
            return f"entry {entry.sequence} stands where {expected} should"
        if entry.previous_hash != (FIRST_PREVIOUS_HASH if previous is None else previous.hash):
            return f"entry {entry.sequence} does not follow from the one before it"
        if entry.hash != _digest(_body_of(entry)):
            return f"entry {entry.sequence} was changed after it was written"
        previous = entry
    return ""


@dataclass(frozen=True, slots=True)
class Last:
    """The last intent of an effect and the outcome that belongs to it."""

    intent: Entry
    outcome: Entry | None

    @property
    def attempt(self) -> int:
        """Which attempt it was; counts from 1."""
        return int(self.intent.data.get("attempt", 1))

    @property
    def status(self) -> str:
        """The outcome's status; empty while there is none."""
        return "" if self.outcome is None else str(self.outcome.data.get("status", ""))


def last(entries: Iterable[Entry], effect: Effect, key: str = "") -> Last | None:
    """The last attempt at an effect, or None where it was never begun."""
    intent: Entry | None = None
    outcome: Entry | None = None
    for entry in entries:
        if entry.kind not in (Kind.INTENT, Kind.OUTCOME) or entry.effect is not effect or entry.key != key:
            continue
        if entry.kind is Kind.INTENT:
            intent, outcome = entry, None
        elif intent is not None and entry.data.get("attempt", 1) == intent.data.get("attempt", 1):
            outcome = entry
    return None if intent is None else Last(intent, outcome)


def _body_of(entry: Entry) -> dict[str, Any]:
    return _body(entry.sequence, entry.run, entry.epoch, entry.kind, entry.stamp, entry.data, entry.previous_hash)


def _body(
    sequence: int, run: str, epoch: int, kind: Kind, stamp: Stamp, data: dict[str, Any], previous_hash: str
) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "run": run,
        "epoch": epoch,
        "kind": str(kind),
        "stamp": stamp.as_json(),
        "data": data,
        "previous_hash": previous_hash,
    }


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(body).encode("utf-8", "surrogatepass")).hexdigest()
