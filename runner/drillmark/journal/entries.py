"""Entries of the journal: append-only, each chained to the one before by SHA-256. Pure.

The hash covers everything in an entry but itself, as canonical JSON (sorted keys, no spaces, UTF-8), so that an
auditor can check a chain with any language's JSON and SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from drillmark.errors import JournalError
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.stamp import Stamp

FIRST_PREVIOUS_HASH = "0" * 64
# Made once: a long journal asks a hundred thousand times.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_quoted = json.encoder.encode_basestring
_KINDS: dict[str, Kind] = {kind.value: kind for kind in Kind}


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"no JSON number: {text[:40]}")
    return value


def _refused(text: str) -> float:
    raise ValueError(f"no JSON: {text}")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refused)


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
    """One line of `journal.jsonl`, without its line end: as `canonical` writes it, put together of its parts."""
    stamp = entry.stamp
    return (
        f'{{"data":{canonical(entry.data)},"epoch":{entry.epoch},"hash":{_quoted(entry.hash)}'
        f',"kind":{_quoted(entry.kind)},"previous_hash":{_quoted(entry.previous_hash)},"run":{_quoted(entry.run)}'
        f',"sequence":{entry.sequence},"stamp":{{"boot":{_quoted(stamp.boot)},"host":{_quoted(stamp.host)}'
        f',"monotonic_ns":{stamp.monotonic_ns},"wall_ns":{stamp.wall_ns}}}}}'
    )


def from_line(line: str) -> Entry:
    """The inverse of `to_line`. Raises JournalError where the line is not an entry."""
    try:
        return _entry(parse(line))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise JournalError(f"not a journal entry: {line[:80]!a} ({str(error)[:200]!a})") from error


def parse(text: str) -> Any:
    """JSON, read as strictly as it is written: NaN and infinity are none. Raises ValueError or RecursionError.

    What comes out of here can be written again, so that nobody has to try it.
    """
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError:
        return _DECODER.decode(text)  # blanks before it, or no JSON at all
    return value if end == len(text) else _DECODER.decode(text)


def from_texts(texts: tuple[int, str, int, str, str, str, str, str]) -> Entry:
    """An entry out of its fields as they are stored, in the order of `Entry`'s: stamp and data are texts of JSON.

    Raises ValueError, KeyError, TypeError or RecursionError where it is none.
    """
    sequence, run, epoch, kind, stamp, data, previous_hash, digest = texts
    if type(sequence) is not int or type(epoch) is not int:
        raise ValueError("sequence or epoch is not a whole number")
    body = parse(data)
    if not isinstance(body, dict):
        raise TypeError("data is not an object")
    return Entry(
        sequence, str(run), epoch, _KINDS.get(kind) or Kind(kind), Stamp.from_json(parse(stamp)),
        cast("dict[str, Any]", body), str(previous_hash), str(digest),
    )  # fmt: skip


def _entry(body: Any) -> Entry:
    for name in ("sequence", "epoch"):
        if type(body[name]) is not int:
            raise ValueError(f"{name} is not a whole number")
    if not isinstance(body["data"], dict):
        raise TypeError("data is not an object")
    return Entry(
        sequence=body["sequence"],
        run=str(body["run"]),
        epoch=body["epoch"],
        kind=_KINDS.get(body["kind"]) or Kind(body["kind"]),
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


def run_ended(entries: Sequence[Entry]) -> Entry | None:
    """The entry that says how the run ended, whatever was noted after it (that it was pruned, say); None before."""
    return next((entry for entry in reversed(entries) if entry.kind is Kind.RUN_ENDED), None)


def concluded(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that a run's result rests on: those before it was concluded, for the last time.

    The engine concludes on exactly these, once it has written that it begins to, so measuring a stored run again on
    them gives the same result.
    """
    intents = [n for n, entry in enumerate(entries) if entry.kind is Kind.INTENT and entry.effect is Effect.CONCLUDE]
    before = entries[: intents[-1]] if intents else entries
    return [
        entry
        for entry in before
        if entry.kind is Kind.EVENT or (entry.effect is not Effect.CONCLUDE and entry.kind is not Kind.RUN_ENDED)
    ]


def is_proven_pass(entries: Sequence[Entry]) -> bool:
    """Whether the run passed, by a chain that is whole: one that somebody changed says nothing."""
    end = run_ended(entries)
    return end is not None and end.data.get("verdict") == "passed" and first_break(entries) == ""


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


def last(entries: Sequence[Entry], effect: Effect, key: str = "") -> Last | None:
    """The last attempt at an effect, or None where it was never begun."""
    outcomes: list[Entry] = []
    wanted = effect.value
    # From the end: what is asked for was mostly done last.
    for entry in reversed(entries):
        kind = entry.kind
        if (kind is not Kind.INTENT and kind is not Kind.OUTCOME) or entry.data.get("effect") != wanted:
            continue
        if entry.key != key:
            continue
        if kind is Kind.OUTCOME:
            outcomes.append(entry)
            continue
        attempt = entry.data.get("attempt", 1)
        return Last(entry, next((one for one in outcomes if one.data.get("attempt", 1) == attempt), None))
    return None


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
