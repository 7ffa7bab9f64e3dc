"""Ten million acknowledged writes judged against survivors, beside numpy.setdiff1d alone.

It is held against `setdiff1d(..., assume_unique=True)`, which has nothing to do but look up. Without that word
numpy first finds the unique ids, which takes ten times as long as all of our work: `DRILLMARK_BENCH_PLAIN=1` shows
it. `DRILLMARK_BENCH_WRITES` sets another number. Ratios gate, absolute figures are reported.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from drillmark import judge, measure
from drillmark.model.evidence import Evidence, Table, Written
from drillmark.model.verdict import Outcome
from rig.journal import ORIGIN_NS, SECOND
from rig.plain import drill
from rig.store import Store

WRITES = int(os.environ.get("DRILLMARK_BENCH_WRITES", "10000000"))
LOST = WRITES // 1000
# Judging reads a ledger of two rows of six columns for each write, and tells far more than the difference. These are
# bounds beyond which something is copied for nothing, or has become quadratic.
# 3.7 to 10.4 was seen: numpy alone takes 0.13 s on a quiet machine and up to 0.34 s on a busy one, ours 1.3 s on both.
TIME_RATIO = 20.0
MEMORY_RATIO = 6.0


def evidence() -> Evidence:
    """WRITES acknowledged over an hour before the fault; the last LOST of them did not come back."""
    ids = np.arange(1, WRITES + 1, dtype=np.int64)
    sent = ORIGIN_NS - 3600 * SECOND + ids * (3600 * SECOND // WRITES) - 2_000_000
    rows = 2 * WRITES
    kind = np.zeros(rows, dtype=np.uint8)
    kind[1::2] = 1
    at = np.repeat(sent, 2)
    at[1::2] += 1_000_000
    timeline = np.zeros(rows, dtype=np.int32)
    timeline[1::2] = 1
    columns: dict[str, Any] = {
        "kind": kind,
        "id": np.repeat(ids, 2),
        "at_ns": at,
        "writer": np.zeros(rows, dtype=np.int32),
        "lsn": np.zeros(rows, dtype=np.int64),
        "timeline": timeline,
    }
    base = drill(store=Store(gone_at=0.2, recovery_point=None, new_from=None)).evidence
    written = base.written[""]
    assert written.ledger is not None
    assert written.survivors is not None
    back = ids[:-LOST].copy()
    np.random.default_rng(1).shuffle(back)  # a table is read back in no order
    ledger = Table(columns, {}, written.ledger.meta, closed=True)
    return replace(base, written={"": Written(ledger, replace(written.survivors, columns={"id": back}))})


def cost(work: Callable[[], Any]) -> tuple[float, int, Any]:
    """Seconds, peak bytes, and the result. A few large arrays: tracing them costs nothing."""
    tracemalloc.start()
    begin = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, peak, result


def best(work: Callable[[], Any]) -> tuple[float, int, Any]:
    """The quickest of three: the others met something else on this machine."""
    return min((cost(work) for _ in range(3)), key=lambda one: one[0])


@pytest.mark.benchmark
def test_judging_writes_costs_little_more_than_the_bare_difference(record_property: Callable[[str, object], None]):
    run = evidence()
    written = run.written[""]
    assert written.ledger is not None
    assert written.survivors is not None
    acknowledged = written.ledger["id"][written.ledger["kind"] == 1]
    back = written.survivors["id"]

    bare, bare_bytes, missing = best(lambda: np.setdiff1d(acknowledged, back, assume_unique=True))
    ours, our_bytes, measured = best(lambda: measure.measure(run))

    assert measured.writes is not None
    assert measured.writes.lost == LOST == len(missing)
    assert measured.writes.acknowledged == WRITES
    rpo = judge.judge(run, measured).of("rpo")
    assert rpo is not None
    assert rpo.outcome is Outcome.PASSED
    figures = {
        "writes": WRITES,
        "setdiff1d_seconds": round(bare, 3),
        "measure_seconds": round(ours, 3),
        "time_ratio": round(ours / bare, 2),
        "setdiff1d_megabytes": bare_bytes // 10**6,
        "measure_megabytes": our_bytes // 10**6,
        "memory_ratio": round(our_bytes / bare_bytes, 2),
    }
    if os.environ.get("DRILLMARK_BENCH_PLAIN"):
        figures["plain_setdiff1d_seconds"] = round(cost(lambda: np.setdiff1d(acknowledged, back))[0], 3)
    for name, value in figures.items():
        record_property(name, value)
    print(figures)
    assert ours / bare <= TIME_RATIO
    assert our_bytes / bare_bytes <= MEMORY_RATIO
