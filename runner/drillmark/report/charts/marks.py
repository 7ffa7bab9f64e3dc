"""Small parts that the charts are built of: texts, rules, bars, lines, axes, as Vega takes them."""

from __future__ import annotations

from typing import Any

from drillmark.report.charts.theme import FAINT, FONT, HATCH, colour

Spec = dict[str, Any]

# Seconds as people say them, for the labels of an axis of time since the fault. `step` is a signal.
SAY_SECONDS = (
    "(datum.value < 0 ? '-' : '') + "
    "(abs(datum.value) < 1e-9 ? '0' : step < 1 ? format(abs(datum.value), '.1f') + ' s' : "
    "step < 60 && abs(datum.value) < 120 ? format(abs(datum.value), '.0f') + ' s' : "
    "step < 60 ? floor(abs(datum.value) / 60) + ':' + format(abs(datum.value) % 60, '02.0f') : "
    "abs(datum.value) < 3600 ? format(abs(datum.value) / 60, '.0f') + ' min' : "
    "floor(abs(datum.value) / 3600) + ':' + format(floor(abs(datum.value) % 3600 / 60), '02d') + ' h')"
)
# About one label for each 90 points of width.
STEP = "(x1 - x0) / max(2, width / 90)"
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


def step_signal() -> Spec:
    """The distance between labels of the time axis: a step that people know."""
    text = str(_STEPS[-1])
    for step in reversed(_STEPS[:-1]):
        text = f"raw <= {step} ? {step} : ({text})"
    return {"name": "step", "update": text}


def value(name: str) -> Spec:
    """A colour for an encoding."""
    return {"value": colour(name)}


def of(**channels: Any) -> Spec:
    """Channels of an encoding: a dictionary is taken as it is, anything else is a value."""
    return {name: item if isinstance(item, dict) else {"value": item} for name, item in channels.items()}


def text(words: Any, **channels: Any) -> Spec:
    """A text."""
    more = {"font": FONT, "fontSize": 11, "fill": value("ink"), "baseline": "middle"} | channels
    return {
        "type": "text",
        "interactive": False,
        "aria": False,
        "encode": {"update": of(text=words, **more)},
    }


def mark(kind: str, data: str | None = None, **channels: Any) -> Spec:
    """A mark that follows its signals."""
    made: Spec = {"type": kind, "interactive": False, "aria": False, "encode": {"update": of(**channels)}}
    return made if data is None else made | {"from": {"data": data}}


def line(data: str, y: str, scale: str, stroke: str, *, dash: list[float] | None = None, width: float = 1.6) -> Spec:
    """A line over bins, broken where there is no value."""
    return mark(
        "line",
        data,
        x={"scale": "x", "field": "t"},
        y={"scale": scale, "field": y},
        defined={"signal": f"isValid(datum['{y}'])"},
        stroke=value(stroke),
        strokeWidth=width,
        strokeDash=dash or [],
        interpolate="step-after",
        strokeJoin="round",
    )


def stretch(data: str, y: Any, height: Any, *, fill: Any, **more: Any) -> Spec:
    """Bars from one moment to another; at least a hair wide, so that nothing short is hidden."""
    return mark(
        "rect",
        data,
        x={"scale": "x", "field": "from"},
        x2={"signal": "max(scale('x', datum.to), scale('x', datum.from) + 1.5)"},
        y=y,
        height=height,
        fill=fill,
        **more,
    )


def missing(data: str, height: float) -> Spec:
    """Where samples are not there."""
    return stretch(data, 0, height, fill=FAINT, stroke=value("muted"), strokeDash=[2, 2], strokeWidth=0.7)


def hatch() -> str:
    """The strong hatching: absent."""
    return HATCH
