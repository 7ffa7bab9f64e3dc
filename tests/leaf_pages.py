"""Pages of a comparison and of a period, out of the kinds of result that `report_kinds` has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import page_kinds
import report_builders as build
import report_kinds
from drillmark import looks, periods
from drillmark.model.gap import Occurrence
from drillmark.report import comparing
from drillmark.report.period import gathering

NOW = datetime(2026, 11, 28, tzinfo=UTC)
OTHER = "queue-lost"
_RAN = (
    "rto missed", "passed", "unknown", "censored", "aborted", "refused", "passed", "holes", "no markers", None, "passed",
)  # fmt: skip


def ran(
    started: datetime, kind: str | None, *, drill: str = "orders-db-lost", reason: str = "it was lost", **changes: Any
) -> gathering.Ran:
    """A run of that kind; None: one without a result."""
    result = None if kind is None else report_kinds.kind(kind) | changes
    return gathering.Ran(f"{started:%Y%m%dT%H%M%SZ}-{drill}-000000", drill, "orders-db", started, result, reason)


def comparison(*kinds: str) -> str:
    """These kinds of result side by side."""
    documents = [
        report_kinds.kind(kind) | {"run": f"2026030{n + 2}T100000Z-orders-db-lost-a1b2c{n}"}
        for n, kind in enumerate(kinds)
    ]
    return looks.comparison(comparing.compare(documents), None)


def period() -> str:
    """A quarter in which everything came to pass: two drills with their trends, gaps of every age, drills overdue."""
    begin = datetime(2026, 10, 1, 3, tzinfo=UTC)
    runs = [ran(begin + timedelta(days=5 * n), kind) for n, kind in enumerate(_RAN)]
    runs += [
        ran(begin + timedelta(days=20 * n), kind, drill=OTHER, title="The queue is lost")
        for n, kind in enumerate(("no recovery", "ended by undo"))
    ]
    due = datetime(2026, 10, 1, tzinfo=UTC)
    drills = [
        gathering.Scheduled("orders-db-lost", "The orders database is lost", "team-orders", due, "every quarter"),
        gathering.Scheduled(OTHER, "The queue is lost", "team-orders", NOW - timedelta(days=3), "every week"),
        gathering.Scheduled("region-lost", "A region is lost", "team-core", due, "every year"),
        gathering.Scheduled("shop-wrong", "Rows are deleted by mistake", "team-shop", None, "cron 0 3 * * *", "a calendar file is not there"),
        gathering.Scheduled("tabletop", "The data centre burns", "team-core"),
    ]  # fmt: skip
    ages = ("2026-11-27", "2026-11-10", "2026-09-20", "2026-03-02")
    gaps = [
        build.gap(
            id=f"GAP-1a2b3c4{n}", due=f"2026-{12 - n:02}-09",
            occurrences=[Occurrence(run="x", at=f"{day}T10:00:00Z", observed="x", evidence=[])],
        )
        for n, day in enumerate(ages)
    ]  # fmt: skip
    return _period(runs, drills, gaps)


def empty_period() -> str:
    """A quarter in which nothing was run."""
    return _period([], [], [])


def hostile_comparison(text: str) -> str:
    """Everything that people or targets write is `text`."""
    document = page_kinds.hostile_document(text)
    return looks.comparison(comparing.compare([report_kinds.kind("passed"), document]), None)


def hostile_period(text: str) -> str:
    """Everything that people or targets write is `text`."""
    started = datetime(2026, 10, 2, tzinfo=UTC)
    runs = [
        gathering.Ran(f"20261002T03000{n}Z-x-000000", text, text, started, result, text)
        for n, result in enumerate((page_kinds.hostile_document(text), None))
    ]
    drills = [
        gathering.Scheduled(text, text, text, started, text, text),
        gathering.Scheduled(text, text, text, started),
    ]
    return _period(runs, drills, [build.gap(title=text, owner=text, due=text, recommendation=text)])


def _period(runs: list[gathering.Ran], drills: list[gathering.Scheduled], gaps: list[Any]) -> str:
    return looks.period(gathering.gather(periods.parse("2026Q4"), NOW, runs, drills, gaps), None)
