"""`drillmark abort`: ask a run to stop. The run undoes its fault; this command touches nothing."""

from __future__ import annotations

import click

from drillmark.cli import terminal


@click.command()
@click.argument("run", default="last")
@click.option("--reason", default="stopped by hand", show_default=True, help="Why; it stands in the journal.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, *, reason: str, as_json: bool) -> None:
    """Stop a run: its fault is undone first.

    RUN is its id, the beginning of it, or `last`. Its runner obeys at once; if it does not, the guard does.
    """
    from drillmark import runs, workspace
    from drillmark.engine import aborting

    root = workspace.find()
    row = runs.find(root, run)
    aborting.abort(root, row, reason)
    if as_json:
        terminal.echo_json({"run": row.run, "asked": True, "reason": reason})
        return
    click.echo(f"asked run {row.run} to stop; it undoes its fault first")
    click.echo(f"`drillmark show {row.run}` says how it went")
