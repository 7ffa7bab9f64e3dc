"""`drillmark import`: a journal that `chaos run` wrote, as a run of this workspace. Nothing is performed."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("import")
@click.argument("journal", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(journal: Path, *, as_json: bool) -> None:
    """Take in a journal of `chaos run` as a run.

    JOURNAL is the journal.json that Chaos Toolkit wrote. What it shows is judged; what it does not show is unknown, and
    never passed. Exits with 0 where it could be taken in, whatever its verdict.
    """
    from drillmark import places
    from drillmark.cli.run import tell_end
    from drillmark.engine import importing

    ended = importing.import_journal(places.for_an_experiment(), journal.expanduser())
    tell_end(ended, as_json=as_json)
