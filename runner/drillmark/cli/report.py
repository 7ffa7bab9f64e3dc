"""`drillmark report`: a run's report as a page, a picture or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drillmark.errors import UsageError

if TYPE_CHECKING:
    from drillmark.cli.stored import StoredRun

PICTURE = "report.png"


@click.command()
@click.argument("run", default="last")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "png", "json"]),
    default="html",
    show_default=True,
    help="A page, the picture alone, or the result.",
)
@click.option("--open", "opened", is_flag=True, help="Open it afterwards.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it there, not into the run.")
@click.option("--dark", is_flag=True, help="Draw the picture for a dark background (png).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the same as --format json.")
def command(run: str, *, kind: str, opened: bool, output: Path | None, dark: bool, as_json: bool) -> None:
    """Write a run's report.

    RUN is its id, the beginning of it, `last`, or the folder where it lies. The page goes to report.html in the run's
    folder, the picture to report.png, JSON to the screen.
    """
    from drillmark.cli import stored, terminal
    from drillmark.report import files

    found = stored.find(run)
    result = files.read(found.directory)
    if result is None:
        raise UsageError(
            f"run {found.run} has no result yet", hint=f"`drillmark resume {found.run}` ends it, then it can be told"
        )
    if as_json or kind == "json":
        _json(result, output)
        return
    path = _page(found, result, output) if kind == "html" else _picture(found, result, output, dark=dark)
    terminal.echo_lines([(str(path), "")])
    if opened:
        click.launch(str(path))


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
