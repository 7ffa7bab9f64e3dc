"""Beats as stretches that are good, bad or absent, and as a share and latencies for each bin."""

from __future__ import annotations

from typing import Any

import numpy as np

from drillmark.measure.service.beats import FOREVER, Beats
from drillmark.model.stamp import NANOSECONDS
from drillmark.report.series.grid import Grid, quantiles

Row = dict[str, Any]
_MOST_STRETCHES = 2500


def segments(found: Beats, grid: Grid, strip: str) -> list[Row]:
    """The beats as stretches, exact to the beat; where they alternate too often, the worst of each bin."""
    inside = (found.first >= grid.begin) & (found.first < grid.end) & found.edges
    at, good = found.first[inside], found.good[inside]
    absent = [_row(strip, "absent", *span, 0) for span in absences(found, grid)]
    if not len(at):
        return absent
    alone = np.diff(at) > found.absence_ns
    begins = np.flatnonzero(np.concatenate(([True], (good[1:] != good[:-1]) | alone)))
    ends = np.append(begins[1:], len(at)) - 1
    if len(begins) > _MOST_STRETCHES:
        return sorted([*_by_bin(at, good, grid, strip), *absent], key=lambda row: row["from"])
    rows: list[Row] = []
    for first, last in zip(begins.tolist(), ends.tolist(), strict=True):
        # A beat speaks for its period, but not for an absence that follows it.
        until = int(at[last]) + found.period_ns
        if last + 1 < len(at) and int(at[last + 1]) - int(at[last]) <= found.absence_ns:
            until = int(at[last + 1])
        state = "good" if good[last] else "bad"
        rows.append(_row(strip, state, int(at[first]), min(until, grid.end), last - first + 1))
    return sorted([*rows, *absent], key=lambda row: row["from"])


def absences(found: Beats, grid: Grid) -> list[tuple[int, int]]:
    """Where no beat is, cut to what was observed: an absence may have begun long before."""
    cut = np.clip(found.gaps(grid.begin, grid.end), grid.begin, grid.end)
    return [(begin, end) for begin, end in cut.tolist() if end > begin]


def availability(found: Beats, grid: Grid) -> list[Row]:
    """The share of good beats in each bin."""
    good = grid.counts(found.first[found.good])
    bad = grid.counts(found.first[~found.good])
    return [
        {"t": at, "v": round(ok / (ok + no), 4) if ok + no else None, "good": ok, "bad": no}
        for at, ok, no in zip(grid.times(), good.tolist(), bad.tolist(), strict=True)
    ]


def latencies(found: Beats, grid: Grid) -> list[Row]:
    """Latency of the beats, where there is no load to show. A bad beat was not answered within any time."""
    place = grid.place(found.first)
    inside = (place >= 0) & (place < grid.count)
    latency = np.where(found.good, found.latency, FOREVER)[inside]
    shares = quantiles(place[inside], latency, grid.count, (0.5, 0.95, 0.99), never=FOREVER)
    rows = zip(grid.times(), *shares, strict=True)
    return [{"t": at, "p50": p50, "p95": p95, "p99": p99, "ok": None, "errors": None} for at, p50, p95, p99 in rows]


def _by_bin(at: np.ndarray[Any, Any], good: np.ndarray[Any, Any], grid: Grid, strip: str) -> list[Row]:
    some, bad = grid.counts(at).tolist(), grid.counts(at[~good]).tolist()
    return [
        _row(strip, "bad" if no else "good", begin, min(begin + grid.width, grid.end), count)
        for begin, count, no in zip(grid.starts.tolist(), some, bad, strict=True)
        if count
    ]


def _row(strip: str, state: str, begin_ns: int, end_ns: int, count: int) -> Row:
    begin, end = round(begin_ns / NANOSECONDS, 3), round(end_ns / NANOSECONDS, 3)
    return {"strip": strip, "state": state, "from": begin, "to": end, "count": count}
