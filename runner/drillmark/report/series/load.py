"""The load in bins: latencies, throughput, errors; nothing where it was silent."""

from __future__ import annotations

from typing import Any

import numpy as np

from drillmark.measure.service.beats import FOREVER
from drillmark.measure.service.load import Load
from drillmark.report.series.grid import Grid, quantiles


def rows(found: Load, grid: Grid) -> list[dict[str, Any]]:
    """One row for each bin: latencies by when a request was sent; one that failed was not answered within any time."""
    place = grid.place(found.start)
    inside = (place >= 0) & (place < grid.count)
    p50, p95, p99 = quantiles(place[inside], found.latency[inside], grid.count, (0.5, 0.95, 0.99), never=FOREVER)
    good = grid.counts(found.completed)
    failed = grid.counts(found.start[~found.ok])
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
