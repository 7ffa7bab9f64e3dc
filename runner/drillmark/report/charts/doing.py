"""Panels of what was done: acknowledged writes and what became of them, the recovery's progress, fault and undo."""

from __future__ import annotations

from drillmark.report import words
from drillmark.report.charts.marks import Spec, hatch, mark, stretch, text, value
from drillmark.report.charts.panel import Panel, left, scale, why_not
from drillmark.report.charts.theme import colour
from drillmark.report.series import Row, Series

_DEEDS = 14
_DEED = 17
_STAGE_ROWS = 4


def writes(series: Series) -> list[Panel]:
    """Survivors upward, what was lost downward; a hole has a sign of its own."""
    rows = series.writes
    if not any(value for row in rows for name, value in row.items() if name != "t"):
        return why_not(series, "Acknowledged writes", "writes")
    up = max(row["survived"] + row["unproved"] + row["indeterminate"] for row in rows)
    down = max(row["lost"] + row["holes"] for row in rows)
    height = 78
    until = {"scale": "x", "signal": f"datum.t + {series.bin_seconds:g}"}

    def bar(begin: str, end: str, **look: object) -> Spec:
        return mark(
            "rect",
            "writes",
            x={"scale": "x", "field": "t"},
            x2=until,
            y={"scale": "count", "signal": begin},
            y2={"scale": "count", "signal": end},
            **look,
        )

    shown = {"signal": "datum.indeterminate > 0 ? 1.1 : 0"}
    marks = [
        bar("datum.survived", "0", fill=value("good"), fillOpacity=0.75),
        bar(
            "datum.survived",
            "datum.survived + datum.unproved",
            fill=hatch(),
            opacity={"signal": "datum.unproved > 0 ? 1 : 0"},
        ),
        bar(
            "datum.survived + datum.unproved",
            "datum.survived + datum.unproved + datum.indeterminate",
            fill=None,
            stroke=value("doubt"),
            strokeWidth=shown,
        ),
        bar("-datum.lost - datum.holes", "0", fill=value("bad"), fillOpacity=0.9),
        mark(
            "symbol",
            "writes",
            x={"scale": "x", "signal": f"datum.t + {series.bin_seconds / 2:g}"},
            y={"scale": "count", "signal": "-datum.lost - datum.holes"},
            shape="diamond",
            size=70,
            fill=value("bad"),
            stroke=value("paper"),
            opacity={"signal": "datum.holes > 0 ? 1 : 0"},
        ),
        mark("rule", None, x=0, x2={"signal": "width"}, y={"scale": "count", "value": 0}, stroke=value("muted")),
    ]
    keys = [("bar", "good", "survived"), ("bar", "bad", "lost (down)")]
    keys += [("diamond", "bad", "hole")] if any(row["holes"] for row in rows) else []
    keys += [("hatch", "muted", "not proved")] if any(row["unproved"] for row in rows) else []
    keys += [("hollow", "doubt", "no answer")] if any(row["indeterminate"] for row in rows) else []
    top, bottom = max(1, up) * 1.1, max(max(1, up) * 0.25, down * 1.15)
    return [
        Panel(
            "Writes acknowledged",
            height,
            marks=marks,
            scales=[scale("count", "linear", [-bottom, top], height)],
            axes=[
                left("count", tickCount=3)
                | {"encode": {"labels": {"update": {"text": {"signal": "format(abs(datum.value), '~s')"}}}}}
            ],
            data=[{"name": "writes", "values": rows}],
            keys=keys,
        )
    ]


def progress(series: Series) -> list[Panel]:
    """Bytes as an area, their rate as a dashed line."""
    rows: list[Row] = series.progress
    if not rows:
        return []
    height = 64
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    top = max(1.0, *(row["bytes"] for row in rows)) * 1.1
    rate = max(1.0, *(row["rate"] for row in rows)) * 1.1
    marks: list[Spec] = []
    data: list[Spec] = []
    for number, stage in enumerate(stages):
        name = f"stage_{number}"
        mine = [row for row in rows if row["stage"] == stage]
        data.append({"name": name, "values": mine})
        first = mine[0]["t"]
        x, y = {"scale": "x", "field": "t"}, {"scale": "bytes", "field": "bytes"}
        marks.append(
            mark("area", name, x=x, y=y, y2={"scale": "bytes", "value": 0}, fill=value("accent"), fillOpacity=0.22)
        )
        marks.append(mark("line", name, x=x, y=y, stroke=value("accent"), strokeWidth=1.8))
        marks.append(
            mark("line", name, x=x, y={"scale": "pace", "field": "rate"}, stroke=value("muted"), strokeDash=[4, 3])
        )
        marks += _stage(stage, first, number)
    right = {"scale": "pace", "orient": "right", "tickCount": 2, "domain": False}
    axes = [
        left("bytes", tickCount=3, format="~s"),
        right | {"encode": {"labels": {"update": {"text": {"signal": "format(datum.value, '~s') + 'B/s'"}}}}},
    ]
    axes[0]["encode"] = {"labels": {"update": {"text": {"signal": "format(datum.value, '~s') + 'B'"}}}}
    return [
        Panel(
            "Recovery",
            height,
            marks=marks,
            scales=[scale("bytes", "linear", [0, top], height), scale("pace", "linear", [0, rate], height)],
            axes=axes,
            data=data,
            keys=[("line", "accent", "bytes"), ("dash", "muted", "rate")],
        )
    ]


def _stage(name: str, first: float, number: int) -> list[Spec]:
    """The name of a stage where it begins; each has a row of its own, as stages may be short and follow at once."""
    late, at = f"scale('x', {first:g}) > width * 0.75", f"scale('x', {first:g})"
    place: Spec = {
        "x": {"signal": f"{late} ? {at} - 4 : {at} + 4"},
        "y": 18 + number % _STAGE_ROWS * 13,
        "align": {"signal": f"{late} ? 'right' : 'left'"},
    }
    # Bytes and rates run behind it: a rim of paper keeps it readable.
    rim = text(name, **place, fill=value("paper"), stroke=value("paper"), strokeWidth=4, strokeJoin="round")
    return [rim, text(name, **place)]


def deeds(series: Series) -> list[Panel]:
    """The fault as long as it lasted, and each activity."""
    rows = [row | {"row": number} | _look(row) for number, row in enumerate(series.deeds[:_DEEDS])]
    if not rows:
        return []
    begin, end = "max(0, scale('x', datum.from))", "max(0, scale('x', datum.to))"
    late = "scale('x', datum.to) > width * 0.6"
    # The name stands after its bar, before it where it is late, and within it where it is long.
    before = f"({late} && scale('x', datum.from) > width * 0.3)"
    within = f"({late} && !{before})"
    # A limit of nothing would be none.
    room = f"{before} ? scale('x', datum.from) - 5 : ({within} ? min(width, {end}) - {begin} : width - {end}) - 8"
    bars = stretch(
        "deeds",
        {"signal": f"datum.row * {_DEED} + 3"},
        _DEED - 6,
        fill={"field": "fill"},
        fillOpacity={"signal": "datum.kind === 'fault' ? 0.35 : 1"},
    )
    names = text(
        {"field": "said"},
        x={"signal": f"{before} ? scale('x', datum.from) - 5 : {within} ? {begin} + 5 : {end} + 5"},
        y={"signal": f"datum.row * {_DEED} + {_DEED / 2}"},
        align={"signal": f"{before} ? 'right' : 'left'"},
        limit={"signal": f"max(8, {room})"},
        fill={"signal": f"{within} && datum.kind !== 'fault' ? 'var(--paper)' : 'var(--ink)'"},
    ) | {"from": {"data": "deeds"}}
    height = len(rows) * _DEED + 2
    left = len(series.deeds) - len(rows)
    name = "Recovery and undo" if series.simulated else "Fault, recovery and undo"
    return [
        Panel(
            name + (f" (and {left} more, below)" if left > 0 else ""),
            height,
            marks=[bars, names],
            data=[{"name": "deeds", "values": rows}],
        )
    ]


def _look(row: Row) -> dict[str, str]:
    bad = row["status"] in {"failed", "timed_out", "not good"}
    name = "bad" if bad or row["kind"] in {"fault", "action"} else "doubt" if row["kind"] == "undo" else "accent"
    said = f"{row['kind']}: {words.harmless(row['name'], limit=60)}"
    still_there = row["kind"] == "fault" and row["status"] != "succeeded"
    if bad or still_there or row["status"] == "indeterminate":
        said += f" ({row['status'].replace('_', ' ')})"
    return {"fill": colour(name), "said": said}
