"""The two gauges: RTA against RTO and RPA against RPO, as intervals on one logarithmic line, earlier runs as dots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drillmark.report import sentences, words
from drillmark.report.charts.marks import Spec, mark, text, value
from drillmark.report.charts.theme import FAINT, config

_ROW, _TRACK = 88, 36
_TICKS = (1e-3, 1e-2, 0.1, 1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400)
_MINUTE = 60
_COLOURS = {"passed": "good", "failed": "bad", "unknown": "doubt", "not_applicable": "muted"}
SHAPES = {"passed": "circle", "failed": "cross", "unknown": "diamond", "not_applicable": "triangle-up"}
LEFT = RIGHT = 16


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run of the same drill came to. An interval without an upper edge has `hi` None."""

    run: str
    started: str
    verdict: str
    rta: dict[str, float | None] | None
    rpa: dict[str, float | None] | None


def specification(document: dict[str, Any], earlier: list[Earlier], *, width: int = 760) -> Spec:
    """The gauges of a run."""
    rows = [
        _row(document["rto"], "Recovery time (RTA)", 0),
        _row(document["rpo"], "Data loss (RPA)", 1),
    ]
    dots = _dots(earlier)
    low, high = _domain(rows, dots)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    labels = [{"at": tick, "label": "1 min" if tick == _MINUTE else words.duration(tick)} for tick in ticks]
    height = _ROW * 2
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "description": _told(rows, dots),
        "width": width,
        "height": height,
        "padding": {"left": LEFT, "right": RIGHT, "top": 4, "bottom": 26 if not dots else 44},
        "autosize": "none",
        "config": config(),
        "signals": [{"name": "low", "value": low}],
        "data": [
            {"name": "rows", "values": rows},
            {"name": "dots", "values": dots},
            {"name": "ticks", "values": labels},
        ],
        "scales": [{"name": "x", "type": "log", "domain": [low, high], "range": "width", "nice": False}],
        "marks": [*_grid(height), *_tracks(), *_earlier(), *_names(), *_legend(dots, height)],
    }


def _row(judged: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    span = judged["observed_seconds"]
    return {
        "name": name,
        "row": number,
        "lo": None if span is None else span["lo"],
        "hi": None if span is None else span["hi"],
        "open": span is not None and span["hi"] is None,
        "said": words.interval(sentences.interval(span)),
        "objective": judged["objective_seconds"],
        "promise": f"objective {words.duration(judged['objective_seconds'])}",
        "outcome": words.outcome(judged["verdict"]),
        "colour": f"var(--{_COLOURS[judged['verdict']]})",
    }


def _told(rows: list[dict[str, Any]], dots: list[dict[str, Any]]) -> str:
    """The same for whoever cannot see it."""
    said = [f"{row['name']}: {row['said']}, {row['promise']}, {row['outcome']}" for row in rows]
    earlier = len({dot["run"] for dot in dots})
    return "; ".join(said + ([f"beside them {words.plural(earlier, 'earlier run')}"] if earlier else []))


def _dots(earlier: list[Earlier]) -> list[dict[str, Any]]:
    dots: list[dict[str, Any]] = []
    for run in earlier:
        for number, span in enumerate((run.rta, run.rpa)):
            if span is None or span["lo"] is None:
                continue
            at = span["lo"] if span["hi"] is None else (span["lo"] + span["hi"]) / 2
            dots.append({"at": at, "row": number, "shape": SHAPES[run.verdict], "run": run.run})
    return dots


def _domain(rows: list[dict[str, Any]], dots: list[dict[str, Any]]) -> tuple[float, float]:
    values = [row[key] for row in rows for key in ("lo", "hi", "objective")] + [dot["at"] for dot in dots]
    some = [value for value in values if value]
    low, high = min(some, default=1.0), max(some, default=3600.0)
    return max(1e-3, min(low / 3, high / 100)), high * 2.5


def _grid(height: float) -> list[Spec]:
    rule = mark(
        "rule", "ticks", x={"scale": "x", "field": "at"}, y=0, y2=height, stroke=value("line"), strokeOpacity=0.7
    )
    room = "abs(scale('x', datum.at) - width / 2) < width / 2 - 12"
    label = text(
        {"signal": f"{room} ? datum.label : ''"},
        x={"scale": "x", "field": "at"},
        y=height + 12,
        align="center",
        fill=value("muted"),
    ) | {"from": {"data": "ticks"}}
    return [rule, label]


def _tracks() -> list[Spec]:
    top = f"datum.row * {_ROW} + {_TRACK}"
    objective = "scale('x', max(low, datum.objective))"
    track = mark(
        "rect", "rows", x=0, x2={"signal": "width"}, y={"signal": top}, height=12, fill=value("wash"),
        stroke=value("line"), cornerRadius=6,
    )  # fmt: skip
    beyond = mark(
        "rect", "rows", x={"signal": objective}, x2={"signal": "width"}, y={"signal": top}, height=12, fill=FAINT
    )
    low = "scale('x', max(low, datum.lo))"
    high = f"datum.open ? width : max({low} + 5, scale('x', max(low, datum.hi)))"
    bar = mark(
        "rect",
        "rows",
        x={"signal": f"isValid(datum.lo) ? {low} : 0"},
        x2={"signal": f"isValid(datum.lo) ? ({high}) : 0"},
        y={"signal": f"{top} - 4"},
        height=20,
        fill={"signal": "datum.colour"},
        cornerRadius=2.5,
        opacity={"signal": "isValid(datum.lo) ? 1 : 0"},
    )
    arrow = mark(
        "symbol", "rows", x={"signal": "width"}, y={"signal": f"{top} + 6"}, shape="triangle-right", size=260,
        fill={"signal": "datum.colour"}, opacity={"signal": "datum.open ? 1 : 0"},
    )  # fmt: skip
    promise = mark(
        "rule", "rows", x={"signal": objective}, y={"signal": f"{top} - 9"}, y2={"signal": f"{top} + 21"},
        stroke=value("ink"), strokeWidth=2.5,
    )  # fmt: skip
    return [track, beyond, bar, arrow, promise]


def _earlier() -> list[Spec]:
    return [
        mark(
            "symbol",
            "dots",
            x={"signal": "scale('x', max(low, datum.at))"},
            y={"signal": f"datum.row * {_ROW} + {_TRACK} - 11"},
            shape={"field": "shape"},
            size=34,
            fill=None,
            stroke=value("muted"),
            strokeWidth=1.4,
        )
    ]


def _names() -> list[Spec]:
    y = {"signal": f"datum.row * {_ROW} + 10"}
    name = text({"field": "name"}, x=0, y=y, fontWeight=600, fontSize=12) | {"from": {"data": "rows"}}
    said = text(
        {"field": "said"}, x={"signal": "width"}, y=y, align="right", fontSize=12, fill={"signal": "datum.colour"},
        fontWeight=600,
    ) | {"from": {"data": "rows"}}  # fmt: skip
    at = "scale('x', max(low, datum.objective))"
    promise = text(
        {"field": "promise"},
        x={"signal": f"min(width, max(0, {at}))"},
        y={"signal": f"datum.row * {_ROW} + {_TRACK} + 31"},
        align={"signal": f"{at} > width - 50 ? 'right' : {at} < 50 ? 'left' : 'center'"},
    ) | {"from": {"data": "rows"}}
    return [name, said, promise]


def _legend(dots: list[dict[str, Any]], height: float) -> list[Spec]:
    """What the dots mean, where there are any."""
    if not dots:
        return []
    made: list[Spec] = [text("earlier runs:", x=0, y=height + 32, fill=value("muted"))]
    at = 76.0
    for verdict in ("passed", "failed", "unknown"):
        made.append(
            mark(
                "symbol", None, x=at, y=height + 32, shape=SHAPES[verdict], size=34, fill=None, stroke=value("muted"),
                strokeWidth=1.4,
            )
        )  # fmt: skip
        made.append(text(verdict, x=at + 8, y=height + 32, fill=value("muted")))
        at += 22 + len(verdict) * 6
    return made
