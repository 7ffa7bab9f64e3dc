"""What a panel of the picture is: its name, the keys to its marks, and scales and axes as all of them have them."""

from __future__ import annotations

from dataclasses import dataclass, field

from drillmark.report import words
from drillmark.report.charts.marks import Spec, hatch, mark, text, value
from drillmark.report.series import Series

_LONGEST_REASON = 100


@dataclass(slots=True)
class Panel:
    """One panel: its own scales, axes and marks, laid over the shared time axis.

    Attributes:
        keys: what its marks mean, as (how it is drawn, name): `line`, `dash`, `dots`, `bar`, `thin`, `hatch`, `hollow`,
            `diamond`; each with a colour.
        missing: why it shows nothing; empty: it shows what its name says.
    """

    name: str
    height: float
    marks: list[Spec] = field(default_factory=list[Spec])
    scales: list[Spec] = field(default_factory=list[Spec])
    axes: list[Spec] = field(default_factory=list[Spec])
    data: list[Spec] = field(default_factory=list[Spec])
    keys: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    missing: str = ""

    def title(self) -> list[Spec]:
        """Its name, and the keys at the right, where there is room for both."""
        made: list[Spec] = []
        back = 0.0
        for kind, stroke, name in reversed(self.keys):
            made.append(text(name, x={"signal": f"width - {back:g}"}, y=-12, align="right", fill=value("muted")))
            back += len(name) * 6 + 6
            made.append(_key(kind, stroke, back))
            back += 26
        need = back + len(self.name) * 7
        for each in made:
            each["encode"]["update"]["opacity"] = {"signal": f"width < {need:g} ? 0 : 1"}
        return [text(self.name, x=0, y=-12, fontWeight=600), *made]


def why_not(series: Series, name: str, note: str) -> list[Panel]:
    """A panel that has nothing to show says why."""
    why = words.harmless(series.notes.get(note, ""), limit=_LONGEST_REASON)
    if not why:
        return []
    said = text(f"not shown: {why}", x=4, y=9, fill=value("muted"), fontStyle="italic")
    return [Panel(name, 18, [said], missing=why)]


def rows_missing(series: Series, panel: str) -> Spec:
    """The stretches in which a panel's samples are not there."""
    return {"name": f"missing_{panel}", "values": [row for row in series.missing if row["panel"] == panel]}


def scale(name: str, kind: str, domain: list[float], height: float) -> Spec:
    """A scale from the panel's foot to its top."""
    made: Spec = {"name": name, "type": kind, "domain": domain, "range": [height, 0], "nice": False}
    return made if kind == "log" else made | {"zero": False}


def left(of: str, **more: object) -> Spec:
    """The axis at the left, with its grid."""
    return {"scale": of, "orient": "left", "grid": True, "domain": False, "tickSize": 0, **more}


def _key(kind: str, stroke: str, back: float) -> Spec:
    x, x2 = {"signal": f"width - {back + 16:g}"}, {"signal": f"width - {back:g}"}
    if kind in {"line", "dash", "dots"}:
        dash = {"line": [], "dash": [5, 3], "dots": [1.5, 2.5]}[kind]
        return mark("rule", None, x=x, x2=x2, y=-12, stroke=value(stroke), strokeWidth=2, strokeDash=dash)
    if kind == "diamond":
        middle = {"signal": f"width - {back + 8:g}"}
        return mark("symbol", None, x=middle, y=-12, shape="diamond", size=60, fill=value(stroke))
    if kind == "hollow":
        return mark("rect", None, x=x, x2=x2, y=-16, height=8, fill=None, stroke=value(stroke), strokeWidth=1.2)
    y, height = (-14, 4) if kind == "thin" else (-17, 10)
    fill = hatch() if kind == "hatch" else value(stroke)
    return mark("rect", None, x=x, x2=x2, y=y, height=height, fill=fill)
