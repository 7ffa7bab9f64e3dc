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
    """

    places: Places
    invoked: NDArray[np.int64]
    acknowledged: NDArray[np.int64]
    failed: NDArray[np.bool_]
    timeline: NDArray[np.int32]


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
    return Ledger(places, invoked, acknowledged, failed, timeline)


def survived(ledger: Ledger, ids: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64], int]:
    """Which writes were read back; ids that were never sent; how many rows were there more than once."""
    known = ledger.places.known(ids)
    place = ledger.places.of(ids[known])
    mask = np.zeros(ledger.places.size, dtype=np.bool_)
    mask[place] = True
    sent = ledger.invoked != NEVER
    never_sent = np.concatenate((ids[~known], ledger.places.ids_at(np.flatnonzero(mask & ~sent))))
    unexpected = np.unique(never_sent)
    unique = int(np.count_nonzero(mask & sent)) + len(unexpected)
    return mask & sent, unexpected, len(ids) - unique


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
