"""A comparison for the terminal: differences first, what is the same in one line. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from drillmark.report import comparing, sentences, words

Line = tuple[str, sentences.Style]

_WIDTH = 100
_SIDE_BY_SIDE = 2


def lines(comparison: dict[str, Any], *, everything: bool = False) -> list[Line]:
    """The lines, with the way they are meant. `everything`: what is only reported too."""
    return list(_lines(comparison, everything=everything))


def _lines(comparison: dict[str, Any], *, everything: bool) -> Iterator[Line]:
    runs = comparison["runs"]
    for run in runs:
        style = sentences.STYLES.get(run["verdict"], "")
        yield f"{run['letter']}  {run['run']}  {run['verdict_words']}", style
        for text in textwrap.wrap(run["headline"], _WIDTH, initial_indent="   ", subsequent_indent="   "):
            yield text, ""
    yield "", ""
    for text in comparison["summary"]:
        yield from _wrapped(text, "head")
    for note in comparison["notes"]:
        yield from _wrapped(f"note: {note}", "doubt")
    if not any(row["kind"] == "differs" for row in comparison["rows"]):
        yield from _titled("no sure difference", "head")
    for kind, title in comparing.KINDS.items():
        rows = [row for row in comparison["rows"] if row["kind"] == kind]
        if kind == "reported":
            yield from _reported(rows, runs, everything=everything)
        elif kind == "same":
            names = ", ".join(row["name"] for row in rows)
            yield "", ""
            yield from _wrapped(f"{title}: {names or 'nothing'}", "dim")
        else:
            yield from _block(title, rows, runs)


def _titled(text: str, style: sentences.Style) -> Iterator[Line]:
    yield "", ""
    yield text, style


def _wrapped(text: str, style: sentences.Style) -> Iterator[Line]:
    for line in textwrap.wrap(text, _WIDTH, subsequent_indent="  "):
        yield line, style


def _block(title: str, rows: list[dict[str, Any]], runs: list[dict[str, Any]]) -> Iterator[Line]:
    if rows:
        yield from _titled(title, "head")
        yield from _table(rows, runs) if len(runs) == _SIDE_BY_SIDE else _list(rows, runs)


def _reported(rows: list[dict[str, Any]], runs: list[dict[str, Any]], *, everything: bool) -> Iterator[Line]:
    """Steps explain an RTA; the rest is long, and shown where it is asked for."""
    steps = [row for row in rows if row["section"] == "time"]
    yield from _block(f"{comparing.SECTIONS['time']}, as the journal stamps it", steps, runs)
    rest = [row for row in rows if row["section"] != "time"]
    if everything:
        yield from _block(comparing.KINDS["reported"], rest, runs)
    elif rest:
        yield from _titled(f"and {words.plural(len(rest), 'number')} that nothing is judged by: --all", "dim")


def _table(rows: list[dict[str, Any]], runs: list[dict[str, Any]]) -> Iterator[Line]:
    cells = [[row["name"], *(words.harmless(one) for one in row["shown"]), _said(row, runs)] for row in rows]
    heads = ["", *(run["letter"] for run in runs), ""]
    widths = [max(len(row[n]) for row in [heads, *cells]) for n in range(len(heads))]
    for row in [heads, *cells]:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), ""


def _said(row: dict[str, Any], runs: list[dict[str, Any]]) -> str:
    said = row["said"][1]
    return "" if said in ("", "differs", "not known") else f"{runs[1]['letter']}: {said}"


def _list(rows: list[dict[str, Any]], runs: list[dict[str, Any]]) -> Iterator[Line]:
    """More runs than fit beside each other: one line for each."""
    for row in rows:
        yield f"  {row['name']}", ""
        for run, shown, said in zip(runs, row["shown"], row["said"], strict=True):
            told = "" if said in ("", "differs", "not known") else f"  ({said})"
            yield f"    {run['letter']}  {words.harmless(shown)}{told}", ""
