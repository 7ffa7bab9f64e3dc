"""The picture of a run: one time axis, phases and stamps over it, and everything that was seen stacked on it.

A Vega specification with the signals `x0` and `x1` (what is shown), `moment` (or null) and `brush0`,
`brush1` (a selection in hand): whoever shows it sets them, and everything moves together. Must never draw a line
across missing samples.
"""

from __future__ import annotations

from typing import Any

from drillmark.report import stamp_words, words
from drillmark.report.charts import panels, watching
from drillmark.report.charts.marks import SAY_SECONDS, STEP, Spec, mark, of, step_signal, stretch, text, value
from drillmark.report.charts.panel import Panel
from drillmark.report.charts.theme import FAINT, colour, config
from drillmark.report.series import Series

LEFT, RIGHT, BOTTOM = 58, 14, 40
_ROW = 15
_PHASE = 20
_GAP = 32


def specification(series: Series, stamps: dict[str, Any], *, width: int = 900) -> Spec:
    """The picture. `stamps`: those of the result."""
    flags = _stamps(series, stamps)
    top = _PHASE + 8 + _ROW * len(flags)
    made = panels.stack(series)
    height = top
    groups: list[Spec] = []
    for panel in made:
        height += _GAP
        groups.append(_placed(panel, height))
        height += panel.height
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "description": _told(series, flags, made),
        "width": width,
        "height": height,
        "padding": {"left": LEFT, "right": RIGHT + panels.margin(series), "top": 4, "bottom": BOTTOM},
        "autosize": "none",
        "config": config(),
        "signals": _signals(series),
        "data": [*_data(series, flags), *(data for panel in made for data in panel.data)],
        "scales": [{"name": "x", "type": "linear", "domain": {"signal": "[x0, x1]"}, "range": "width", "zero": False}],
        "marks": [
            _backdrop(height, top),
            *_phase_band(),
            *_flags(height),
            *groups,
            _axis(height, series),
            _cursor(height),
        ],
    }


def _signals(series: Series) -> list[Spec]:
    return [
        {"name": "x0", "value": series.begin},
        {"name": "x1", "value": series.end},
        {"name": "moment", "value": None},
        {"name": "brush0", "value": None},
        {"name": "brush1", "value": None},
        {"name": "raw", "update": STEP},
        step_signal(),
    ]


def _data(series: Series, flags: list[Spec]) -> list[Spec]:
    return [
        {"name": "phases", "values": [row | _shade(row["name"]) for row in series.phases]},
        {"name": "flags", "values": flags},
        {"name": "away", "values": [row for row in series.missing if row["panel"] == "all"]},
    ]


def _stamps(series: Series, stamps: dict[str, Any]) -> list[Spec]:
    """One row for each stamp, so that no name ever covers another, however far one zooms."""
    names = stamp_words.names(simulated=series.simulated, undone=series.undone)
    named = [(name, stamps.get(key)) for key, name in names.items()]
    first = stamp_words.begins(simulated=series.simulated)
    if series.injected and not series.simulated:  # a declaration is a stamp of its own
        named.append((first, {"lo": 0.0, "hi": 0.0}))
    found = [
        {"name": name, "lo": span["lo"], "hi": span["hi"], "mid": (span["lo"] + span["hi"]) / 2}
        for name, span in named
        if span is not None
    ]
    found.sort(key=lambda row: (row["mid"], row["name"] != first))
    return [row | {"row": number} for number, row in enumerate(found)]


def _told(series: Series, flags: list[Spec], made: list[Panel]) -> str:
    """The same for whoever cannot see it: the stamps, how long service was not there, what is shown and what is not."""
    stamps = [f"{row['name']} at {row['mid']:+.1f} s" for row in flags]
    beats = [_lengths(series, strip, name) for strip, name in watching.STRIPS.items()]
    span = f"from {series.begin:+.1f} s to {series.end:+.1f} s"
    shown = [f"shown: {', '.join(panel.name for panel in made if not panel.missing)}"]
    hidden = [f"not shown: {panel.name} ({panel.missing})" for panel in made if panel.missing]
    return "; ".join(filter(None, [span, *stamps, *beats, *shown, *hidden]))


def _lengths(series: Series, strip: str, name: str) -> str:
    """How long the beats of a strip were bad or absent; empty where there are none, which is not "never"."""
    lengths = {"bad": 0.0, "absent": 0.0, "good": 0.0}
    rows = [row for row in series.beats if row["strip"] == strip]
    for row in rows:
        lengths[row["state"]] += row["to"] - row["from"]
    return f"{name.lower()} bad for {lengths['bad']:.1f} s, absent for {lengths['absent']:.1f} s" if rows else ""


def _shade(phase: str) -> Spec:
    """Two depths in turn, so that neighbours are told apart also without colour."""
    name = "bad" if phase in {"fault", "detect", "recover"} else "doubt" if "undo" in phase else "accent"
    return {"fill": colour(name), "depth": 0.045 if phase in {"declare", "recover", "soak", "undo"} else 0.075}


def _layer(height: float, marks: list[Spec]) -> Spec:
    """Marks that nobody points at, cut off at the edges of the picture or panel."""
    return {
        "type": "group",
        "clip": True,
        "interactive": False,
        "aria": False,
        "encode": {"update": of(width={"signal": "width"}, height=height)},
        "marks": marks,
    }


def _backdrop(height: float, top: float) -> Spec:
    """Phases are shaded; a moment when no runner was there is hatched."""
    shade = stretch("phases", 0, height, fill={"field": "fill"}, fillOpacity={"field": "depth"})
    away = stretch("away", top, height - top, fill=FAINT)
    return _layer(height, [shade, away])


def _phase_band() -> list[Spec]:
    edge = mark("rect", "phases", x={"scale": "x", "field": "from"}, width=1, y=0, height=_PHASE, fill=value("muted"))
    middle = "(max(0, scale('x', datum.from)) + min(width, scale('x', datum.to))) / 2"
    room = "min(width, scale('x', datum.to)) - max(0, scale('x', datum.from))"
    name = text(
        {"signal": f"{room} < length(datum.name) * 6.5 ? '' : datum.name"},
        x={"signal": middle},
        y=_PHASE / 2,
        align="center",
        fill=value("muted"),
        fontWeight=600,
    ) | {"from": {"data": "phases"}}
    return [_layer(_PHASE, [edge, name])]


def _flags(height: float) -> list[Spec]:
    """The stamps: a line down through everything, a bar as wide as the stamp is unsure, its name beside it."""
    y = {"signal": f"{_PHASE + 8} + datum.row * {_ROW} + {_ROW / 2}"}
    rule = mark(
        "rule",
        "flags",
        x={"scale": "x", "field": "mid"},
        y=y,
        y2=height,
        stroke=value("muted"),
        strokeOpacity=0.55,
        strokeDash=[1, 3],
    )
    span = mark(
        "rect",
        "flags",
        x={"signal": "scale('x', datum.lo) - 1.5"},
        x2={"signal": "scale('x', datum.hi) + 1.5"},
        y={"signal": f"{_PHASE + 8} + datum.row * {_ROW} + 4"},
        height=_ROW - 8,
        fill=value("ink"),
    )
    right = "scale('x', datum.mid) > width * 0.62"
    name = text(
        {"signal": "datum.name"},
        x={"signal": f"{right} ? scale('x', datum.lo) - 6 : scale('x', datum.hi) + 6"},
        y=y,
        align={"signal": f"{right} ? 'right' : 'left'"},
    ) | {"from": {"data": "flags"}}
    return [_layer(height, [rule, span, name])]


def _placed(panel: Panel, y: float) -> Spec:
    content = _layer(panel.height, panel.marks)
    frame = mark("rule", None, x=0, x2={"signal": "width"}, y=panel.height, stroke=value("line"))
    return {
        "type": "group",
        "interactive": False,
        "aria": False,
        "encode": {"update": of(y=y, width={"signal": "width"}, height=panel.height)},
        "scales": panel.scales,
        "axes": panel.axes,
        "marks": [frame, *panel.title(), content],
    }


def _axis(height: float, series: Series) -> Spec:
    since = f"time since {words.zero(simulated=series.simulated)}" if series.injected else "time since the run began"
    return {
        "type": "group",
        "interactive": False,
        "aria": False,
        "encode": {"update": of(y=height, width={"signal": "width"}, height=0)},
        "axes": [
            {
                "scale": "x",
                "orient": "bottom",
                "values": {"signal": "sequence(ceil(x0 / step) * step, x1 + step / 1000, step)"},
                "encode": {"labels": {"update": {"text": {"signal": SAY_SECONDS}}}},
                "title": since,
                "titleFontWeight": "normal",
                "titleFontSize": 11,
                "labelFlush": True,
                "labelOverlap": True,
            }
        ],
    }


def _cursor(height: float) -> Spec:
    brush = mark(
        "rect",
        None,
        x={"signal": "isValid(brush0) ? scale('x', min(brush0, brush1)) : 0"},
        x2={"signal": "isValid(brush0) ? scale('x', max(brush0, brush1)) : 0"},
        y=0,
        height=height,
        fill=value("accent"),
        fillOpacity={"signal": "isValid(brush0) ? 0.18 : 0"},
    )
    rule = mark(
        "rule",
        None,
        x={"signal": "isValid(moment) ? scale('x', moment) : 0"},
        y=0,
        y2=height,
        stroke=value("ink"),
        strokeOpacity={"signal": "isValid(moment) ? 0.9 : 0"},
    )
    return _layer(height, [brush, rule])
