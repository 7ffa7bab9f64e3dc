"""`drillmark report`: a run's report as a page, Markdown, a PDF, a picture or JSON; or the report of a period."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drillmark.errors import UsageError

if TYPE_CHECKING:
    from drillmark.cli.stored import StoredRun

PICTURE = "report.png"


@click.command()
@click.argument("run", required=False)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "md", "pdf", "png", "json"]),
    default="html",
    show_default=True,
    help="A page, Markdown with pictures, a PDF, the picture alone, or the result.",
)
@click.option("--quarter", "period", metavar="2026Q4", help="All drills of a period: 2026Q4, 2026H2, 2026 or 202611.")
@click.option("--open", "opened", is_flag=True, help="Open it afterwards.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it there, not into the run.")
@click.option("--dark", is_flag=True, help="Draw the picture for a dark background (png).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the same as --format json.")
def command(
    run: str | None,
    *,
    kind: str,
    period: str | None,
    opened: bool,
    output: Path | None,
    dark: bool,
    as_json: bool,
) -> None:
    """Write a run's report, or that of a period.

    RUN is its id, the beginning of it, `last` (the default), or the folder where it lies. The page goes to report.html
    in the run's folder, Markdown to report.md with pictures beside it, the picture to report.png, JSON to the screen.
    With --quarter it is a page of all drills of that time, in reports/periods.
    """
    from drillmark.cli import report_period, terminal

    kind = "json" if as_json else kind
    if period is not None:
        if run is not None:
            raise UsageError("a period has no RUN", hint="leave out one of them: RUN, or --quarter")
        report_period.command(period, kind=kind, opened=opened, output=output)
        return
    found, result = _stored(run or "last")
    if kind == "json":
        _json(result, output)
        return
    path = _made(found, result, kind, output, dark=dark)
    terminal.echo_lines([(str(path), "")])
    if opened:
        click.launch(str(path))


def _stored(run: str) -> tuple[StoredRun, dict[str, Any]]:
    from drillmark.cli import stored
    from drillmark.report import files

    found = stored.find(run)
    result = files.read(found.directory)
    if result is None:
        raise UsageError(
            f"run {found.run} has no result yet", hint=f"`drillmark resume {found.run}` ends it, then it can be told"
        )
    return found, result


def _made(found: StoredRun, result: dict[str, Any], kind: str, output: Path | None, *, dark: bool) -> Path:
    from drillmark.cli import report_forms

    if kind == "md":
        return report_forms.markdown(found, result, output)
    if kind == "pdf":
        return report_forms.pdf(found, result, output)
    return _page(found, result, output) if kind == "html" else _picture(found, result, output, dark=dark)


def _json(result: dict[str, Any], output: Path | None) -> None:
    from drillmark.cli import terminal
    from drillmark.report import files

    if output is None:
        terminal.echo_json(result)
        return
    _write(output, files.to_json(result).encode())
    click.echo(str(output))


def _page(found: StoredRun, result: dict[str, Any], output: Path | None) -> Path:
    from drillmark import pages

    path = output or found.directory / pages.PAGE
    _write(path, pages.text(found.directory, found.entries, result).encode("utf-8"))
    return path


def _picture(found: StoredRun, result: dict[str, Any], output: Path | None, *, dark: bool) -> Path:
    from drillmark import pages
    from drillmark.report import drawing

    spec = pages.charts(found.directory, found.entries, result).picture
    if spec is None:
        raise UsageError(
            f"run {found.run} has no picture: nothing was observed", hint="`--format html` tells what happened"
        )
    path = output or found.directory / PICTURE
    _write(path, drawing.png(spec, dark=dark))
    return path


def _write(path: Path, content: bytes) -> None:
    from drillmark import files

    try:
        files.write_bytes_whole(path, content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="name another file with --output") from error
