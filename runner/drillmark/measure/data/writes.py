"""What was sent, what was acknowledged, what came back: set arithmetic over the ledger and the survivors.

Ids of a run lie close together, so a write's place in every array is its id less the smallest: no sorting, a few
bytes for each write. Ids that lie far apart are ranked first. Must never count a write twice, however often a row
is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.timeline.frame import UnmeasurableError
from drillmark.model.evidence import Table

INVOKED, ACKNOWLEDGED, FAILED = 0, 1, 2
UPDATE, DELETE = 1, 2
NEVER = np.iinfo(np.int64).max
_SPARSE = 4  # times as many places as rows, and more: rank the ids instead


@dataclass(frozen=True, slots=True)
class Places:
    """Where each id stands."""

    least: int
    size: int
    ids: NDArray[np.int64] | None  # None: the place is the id less the least

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of ids that are all there."""
        return ids - self.least if self.ids is None else np.searchsorted(self.ids, ids)

    def known(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these ids have a place."""
        if self.ids is None:
            return (ids >= self.least) & (ids < self.least + self.size)
        place = np.minimum(np.searchsorted(self.ids, ids), self.size - 1)
        return self.ids[place] == ids

    def ids_at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The inverse of `of`."""
        return places + self.least if self.ids is None else self.ids[places]


@dataclass(frozen=True, slots=True)
class Ledger:
    """One slot for each write; times as the ledger's clock has them, NEVER where there is none.

    Attributes:
        invoked, acknowledged: when; the earliest where a row is repeated.
        failed: definitely refused.
        timeline: of the acknowledgement; 0: not known.
        op: what the write did to its row; None: every write inserted one.
        key: the place of the write that inserted that row; None likewise.
    """

    places: Places
    invoked: NDArray[np.int64]
    acknowledged: NDArray[np.int64]
    failed: NDArray[np.bool_]
    timeline: NDArray[np.int32]
    op: NDArray[np.uint8] | None = None
    key: NDArray[np.int64] | None = None


def read_ledger(table: Table | None) -> Ledger:
    """The ledger, one slot for each write. Raises UnmeasurableError where it cannot be used."""
    if table is None or not len(table):
        raise UnmeasurableError("the ledger cannot be read, or is empty")
    kind, ids, at = table["kind"], table["id"], table["at_ns"]
    places = _place(ids)
    rows_acknowledged = np.flatnonzero(kind == ACKNOWLEDGED)
    invoked = _earliest(places, ids, at, np.flatnonzero(kind == INVOKED))
    acknowledged = _earliest(places, ids, at, rows_acknowledged)
    failed = np.zeros(places.size, dtype=np.bool_)
    failed[places.of(ids[kind == FAILED])] = True
    timeline = np.zeros(places.size, dtype=np.int32)
    if "timeline" in table.columns:
        timeline[places.of(ids[rows_acknowledged])] = table["timeline"][rows_acknowledged]
    if ((acknowledged != NEVER) & ((invoked == NEVER) | (invoked > acknowledged))).any():
        raise UnmeasurableError("the ledger contradicts itself: a write was acknowledged before it was sent")
    op, key = _changes(table, places)
    return Ledger(places, invoked, acknowledged, failed, timeline, op, key)


def _changes(table: Table, places: Places) -> tuple[NDArray[np.uint8] | None, NDArray[np.int64] | None]:
    if "op" not in table.columns or not table["op"].any():
        return None, None
    keys = table["key"]
    if not places.known(keys).all():
        raise UnmeasurableError("the ledger contradicts itself: a row was changed that was never inserted")
    at = places.of(table["id"])
    op = np.zeros(places.size, dtype=np.uint8)
    key = np.arange(places.size, dtype=np.int64)
    op[at], key[at] = table["op"], places.of(keys)
    return op, key


def survived(ledger: Ledger, survivors: Table) -> tuple[NDArray[np.bool_], NDArray[np.int64], int]:
    """Which writes are what a row was read back as; rows that nobody wrote; how many rows were there repeatedly."""
    ids = survivors["id"].astype(np.int64, copy=False)
    values = survivors["value"] if "value" in survivors.columns else ids
    if ledger.key is not None or not np.array_equal(values, ids):
        return _survived_changed(ledger, ids, values)
    known = ledger.places.known(ids)
    place = ledger.places.of(ids[known])
    mask = np.zeros(ledger.places.size, dtype=np.bool_)
    mask[place] = True
    sent = ledger.invoked != NEVER
    never_sent = np.concatenate((ids[~known], ledger.places.ids_at(np.flatnonzero(mask & ~sent))))
    unexpected = np.unique(never_sent)
    unique = int(np.count_nonzero(mask & sent)) + len(unexpected)
    return mask & sent, unexpected, len(ids) - unique


def _survived_changed(
    ledger: Ledger, ids: NDArray[np.int64], values: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], int]:
    """The same where rows carry the number of the write that they are left by: it must have been one of theirs."""
    places, size = ledger.places, ledger.places.size
    op = np.zeros(size, dtype=np.uint8) if ledger.op is None else ledger.op
    key = np.arange(size, dtype=np.int64) if ledger.key is None else ledger.key
    known = places.known(values) & places.known(ids)
    place = places.of(values[known])
    right = (key[place] == places.of(ids[known])) & (op[place] != DELETE) & (ledger.invoked[place] != NEVER)
    mask = np.zeros(size, dtype=np.bool_)
    mask[place[right]] = True
    unexpected = np.unique(np.concatenate((ids[~known], ids[known][~right])))
    return mask, unexpected, len(ids) - int(np.count_nonzero(mask)) - len(unexpected)


def _place(ids: NDArray[np.int64]) -> Places:
    least, most = int(ids.min()), int(ids.max())
    size = most - least + 1
    if size <= _SPARSE * len(ids) + 1024:
        return Places(least, size, None)
    ranked = np.unique(ids)
    return Places(least, len(ranked), ranked)


def _earliest(
    places: Places, ids: NDArray[np.int64], at: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    # Rows are in the order of time: written from the last to the first, the earliest stays.
    rows = rows[::-1]
    found = np.full(places.size, NEVER, dtype=np.int64)
    found[places.of(ids[rows])] = at[rows]
    return found
