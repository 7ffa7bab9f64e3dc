"""`drillmark report --quarter 2026Q4`: the drills of a period on one page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillmark.cli import report_forms
from drillmark.errors import UsageError

if TYPE_CHECKING:
    from drillmark.period_runs import Document

KINDS = ("html", "md", "json")
FOLDER = "periods"


def command(name: str, *, kind: str, opened: bool, output: Path | None) -> None:
    """Write the page of a period, or print it as JSON. Raises UsageError where the period, or its form, is none."""
    from drillmark import clock, period_runs, periods, places
    from drillmark.cli import terminal
    from drillmark.model.stamp import NANOSECONDS

    if kind not in KINDS:
        raise UsageError(f"a period has no {kind}", hint=f"--format {', '.join(KINDS)}")
    period = periods.parse(name)
    root = places.with_runs()
    now = datetime.fromtimestamp(clock.now().wall_ns / NANOSECONDS, tz=UTC)
    if period.begin > now:
        raise UsageError(f"{period.name} has not begun", hint="name a period that has")
    document = period_runs.gather(root, period, now)
    if kind == "json":
        _json(document, output)
        return
    path = output or places.reports_of(root) / FOLDER / f"{period.name}.{kind}"
    report_forms.write(path, _page(root, document) if kind == "html" else _markdown(path, document))
    terminal.echo_lines([*((text, "") for text in _told(document)), ("", ""), (str(path), "head")])
    if opened:
        click.launch(str(path))


def _told(document: Document) -> list[str]:
    from drillmark.report.period import telling

    return telling.sentences(document)


def _page(root: Path, document: Document) -> str:
    from drillmark import looks, places

    return looks.period(document, places.reports_of(root))


def _markdown(path: Path, document: Document) -> str:
    """The text; its pictures are written beside it."""
    from drillmark import period_runs
    from drillmark.report.period import markdown

    named: dict[tuple[str, str], str] = {}
    for picture in period_runs.pictures(document):
        report_forms.write(path.with_name(picture.name), picture.svg)
        named[picture.drill, picture.number] = picture.name
    return markdown.render(document, named)


def _json(document: Document, output: Path | None) -> None:
    import json

    from drillmark.cli import terminal

    if output is None:
        terminal.echo_json(document)
        return
    report_forms.write(output, json.dumps(document, indent=2, allow_nan=False) + "\n")
    click.echo(str(output))
