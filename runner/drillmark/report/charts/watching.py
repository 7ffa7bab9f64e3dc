"""Panels of what was seen from outside: beats, availability, latency, throughput and errors."""

from __future__ import annotations

from drillmark.report.charts.marks import hatch, line, mark, missing, stretch, value
from drillmark.report.charts.panel import Panel, left, rows_missing, scale, why_not
from drillmark.report.series import Series

# Whose beats: strip -> name of its panel; in small letters, of the note that says why it shows nothing.
STRIPS = {"users": "Beats", "copy": "Beats of the copy"}
_LATENCIES: tuple[tuple[str, list[float], float], ...] = (
    ("p50", [], 1.8),
    ("p95", [5, 3], 1.4),
    ("p99", [1.5, 2.5], 1.4),
)


def beats(series: Series) -> list[Panel]:
    """Good is thin, bad is tall, absent is hatched."""
    found: list[Panel] = []
    for strip, name in STRIPS.items():
        rows = [row for row in series.beats if row["strip"] == strip]
        if not rows:
            found += why_not(series, name, name.lower())
            continue
        data = f"beats_{strip}"
        found.append(
            Panel(
                name,
                26,
                marks=[
                    stretch(
                        data,
                        {"signal": "datum.state === 'good' ? 9 : 0"},
                        {"signal": "datum.state === 'good' ? 8 : 26"},
                        fill={
                            "signal": "datum.state === 'good' ? 'var(--good)' : "
                            f"datum.state === 'bad' ? 'var(--bad)' : '{hatch()}'"
                        },
                    )
                ],
                data=[{"name": data, "values": rows}],
                keys=[("thin", "good", "good"), ("bar", "bad", "bad"), ("hatch", "muted", "absent")],
            )
        )
    return found


def availability(series: Series) -> list[Panel]:
    """The share of good beats."""
    if not any(row["v"] is not None for row in series.availability):
        return []
    height = 54
    area = mark(
        "area",
        "availability",
        x={"scale": "x", "field": "t"},
        y={"scale": "share", "field": "v"},
        y2={"scale": "share", "value": 0},
        defined={"signal": "isValid(datum.v)"},
        fill=value("good"),
        fillOpacity=0.16,
        interpolate="step-after",
    )
    return [
        Panel(
            "Availability",
            height,
            marks=[missing("missing_availability", height), area, line("availability", "v", "share", "good")],
            scales=[scale("share", "linear", [0, 1], height)],
            axes=[left("share", values=[0, 0.5, 1], format=".0%")],
            data=[{"name": "availability", "values": series.availability}, rows_missing(series, "availability")],
        )
    ]


def latency(series: Series) -> list[Panel]:
    """Latencies of the load, or of the beats where there is none."""
    values = _latencies(series)
    name = "Latency of the beats" if series.load_is_beats else "Latency of the load"
    if not values:
        return why_not(series, "Latency", "load")
    height, low, high = 84, max(1e-5, min(values) * 0.8), max(values) * 1.25
    ticks = [tick for tick in (1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100) if low <= tick <= high] or [low, high]
    say = "datum.value < 1 ? format(datum.value * 1000, '~g') + ' ms' : format(datum.value, '~g') + ' s'"
    axis = left("latency", values=ticks) | {"encode": {"labels": {"update": {"text": {"signal": say}}}}}
    return [
        Panel(
            name,
            height,
            marks=[
                missing("missing_latency", height),
                *(
                    line("load", share, "latency", "accent", dash=dash, width=width)
                    for share, dash, width in _LATENCIES
                ),
            ],
            scales=[scale("latency", "log", [low, high], height)],
            axes=[axis],
            data=[{"name": "load", "values": series.load}, rows_missing(series, "latency")],
            keys=[("line", "accent", "p50"), ("dash", "accent", "p95"), ("dots", "accent", "p99")],
        )
    ]


def _latencies(series: Series) -> list[float]:
    return [row[name] for row in series.load for name in ("p50", "p95", "p99") if row[name] is not None]


def throughput(series: Series) -> list[Panel]:
    """Answered rightly as a line, failed as bars."""
    values = [row[name] for row in series.load for name in ("ok", "errors") if row[name] is not None]
    if not values:
        return []
    height = 70
    # The latencies' panel brings the rows; where nothing was answered, there is none.
    rows = [] if _latencies(series) else [{"name": "load", "values": series.load}]
    errors = mark(
        "rect",
        "load",
        x={"scale": "x", "field": "t"},
        x2={"scale": "x", "signal": f"datum.t + {series.bin_seconds:g}"},
        y={"scale": "rate", "field": "errors"},
        y2={"scale": "rate", "value": 0},
        fill=value("bad"),
        opacity={"signal": "datum.errors > 0 ? 0.85 : 0"},
    )
    return [
        Panel(
            "Requests a second",
            height,
            marks=[missing("missing_throughput", height), errors, line("load", "ok", "rate", "accent")],
            scales=[scale("rate", "linear", [0, max(1.0, *values) * 1.1], height)],
            axes=[left("rate", tickCount=3, format="~s")],
            data=[*rows, rows_missing(series, "throughput")],
            keys=[("line", "accent", "answered rightly"), ("bar", "bad", "failed")],
        )
    ]
