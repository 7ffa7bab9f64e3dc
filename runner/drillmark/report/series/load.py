"""The load in bins: latencies, throughput, errors; nothing where it was silent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.service.beats import FOREVER
from drillmark.measure.service.load import Load
from drillmark.report.series.grid import Grid, quantiles

Numbers = NDArray[np.int64]


# So many requests are sorted at once.
_ENOUGH = 1 << 16
_SHARES = (0.5, 0.95, 0.99)


def rows(found: Load, grid: Grid) -> list[dict[str, Any]]:
    """One row for each bin: latencies by when a request was sent; one that failed was not answered within any time."""
    good, failed, (p50, p95, p99) = _binned(found, grid)
    starts = grid.starts
    # The last bin reaches beyond the end of the watching.
    ends = np.minimum(starts + grid.width, grid.end)
    lived = found.lived(np.maximum(starts, grid.begin), ends)
    lengths = (ends - starts) / 1e9
    made: list[dict[str, Any]] = []
    for n, at in enumerate(grid.times()):
        there = bool(lived[n])
        seconds = float(lengths[n])
        made.append(
            {
                "t": at,
                "p50": p50[n] if there else None,
                "p95": p95[n] if there else None,
                "p99": p99[n] if there else None,
                "ok": round(int(good[n]) / seconds, 2) if there else None,
                "errors": round(int(failed[n]) / seconds, 2) if there else None,
            }
        )
    return made


def _binned(found: Load, grid: Grid) -> tuple[Numbers, Numbers, list[list[float | None]]]:
    """How many were answered, how many failed, and the latencies, in each bin; a piece of the load at a time."""
    edges = np.append(grid.starts, grid.begin + grid.width * grid.count)
    good, failed = np.zeros((2, grid.count), dtype=np.int64)
    shares: list[list[float | None]] = [[] for _ in _SHARES]
    place, latency, done = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), 0
    for requests, upto in found.pieces():
        good += grid.counts(requests.completed)
        failed += grid.counts(requests.start[~requests.ok])
        sent = np.searchsorted(requests.start, edges, side="left")
        place = np.append(place, np.repeat(np.arange(grid.count), np.diff(sent)))
        latency = np.append(latency, requests.latency[sent[0] : sent[-1]])
        # Of bins that end before what is still to come was sent, all is known.
        until = min(grid.count, max(done, (upto - grid.begin) // grid.width))
        if until == grid.count or len(place) > _ENOUGH:
            known = place < until
            found_now = quantiles(place[known] - done, latency[known], until - done, _SHARES, never=FOREVER)
            for values, more in zip(shares, found_now, strict=True):
                values.extend(more)
            place, latency, done = place[~known], latency[~known], until
    for values in shares:
        values.extend([None] * (grid.count - len(values)))
    return good, failed, shares


def silences(found: Load, grid: Grid) -> list[tuple[int, int]]:
    """Stretches in which the load did not report."""
    gaps: list[tuple[int, int]] = []
    at = grid.begin
    for begin, end in found.alive.tolist():
        if begin > at:
            gaps.append((at, min(begin, grid.end)))
        at = max(at, end)
    if at < grid.end:
        gaps.append((at, grid.end))
    return [(begin, end) for begin, end in gaps if end > begin]
