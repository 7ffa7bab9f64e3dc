"""`drillmark compare`: two or more runs in the same order, differences first. Writes nothing but what is asked for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from drillmark.cli import terminal
from drillmark.errors import UsageError

_FEWEST, _MOST = 2, 12


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option("--all", "everything", is_flag=True, help="Also numbers that nothing is judged by.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(runs: tuple[str, ...], *, everything: bool, html: Path | None, as_json: bool) -> None:
    """Compare two or more runs: what differs first.

    Each number is held against that of the first run. A difference that lies within the intervals is said to be that:
    there may be none. RUN is an id, the beginning of one, `last`, or the folder where a run lies.
    """
    from drillmark.report import comparing, comparison_lines

    made = comparing.compare(_results(runs))
    if html is not None:
        _page(html, made)
    if as_json:
        terminal.echo_json(made)
    elif html is not None:
        terminal.echo_lines([*((text, "") for text in made["summary"]), (str(html), "head")])
    else:
        terminal.echo_lines(comparison_lines.lines(made, everything=everything))


def _page(path: Path, made: dict[str, Any]) -> None:
    from drillmark import files, looks, places

    reports = None
    with suppress(UsageError):  # runs may lie in folders that somebody sent
        reports = places.reports_of(places.with_runs())
    try:
        files.write_whole(path, looks.comparison(made, reports))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="name another file with --html") from error


def _results(runs: tuple[str, ...]) -> list[dict[str, Any]]:
    """The stored results. Raises UsageError where one is missing, or too few or too many are named."""
    from drillmark.cli import stored
    from drillmark.report import files

    if not _FEWEST <= len(runs) <= _MOST:
        raise UsageError(
            f"{len(runs)} runs to compare, {_FEWEST} to {_MOST} are possible",
            hint="`drillmark list` names the runs: drillmark compare RUN RUN",
        )
    found: list[dict[str, Any]] = []
    seen: dict[Path, str] = {}
    for text in runs:
        run = stored.find(text)
        if run.directory.resolve() in seen:
            raise UsageError(f"{text} is the same run as {seen[run.directory.resolve()]}", hint="name different runs")
        seen[run.directory.resolve()] = text
        result = files.read(run.directory)
        if result is None:
            raise UsageError(f"{text} has no result yet", hint=f"`drillmark show {run.run}` says why")
        found.append(result)
    return found
