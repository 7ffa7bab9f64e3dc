"""`drillmark run`: a drill from its definition to its result. Wires the parts; decides nothing."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillmark.cli import terminal

if TYPE_CHECKING:
    from drillmark.engine.start import RunEnded
    from drillmark.model.plan import Plan


class Duration(click.ParamType):
    """A duration as drills write it: `90s`, `1h30m`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number of seconds."""
        from drillmark.define.units import duration_seconds

        if isinstance(value, float):
            return value
        try:
            seconds = duration_seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds <= 0:
            self.fail("a time-out must be longer than zero", param, ctx)
        return seconds


@click.command()
@click.argument("drill", type=click.Path())
@click.option("--timeout", type=Duration(), help="Abort the run, and undo its fault, after so long (2h, 90s).")
@click.option("--requester", metavar="NAME", help="Who wants the run; the user of this process unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing while it runs.")
@click.pass_context
def command(context: click.Context, drill: str, *, timeout: float | None, requester: str | None, as_json: bool) -> None:
    """Run a drill and measure what happens.

    DRILL is a file, such as drills/quarterly/orders-db-lost.yaml. A drill on the lab brings the lab up if it is
    down. Ctrl-C undoes the fault first, then stops. The exit code is that of the verdict.
    """
    from drillmark import artifacts, workspace
    from drillmark.cli import everywhere, keeping, views
    from drillmark.engine.paths import WorkspacePaths

    # Chaos Toolkit is asked in a process of its own, which takes a while: time enough to import the engine.
    threading.Thread(target=import_module, args=("drillmark.engine.start",), daemon=True).start()
    root = workspace.find()
    artifacts.configured(root)  # a wrong name is told before anything begins
    plan = workspace.load_plan(drill, root=root)
    # Where runs are stopped, the engine refuses in a moment: no lab is made for that.
    if not WorkspacePaths(root).abort.exists() and not _is_stopped(root):
        prepare_lab(root, plan, quiet=as_json)
    from drillmark.engine import start

    with views.everyone(root, plan, quiet=as_json) as view, everywhere.locked(root) as locks:
        limit_seconds = time_limit_seconds(root, plan, timeout)
        ended = start.run(
            root, plan, view=view, timeout_seconds=limit_seconds, requester=requester, everywhere=locks
        )  # fmt: skip
    tell_end(ended, as_json=as_json)
    keeping.after(root, ended.run)
    context.exit(ended.exit_code)


def time_limit_seconds(root: Path, plan: Plan, asked_seconds: float | None = None) -> float | None:
    """How long the run may take: as asked for, and never longer than the workspace allows (`limits.run_time`)."""
    from drillmark import workspace

    limits = workspace.load_settings(root, plan.target.environment).limits
    known = [one for one in (asked_seconds, limits.run_time if limits else None) if one is not None]
    return min(known, default=None)


def _is_stopped(root: Path) -> bool:
    from drillmark.engine import deciding
    from drillmark.errors import JournalError

    try:
        return deciding.state(root).stop is not None
    except JournalError:
        return False  # told by the engine, which needs the journal


def prepare_lab(root: Path, plan: Plan, *, quiet: bool) -> None:
    """Bring the lab up where the target stands in it, and set its variables for all that the run starts."""
    if plan.target.environment != "lab":
        return
    from drillmark import lab

    directory = root / ".drillmark" / "lab"
    state = lab.status(directory)
    if not quiet and state is None:
        click.echo("making the lab (a real PostgreSQL, its backups, an order service) ...", err=terminal.is_plain())
    forget_callers_postgres()
    os.environ.update(lab.up(directory).environment)


def use_lab(root: Path) -> None:
    """Set the variables of the lab that is there, if one is; start nothing."""
    from drillmark import lab

    state = lab.status(root / ".drillmark" / "lab")
    if state is not None:
        forget_callers_postgres()
        os.environ.update(state.environment)


def forget_callers_postgres() -> None:
    """Libpq lets a password, host or user of the caller's own win over the lab's service and password files."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def tell_end(ended: RunEnded, *, as_json: bool) -> None:
    """Print how a run ended: its result, or what is known where it has none; and append it to a step's summary."""
    from drillmark.cli import called, step_summary
    from drillmark.report import files, sentences, words

    result = files.read(ended.directory)
    if result is not None:
        step_summary.append(result)
    if as_json:
        without = {"run": ended.run, "verdict": ended.verdict, "reasons": list(ended.reasons)}
        terminal.echo_json(result or without | {"exit_code": ended.exit_code})
    elif result is None:
        reasons = [(f"  {words.harmless(reason)}", "doubt") for reason in ended.reasons]
        terminal.echo_lines([(f"{ended.verdict.upper()}  run {ended.run} has no result", "doubt"), *reasons])
    else:
        report = report_path(ended.directory)
        terminal.echo_lines(sentences.summary(result, report=report, command=called.command()))


def report_path(directory: Path) -> str:
    """Where the report lies, as one would open it from here."""
    from drillmark import pages

    path = pages.report_of(directory)
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
