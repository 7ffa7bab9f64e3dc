"""The service level by phase as one table: indicators down, phases across, the beats' latencies beside the load's."""

from __future__ import annotations

from typing import Any

from drillmark.report import sentences, words
from drillmark.report.page.why import why

_INDICATORS = {
    "availability": "Availability",
    "latency.p50": "Latency p50",
    "latency.p95": "Latency p95",
    "latency.p99": "Latency p99",
    "error_rate": "Error rate",
    "throughput": "Throughput",
}


def table(document: dict[str, Any]) -> dict[str, Any] | None:
    """`phases`, `rows` and whether there was a load (`loaded`); None where no level of service was measured."""
    levels = document["slo"]
    if not levels:
        return None
    names = [name for name in _INDICATORS if any(name in level["indicators"] for level in levels.values())]
    phases = [
        {
            "name": name,
            "judged": level["judged"],
            "window": [round(edge, 1) for edge in level["window_seconds"]],
            "requests": level["requests"],
            "errors": level["errors"],
            "beats": level["beats"],
            "why": why(level["cited"]),
        }
        for name, level in levels.items()
    ]
    rows: list[dict[str, Any]] = [
        {
            "title": _INDICATORS[name],
            "objective": _stated(name, levels),
            "cells": [_cell(name, level) for level in levels.values()],
        }
        for name in names
    ]
    rows += [row for row in (_beats(share, levels) for share in ("p50", "p95", "p99")) if row]
    # A load that runs always has a throughput, if only one that is not known.
    loaded = any("throughput" in level["indicators"] for level in levels.values())
    return {"phases": phases, "rows": sorted(rows, key=lambda row: _place(row["title"])), "loaded": loaded}


def _place(title: str) -> int:
    order = ["Availability"]
    for share in ("p50", "p95", "p99"):
        order += [f"Latency {share}", f"Beat latency {share}"]
    return [*order, "Error rate", "Throughput"].index(title)


def _stated(name: str, levels: dict[str, Any]) -> str:
    for level in levels.values():
        indicator = level["indicators"].get(name)
        if indicator and indicator["objective"] is not None:
            bound = "at least" if name in {"availability", "throughput"} else "at most"
            return f"{bound} {words.quantity(indicator['objective'], indicator['unit'])}"
    return ""


def _cell(name: str, level: dict[str, Any]) -> dict[str, Any]:
    indicator = level["indicators"].get(name)
    if indicator is None:
        return {"text": "", "met": "", "reason": ""}
    stated = indicator["objective"] is not None and level["judged"]
    met = {True: "met", False: "missed", None: "unknown"}[indicator["met"]] if stated else ""
    observed = words.observed(sentences.interval(indicator["observed"]), indicator["unit"])
    reason = indicator["reason"] if indicator["reason"] not in {"", "met", "missed"} else ""
    return {"text": observed, "met": met, "reason": reason}


def _beats(share: str, levels: dict[str, Any]) -> dict[str, Any] | None:
    """Open loop: no stall of the load can flatter them."""
    if not any(sum(level["beats"].values()) for level in levels.values()):
        return None
    cells: list[dict[str, Any]] = []
    for level in levels.values():
        value = level["beat_latency_seconds"][share]
        counted = level["beats"]["good"] + level["beats"]["bad"]
        text = words.duration(value) if value is not None else "not answered in time" if counted else "no beats"
        cells.append({"text": text, "met": "", "reason": ""})
    return {"title": f"Beat latency {share}", "objective": "", "cells": cells}
