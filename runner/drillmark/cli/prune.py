"""`drillmark prune`: what of old runs is bulky goes, the evidence stays."""

from __future__ import annotations

import click

from drillmark.cli import terminal
from drillmark.cli.run import Duration


@click.command()
@click.option("--older-than", type=Duration(), required=True, help="Only runs that began so long ago (90d).")
@click.option("--dry-run", is_flag=True, help="Say what would go; take nothing away.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, older_than: float, dry_run: bool, as_json: bool) -> None:
    """Take away samples and logs of old runs; keep the evidence.

    Journal, plan, result, report and the hashes of all samples stay, and the journal says what was taken away. A run
    that has not ended, or has something left to undo, is not touched.
    """
    from drillmark import places
    from drillmark.engine import pruning
    from drillmark.engine.permission import who
    from drillmark.report import words

    done = pruning.prune(places.with_runs(), older_than_seconds=older_than, by=who(), really=not dry_run)
    if as_json:
        terminal.echo_json([{"run": one.run, "files": one.files, "bytes": one.bytes} for one in done])
        return
    for one in done:
        click.echo(f"{one.run}  {words.plural(len(one.files), 'file')}, {one.bytes / 1e6:.1f} MB")
    total = f"{words.plural(len(done), 'run')}, {sum(one.bytes for one in done) / 1e6:.1f} MB"
    click.echo(f"would be pruned: {total}" if dry_run else f"pruned: {total}")
