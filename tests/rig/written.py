"""Ledgers and survivors written out by hand, with round numbers. Times in seconds since I."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drillmark.model.evidence import Table
from drillmark.model.measurement import Measured
from rig.journal import ORIGIN_NS, ns, table

INVOKED, ACKNOWLEDGED, FAILED = 0, 1, 2


def lo_hi(measured: Measured) -> tuple[float, float | None]:
    assert measured.seconds is not None, measured.reason
    hi = measured.seconds.hi
    return round(measured.seconds.lo, 3), None if hi is None else round(hi, 3)


Write = tuple[int, float, float | None, int]  # id, invoked, acknowledged, timeline


def ledger(writes: Sequence[Write], *, closed: bool = True, **meta: Any) -> Table:
    rows: list[tuple[float, int, int, int]] = []
    for number, invoked, acked, timeline in writes:
        rows.append((invoked, INVOKED, number, 0))
        if acked is not None:
            rows.append((acked, ACKNOWLEDGED, number, timeline))
    rows.sort()
    return table(
        {
            "kind": [row[1] for row in rows],
            "id": [row[2] for row in rows],
            "at_ns": [ORIGIN_NS + ns(row[0]) for row in rows],
            "writer": [0] * len(rows),
            "lsn": [0] * len(rows),
            "timeline": [row[3] for row in rows],
        },
        {"system_identifier": "1"} | meta,
        closed=closed,
    )


def survivors(ids: Sequence[int], *, closed: bool = True, **meta: Any) -> Table:
    return table({"id": list(ids)}, {"identity": "same", "system_identifier": "1", "timeline": 2} | meta, closed=closed)


# Every half second one write, acknowledged a tenth later: 1 at -5, 2 at -4.5, ... 11 at 0 (I). The new store is
# there from 7 on: 101, 102, 103.
OLD: list[Write] = [(number, -5.5 + number / 2, -5.4 + number / 2, 1) for number in range(1, 12)]
NEW: list[Write] = [(100 + number, 6.5 + number / 2, 6.6 + number / 2, 2) for number in range(1, 4)]
NEW_IDS = [101, 102, 103]
