"""`drillmark abort`: ask runs to stop. Each run undoes its fault itself; this command touches nothing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillmark.cli import terminal

if TYPE_CHECKING:
    from drillmark.engine.aborting import Asked


@click.command()
@click.argument("run", required=False)
@click.option("--all", "every", is_flag=True, help="Stop every run of the workspace that has not ended.")
@click.option("--reason", default="stopped by hand", show_default=True, help="Why; it stands in the journal.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str | None, *, every: bool, reason: str, as_json: bool) -> None:
    """Stop a run: its fault is undone first.

    RUN is its id, the beginning of it, or `last`, which is meant where nothing is said. Its runner obeys at once; if it
    does not, the guard does.
    """
    from drillmark import places, runs
    from drillmark.engine import aborting
    from drillmark.errors import UsageError

    root = places.with_runs()
    if every:
        if run is not None:
            raise UsageError("a run and --all contradict each other", hint="name the run, or stop all of them")
        asked = aborting.abort_all(root, reason)
        if as_json:
            terminal.echo_json(asdict(asked) | {"reason": reason})
        elif not (asked.runs or asked.elsewhere or asked.problems):
            click.echo("no run goes on")
        for each in () if as_json else asked.runs:
            _tell(root, each)
        _say_what_is_left(asked)
        return
    row = runs.find(root, run or "last")
    aborting.abort(root, row, reason)
    if as_json:
        terminal.echo_json({"run": row.run, "asked": True, "reason": reason})
    else:
        _tell(root, row.run)


def _say_what_is_left(asked: Asked) -> None:
    """Whoever wants all to stop must know of those that nobody asked."""
    from drillmark.engine import aborting
    from drillmark.errors import DrillmarkError, UsageError

    left = [aborting.told_elsewhere(run, worker) for run, worker in asked.elsewhere.items()]
    if asked.problems:
        wrong = [f"run {run} could not be asked: {why}" for run, why in asked.problems.items()]
        raise DrillmarkError("; ".join([*wrong, *left]), hint="`drillmark stop` stops the runs of all machines")
    if left:
        hint = "`drillmark abort` on that machine; `drillmark stop` stops the runs of all machines"
        raise UsageError("; ".join(left), hint=hint)


def _tell(root: Path, run: str) -> None:
    from drillmark.cli import states
    from drillmark.engine.paths import WorkspacePaths

    if states.is_driven(WorkspacePaths(root).runs / run):
        click.echo(f"asked run {run} to stop; it undoes its fault first")
        click.echo(f"`drillmark show {run}` says how it went")
    else:
        click.echo(f"asked run {run} to stop; its runner is gone, so its guard undoes, if that still lives")
        click.echo(f"`drillmark resume {run}` makes sure of it, and ends the run")
