"""`drillmark resume`: take up a run whose runner was lost. What happens then is the engine's business."""

from __future__ import annotations

import click


@click.command()
@click.argument("run", default="last")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing while it runs.")
@click.pass_context
def command(context: click.Context, run: str, *, as_json: bool) -> None:
    """Take up a run whose runner was lost.

    RUN is its id, the beginning of it, or `last`. What may still be in effect is undone or adopted, the rest of the
    drill is run where that is possible, and the result is measured. The exit code is that of the verdict.
    """
    from drillmark import places, runs
    from drillmark.cli import everywhere, keeping, views
    from drillmark.cli.run import prepare_lab, tell_end, use_lab
    from drillmark.engine import resume
    from drillmark.errors import LabError, UsageError

    root = places.with_runs()
    row = runs.find(root, run)
    use_lab(root)
    try:
        plan = runs.read_plan(root / row.directory)
    except UsageError:
        # Its undo file is enough to undo; the error is told after that.
        resume.resume(root, row)
        raise

    def prepare() -> None:
        try:
            prepare_lab(root, plan, quiet=as_json)
        except LabError as error:
            # A lab that does not come up is no reason to leave a fault.
            click.echo(f"warning: {error}", err=True)

    known = runs.KnownEntries(root, row)
    with views.everyone(root, plan, quiet=as_json, before=known) as view, everywhere.locked(root, undoes=True) as locks:
        ended = resume.resume(root, row, view=view, prepare=prepare, everywhere=locks)
    tell_end(ended, as_json=as_json)
    keeping.after(root, ended.run)
    context.exit(ended.exit_code)
