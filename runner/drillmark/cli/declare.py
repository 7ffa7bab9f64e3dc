"""`drillmark declare`: a person declares the disaster, which a drill with `phases.detect` waits for."""

from __future__ import annotations

import click

from drillmark.cli import terminal
from drillmark.errors import UsageError

_LIMIT_CHARACTERS = 200


@click.command()
@click.argument("run", default="last")
@click.option("--by", required=True, metavar="NAME", help="Who declares it; stands in journal and report.")
@click.option("--reason", default="", help="What was seen.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, *, by: str, reason: str, as_json: bool) -> None:
    """Declare the disaster of a run, as a person who noticed it.

    RUN is its id, the beginning of it, or `last`. It counts as detection where no alert came before, and
    ends the wait of `phases.detect`.
    """
    from drillmark import runs, workspace
    from drillmark.engine import declaring
    from drillmark.report import words

    name, why = (words.harmless(text.strip(), limit=_LIMIT_CHARACTERS) for text in (by, reason))
    if not name:
        raise UsageError("--by is empty", hint="say who declares the disaster: --by NAME")
    root = workspace.find()
    row = runs.find(root, run)
    at = declaring.declare(root, row, by=name, reason=why)
    if as_json:
        terminal.echo_json({"run": row.run, "declared_by": name, "at": words.iso(at.wall_ns), "reason": why})
        return
    click.echo(f"the disaster of run {row.run} is declared by {name}")
