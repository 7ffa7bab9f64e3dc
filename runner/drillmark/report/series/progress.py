"""How the recovery went on: bytes and rate, as its activities told while they worked, or from their reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import Frame, UnmeasurableError
from drillmark.measure.timeline.history import stamp_in
from drillmark.model.stamp import NANOSECONDS
from drillmark.report.series.grid import Grid

Row = dict[str, Any]
_MOST_ROWS = 600


def rows(facts: Facts, grid: Grid, told: Sequence[Row]) -> list[Row]:
    """Rows in order of time. What an activity told makes no sense counts as not told."""
    found = sorted(_told(facts.frame, told), key=lambda row: row["t"])
    found = [row for row in found if grid.begin <= row["t"] * NANOSECONDS <= grid.end]
    if len(found) > _MOST_ROWS:
        # Ends of stages stay: the last row of each is the one to read.
        step = -(-len(found) // _MOST_ROWS)
        last = {row["stage"]: n for n, row in enumerate(found)}
        found = [row for n, row in enumerate(found) if n % step == 0 or last[row["stage"]] == n]
    return found or _reported(facts)


def _told(frame: Frame, told: Sequence[Row]) -> Iterator[Row]:
    for line in told:
        stamp = stamp_in(line.get("stamp"))
        done, rate = line.get("bytes"), line.get("rate_bytes_per_second")
        if stamp is None or not isinstance(done, int | float) or not isinstance(rate, int | float):
            continue
        try:
            at = frame.span(stamp)
        except UnmeasurableError:
            continue
        yield {
            "t": round((at.lo + at.hi) / 2 / NANOSECONDS, 3),
            "stage": str(line.get("stage", ""))[:40],
            "bytes": float(done),
            "rate": round(float(rate), 1),
        }


def _reported(facts: Facts) -> list[Row]:
    """From the report of a restore alone: the ends of its copy, with a straight line between them."""
    report = facts.report
    if report is None or report.copy is None:
        return []
    count = report.values.get("bytes")
    if not isinstance(count, int | float) or isinstance(count, bool):
        return []
    begin, end = (edge / NANOSECONDS for edge in report.copy)
    rate = count / (end - begin) if end > begin else 0.0
    return [
        {"t": round(at, 3), "stage": "copy", "bytes": float(done), "rate": round(rate, 1)}
        for at, done in ((begin, 0.0), (end, float(count)))
    ]
