"""`drillmark stop`: the global stop. Runs undo their faults themselves; this command touches nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from drillmark.cli import terminal
from drillmark.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

    from drillmark.engine.deciding import Stopped


@click.command()
@click.option("--by", metavar="NAME", help="Who stops, or lifts.")
@click.option("--reason", metavar="TEXT", help="Why; it stands in the journal, and every refusal tells it.")
@click.option("--lift", is_flag=True, help="Lift the stop; only who is named in drillmark.yaml may.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, by: str | None, reason: str | None, lift: bool, as_json: bool) -> None:
    """Stop everything: no run begins, every run undoes and ends.

    It holds for the whole workspace, in a fleet for all its workers, until somebody who is named under `lifters` lifts
    it. Without options, say whether everything is stopped.
    """
    from drillmark import workspace
    from drillmark.engine import deciding

    root = workspace.find()
    if not (lift or by or reason):
        _tell(root, as_json=as_json)
        return
    if lift:
        deciding.lift(root, by=by, reason=reason)
        if as_json:
            terminal.echo_json({"stopped": False, "by": by, "reason": reason})
        else:
            click.echo("the stop is lifted")
        return
    done = deciding.stop(root, by=by, reason=reason)
    if as_json:
        terminal.echo_json({"stopped": not done.problem, "by": by, "reason": reason, **asdict(done.asked)})
    else:
        _tell_runs(done)
        click.echo("everything is stopped" if not done.problem else "only the runs of this workspace are stopped")
    if done.problem:
        raise JournalError(f"the stop does not stand in the journal: {done.problem}", hint="stop every machine by hand")


def _tell_runs(done: Stopped) -> None:
    from drillmark.engine.aborting import told_elsewhere

    for run in done.asked.runs:
        click.echo(f"asked run {run} to stop; it undoes its fault first")
    heard = "it was not asked" if done.problem else "it hears the stop by the journal"
    for run, worker in done.asked.elsewhere.items():
        click.echo(f"{told_elsewhere(run, worker)}; {heard}")
    for run, why in done.asked.problems.items():
        click.echo(f"run {run} could not be asked in its folder ({why}); {heard}")


def _tell(root: Path, *, as_json: bool) -> None:
    from drillmark.engine import deciding
    from drillmark.report.words import harmless

    found = deciding.state(root).stop
    if as_json:
        told = None if found is None else {"by": found.by, "reason": found.reason, "at": found.at.isoformat()}
        terminal.echo_json({"stopped": found is not None, "stop": told})
    elif found is None:
        click.echo("nothing is stopped")
    else:
        click.echo(harmless(f"everything was stopped by {found.by} at {found.at:%Y-%m-%d %H:%M %Z}: {found.reason}"))
