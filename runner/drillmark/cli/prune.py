"""`drillmark prune`: what of old runs is bulky goes, the evidence stays."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from drillmark.cli import terminal
from drillmark.cli.run import Duration

if TYPE_CHECKING:
    from drillmark.engine.pruning import Pruned


@click.command()
@click.option("--older-than", type=Duration(), required=True, help="Only runs that began so long ago (90d).")
@click.option("--dry-run", is_flag=True, help="Say what would go; take nothing away.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, older_than: float, dry_run: bool, as_json: bool) -> None:
    """Take away samples and logs of old runs; keep the evidence.

    Journal, plan, result, report and the hashes of all samples stay, and the journal says what was taken away. A run
    that has not ended, or has something left to undo, is not touched. What DRILLMARK_ARTIFACTS holds of these runs is
    pruned likewise.
    """
    from drillmark import artifacts, places
    from drillmark.engine import pruning
    from drillmark.engine.permission import who

    root = places.with_runs()
    place = artifacts.configured(root)
    copies = artifacts.Copies(root, place) if place is not None else None
    done: list[Pruned] = []
    try:
        for one in pruning.prune(
            root, older_than_seconds=older_than, by=who(), really=not dry_run, copies=copies
        ):  # fmt: skip
            done.append(one)
            if not as_json:
                click.echo(f"{one.run}  {_words([one])}")
    finally:  # a place that goes away in the middle takes nothing back
        if as_json:
            terminal.echo_json([asdict(one) for one in done])
    if not as_json:
        from drillmark.report import words

        total = f"{words.plural(len(done), 'run')}, {_words(done)}"
        click.echo(f"would be pruned: {total}" if dry_run else f"pruned: {total}")


def _words(done: list[Pruned]) -> str:
    from drillmark.report import words

    told = f"{words.plural(sum(len(one.files) for one in done), 'file')}, {sum(one.bytes for one in done) / 1e6:.1f} MB"
    copied = sum(len(one.copy_files) for one in done)
    if copied:
        size = sum(one.copy_bytes for one in done) / 1e6
        told += f"; of the copies {words.plural(copied, 'file')}, {size:.1f} MB"
    return told
