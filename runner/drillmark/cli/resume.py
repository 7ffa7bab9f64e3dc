"""`drillmark resume`: take up a run whose runner was lost. What happens then is the engine's business."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drillmark.engine.start import RunEnded
    from drillmark.journal.port import RunRow


@click.command()
@click.argument("run", default="last")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing while it runs.")
@click.option("--undone-by-hand", "by_hand", metavar="NAME", help="Who undid by hand what an ended run left.")
@click.pass_context
def command(context: click.Context, run: str, *, as_json: bool, by_hand: str | None) -> None:
    """Take up a run whose runner was lost.

    RUN is its id, the beginning of it, or `last`. What may still be in effect is undone or adopted, the rest of the
    drill is run where that is possible, and the result is measured. The exit code is that of the verdict.

    Where a run has ended and its undo cannot be proved, `--undone-by-hand` lets go of it without running or asking
    anything. Who says so stands in the journal.
    """
    from drillmark import places, runs
    from drillmark.cli import elsewhere, keeping
    from drillmark.cli.run import tell_end, use_lab
    from drillmark.engine.paths import RunPaths
    from drillmark.errors import UsageError

    if by_hand is not None and not by_hand.strip():
        raise UsageError("--undone-by-hand names nobody", hint="say who answers for it")
    root = places.with_runs()
    try:
        row = runs.find(root, run)
    except UsageError:
        # The fleet may know it all the same: its worker was lost before it began.
        elsewhere.take_over(root, run, quiet=as_json, by_hand=by_hand or "")
        raise
    use_lab(root)
    ended = None
    if not RunPaths(root / row.directory).epoch.exists():
        ended = elsewhere.take_over(root, row.run, quiet=as_json, by_hand=by_hand or "")
    ended = ended or _resume(root, row, quiet=as_json, by_hand=by_hand or "")
    tell_end(ended, as_json=as_json)
    keeping.after(root, ended.run)
    context.exit(ended.exit_code)


def _resume(root: Path, row: RunRow, *, quiet: bool, by_hand: str) -> RunEnded:
    """Where the run's folder is."""
    from drillmark import runs
    from drillmark.cli import everywhere, views
    from drillmark.cli.run import prepare_lab
    from drillmark.engine import resume
    from drillmark.errors import LabError, UsageError

    try:
        plan = runs.read_plan(root / row.directory)
    except UsageError:
        if by_hand:
            raise  # nothing is run then
        # Its undo file is enough to undo; the error is told after that.
        with everywhere.locked(root, undoes=True) as locks:
            resume.resume(root, row, everywhere=locks)
        raise

    def prepare() -> None:
        try:
            prepare_lab(root, plan, quiet=quiet)
        except LabError as error:
            # A lab that does not come up is no reason to leave a fault.
            click.echo(f"warning: {error}", err=True)

    known = runs.KnownEntries(root, row)
    with views.everyone(root, plan, quiet=quiet, before=known) as view, everywhere.locked(root, undoes=True) as locks:
        return resume.resume(root, row, view=view, prepare=prepare, everywhere=locks, by_hand=by_hand)
