"""The waterfall of where the time went: one bar under the other, the longest of them said so."""

from __future__ import annotations

from drillmark.report import words
from drillmark.report.charts.marks import SAY_SECONDS, STEP, Spec, mark, step_signal, text
from drillmark.report.charts.theme import config
from drillmark.report.where import Bar, longest

_ROW = 36
LEFT = RIGHT = 16


def specification(bars: list[Bar], *, zero: str, width: int = 760) -> Spec:
    """The waterfall. `bars` must not be empty; `zero` is what happened where their seconds begin."""
    most = longest(bars)
    rows = [
        {
            "kind": bar.kind,
            "said": _said(bar),
            "from": bar.begin,
            "to": bar.end,
            "row": number,
            "took": _took(bar.seconds) + (", the longest" if bar is most and len(bars) > 1 else ""),
            "most": bar is most,
        }
        for number, bar in enumerate(bars)
    ]
    begin, end = min(0.0, *(bar.begin for bar in bars)), max(bar.end for bar in bars)
    height = _ROW * len(rows)
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "description": "; ".join(f"{row['said']} {row['took']}" for row in rows),
        "width": width,
        "height": height,
        "padding": {"left": LEFT, "right": RIGHT, "top": 4, "bottom": 40},
        "autosize": "none",
        "config": config(),
        "signals": [
            {"name": "x0", "value": begin},
            {"name": "x1", "value": end},
            {"name": "raw", "update": STEP},
            step_signal(),
        ],
        "data": [{"name": "rows", "values": rows}],
        "scales": [{"name": "x", "type": "linear", "domain": [begin, end], "range": "width", "zero": False}],
        "axes": [
            {
                "scale": "x",
                "orient": "bottom",
                "grid": True,
                "values": {"signal": "sequence(ceil(x0 / step) * step, x1 + step / 1000, step)"},
                "encode": {"labels": {"update": {"text": {"signal": SAY_SECONDS}}}},
                "title": f"time since {zero}",
                "titleFontWeight": "normal",
                "titleFontSize": 11,
                "labelFlush": True,
                "labelOverlap": True,
            }
        ],
        "marks": _marks(),
    }


def _marks() -> list[Spec]:
    begin, end = "scale('x', datum.from)", "scale('x', datum.to)"
    right = f"{begin} > width * 0.5"
    bar = mark(
        "rect",
        "rows",
        x={"signal": begin},
        x2={"signal": f"max({end}, {begin} + 2)"},
        y={"signal": f"datum.row * {_ROW} + 19"},
        height=12,
        fill={"signal": "datum.most ? 'var(--accent)' : 'var(--soft)'"},
        cornerRadius=1.5,
    )
    name = text(
        {"signal": "datum.said + ' · ' + datum.took"},
        x={"signal": f"{right} ? max({end}, {begin} + 2) : {begin}"},
        y={"signal": f"datum.row * {_ROW} + 10"},
        align={"signal": f"{right} ? 'right' : 'left'"},
        limit={"signal": f"{right} ? max({end}, {begin} + 2) : width - {begin}"},
        fontWeight={"signal": "datum.most ? 600 : 400"},
    ) | {"from": {"data": "rows"}}
    return [bar, name]


def _said(bar: Bar) -> str:
    name = words.harmless(bar.name.removeprefix(f"{bar.kind}: "), limit=60)
    if bar.kind == "start":
        return name  # what is done before the copying has names that say it: `start: fence` says less
    return bar.kind if name == bar.kind else f"{bar.kind}: {name}"


def _took(seconds: float) -> str:
    return words.duration(seconds if seconds >= 1 else round(seconds, 3))
