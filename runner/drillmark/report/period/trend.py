"""The trend of RTA or RPA of one drill: each run an interval on a logarithmic scale, the objective a line. Pure.

One drawing for page and Markdown: an SVG whose colours are names of the charts' theme. A run whose number is not known
has its place and says so; no line joins runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from xml.sax.saxutils import quoteattr

from drillmark.report import clauses, words
from drillmark.report.charts.theme import LIGHT

Document = dict[str, Any]
Place = Callable[[float], float]

WIDTH, HEIGHT = 480, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 26
_TICKS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 14400.0, 86400.0, 604800.0, 2592000.0)
_LOWEST = 0.001
_COLOURS = {"passed": "good", "failed": "bad", "unknown": "doubt", "not_applicable": "muted"}
_MONTHS_SHOWN, _DAYS_OF_MONTH = 2, (1, 8, 15, 22)


def draw(runs: Sequence[Document], name: str, period: Document) -> str:
    """The trend of `rta` or `rpa` over runs that have it. `runs`: those of one drill, not empty."""
    shown = [run for run in runs if run[name] is not None]
    begin, end = (datetime.fromisoformat(period[key]) for key in ("begin", "end"))
    low, high = _domain([run[name] for run in shown])

    def x(moment: datetime) -> float:
        share = (moment - begin) / (end - begin)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(seconds: float) -> float:
        share = math.log(max(seconds, low) / low) / math.log(high / low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    parts = [*_grid(low, high, y), *_months(begin, end, x), *_objectives(shown, name, y)]
    for run in shown:
        parts += _run(run, name, x(datetime.fromisoformat(run["started"])), y)
    label = quoteattr(f"{name.upper()} of {len(shown)} runs; the table below has the numbers")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label={label}>'
    return head + "".join(parts) + "</svg>"


def alone(svg: str) -> str:
    """The drawing as a file of its own, on white: nothing else gives its colours a value."""
    for colour, value in LIGHT.items():
        svg = svg.replace(f"var(--{colour})", value)
    head, bracket, rest = svg.partition(">")
    return f'{head}{bracket}<rect width="{WIDTH}" height="{HEIGHT}" fill="{LIGHT["paper"]}"/>{rest}'


def _domain(actuals: Sequence[Document]) -> tuple[float, float]:
    values = [one["objective_seconds"] for one in actuals]
    for one in actuals:
        seconds = clauses.span(one["seconds"])
        values += [] if seconds is None else [seconds.lo, seconds.hi or 0.0]
    some = [max(_LOWEST, value) for value in values if value > 0]
    low, high = min(some, default=1.0), max(some, default=10.0)
    return low / 2, high * 2


def _grid(low: float, high: float, y: Place) -> Iterator[str]:
    for tick in _TICKS:
        if low <= tick <= high:
            yield _line(_LEFT, y(tick), WIDTH - _RIGHT, y(tick), "line")
            yield _text(_LEFT - 6, y(tick) + 4, words.duration(tick), "end")


def _months(begin: datetime, end: datetime, x: Callable[[datetime], float]) -> Iterator[str]:
    """Where months begin; in a period of one or two, weeks."""
    short = (end - begin) <= timedelta(days=31 * _MONTHS_SHOWN)
    moment = begin
    while moment < end:
        if moment.day in (_DAYS_OF_MONTH if short else (1,)):
            yield _line(x(moment), _TOP, x(moment), HEIGHT - _BOTTOM, "line")
            yield _text(x(moment) + 3, HEIGHT - 9, f"{moment:%-d %b}" if short else f"{moment:%b}", "start")
        moment += timedelta(days=1)


def _objectives(runs: Sequence[Document], name: str, y: Place) -> Iterator[str]:
    """Every objective that a run had."""
    stated = list(dict.fromkeys(run[name]["objective_seconds"] for run in runs))
    for seconds in stated:
        yield (
            f'<line x1="{_LEFT}" y1="{y(seconds):.1f}" x2="{WIDTH - _RIGHT}" y2="{y(seconds):.1f}" '
            f'stroke="var(--ink)" stroke-width="1.5" stroke-dasharray="6 4"/>'
        )
        yield _text(WIDTH - _RIGHT, y(seconds) - 5, f"objective {words.duration(seconds)}", "end", "ink")


def _run(run: Document, name: str, at: float, y: Place) -> Iterator[str]:
    verdict, seconds = run[name]["verdict"], clauses.span(run[name]["seconds"])
    colour = _COLOURS[verdict]
    title = f"<title>{_escaped(run['run'])}: {_escaped(words.interval(seconds))}, {words.outcome(verdict)}</title>"
    if seconds is None:
        yield (
            f'<g>{title}<line x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{HEIGHT - _BOTTOM}" stroke="var(--doubt)" '
            f'stroke-dasharray="2 3"/>{_text(at + 7, HEIGHT - _BOTTOM - 4, "?", "middle", "doubt")}</g>'
        )
        return
    top = _TOP if seconds.hi is None else y(seconds.hi)
    bottom = max(y(seconds.lo), top + 3)
    middle = (top + bottom) / 2 if seconds.hi is not None else bottom
    bar = (
        f'<line x1="{at:.1f}" y1="{bottom:.1f}" x2="{at:.1f}" y2="{top:.1f}" stroke="var(--{colour})" '
        f'stroke-width="3"/>'
    )
    arrow = ""
    if seconds.hi is None:
        head = f"M{at - 5:.1f} {_TOP + 7} L{at:.1f} {_TOP} L{at + 5:.1f} {_TOP + 7}"
        arrow = f'<path d="{head}" fill="none" stroke="var(--{colour})" stroke-width="2"/>'
    yield f"<g>{title}{bar}{arrow}{_sign(verdict, at, middle, colour)}</g>"


def _sign(verdict: str, x: float, y: float, colour: str) -> str:
    """A shape for each verdict, so that colour is never all that tells."""
    paint = f'stroke="var(--{colour})" stroke-width="2"'
    if verdict == "failed":
        return f'<path d="M{x - 5:.1f} {y - 5:.1f} l10 10 m0 -10 l-10 10" fill="none" {paint}/>'
    if verdict == "unknown":
        return f'<path d="M{x:.1f} {y - 6:.1f} l6 6 l-6 6 l-6 -6 z" fill="var(--paper)" {paint}/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="var(--{colour})"/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="var(--{colour})" stroke-opacity="0.7"/>'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = "muted") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" '
        f'font-family="system-ui, sans-serif" fill="var(--{colour})">{_escaped(text)}</text>'
    )


def _escaped(text: str) -> str:
    return words.harmless(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
