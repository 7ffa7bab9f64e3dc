"""`drillmark schedule`, what comes out of it: a calendar, files for other schedulers, what is overdue."""

from __future__ import annotations

import json
import shutil
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillmark.cli import terminal
from drillmark.errors import EXIT_FAILED

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillmark.calendar.undrilled import Overdue
    from drillmark.gaps.filing import Filing
    from drillmark.model.gap import Gap
    from drillmark.scheduled import Scheduled

_TARGETS = ("kubernetes", "github-actions", "gitlab", "systemd", "cron")
_MOST = 1000  # of one drill: a line of every minute fills no calendar


@click.command()
@click.option("--ics", is_flag=True, help="As an iCalendar file, to subscribe to or to import.")
@click.option("--days", type=click.IntRange(1, 800), default=400, show_default=True, help="How far it looks ahead.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def calendar(*, ics: bool, days: int, output: Path | None, as_json: bool) -> None:
    """Show all that is due as a calendar."""
    from itertools import islice

    from drillmark import scheduled, workspace, workspace_schedules
    from drillmark.calendar import explaining, feed, occurrences
    from drillmark.files import write_durably

    root, now = workspace.find(), workspace_schedules.now()
    known, wrong = scheduled.every(root)
    until = now + timedelta(days=days)
    entries = sorted(
        (
            (each.start, feed.Entry(each, one.drill.title, _words(one)), one)
            for one in known if not one.problem
            for each in islice(occurrences(one.schedule, one.name, after=now, until=until, blackouts=one.files), _MOST)
        ),
        key=lambda found: (found[0], found[1].occurrence.id),
    )  # fmt: skip
    for line in [*wrong, *(f"{one.source}: {one.problem}" for one in known if one.problem)]:
        click.echo(f"left out: {line}", err=True)
    if ics:
        text = feed.write([entry for _, entry, _ in entries], now.replace(microsecond=0)).decode()
    elif as_json:
        rows = [
            {"drill": one.name, "occurrence": entry.occurrence.id, "start": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
            for at, entry, one in entries
        ]
        text = json.dumps(rows, indent=2) + "\n"
    else:
        text = "".join(f"{explaining.when(at, one.schedule)}  {one.name}\n" for at, _, one in entries)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_durably(output, text)
        click.echo(f"wrote {len(entries)} occurrences to {output}")


@click.command()
@click.argument("drill")
@click.option("--to", required=True, type=click.Choice(_TARGETS), help="The scheduler.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Write the files into this folder.")
@click.option("--image", default="", help="Kubernetes: the container image.")
@click.option("--claim", default="drillmark-workspace", show_default=True, help="Kubernetes: the workspace's volume.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export(drill: str, *, to: str, output: Path | None, image: str, claim: str, as_json: bool) -> None:
    """Write what runs a drill by its schedule without our worker."""
    from drillmark import scheduled, workspace, workspace_schedules
    from drillmark.calendar.export import WRITERS, Job
    from drillmark.errors import UsageError
    from drillmark.files import write_durably

    root = workspace.find()
    one = scheduled.one(root, drill)
    if to == "kubernetes" and not image:
        raise UsageError("a pod needs an image", hint="--image REGISTRY/NAME:TAG, built from the Dockerfile")
    made = WRITERS[to](
        Job(
            drill=one.name, title=one.drill.title, schedule=one.schedule, now=workspace_schedules.now(),
            folder=str(root), program=_program(), image=image, claim=claim,
        )
    )  # fmt: skip
    if as_json:
        terminal.echo_json({"drill": one.name, "to": to, "files": made})
        return
    if output is None:
        several = len(made) > 1
        click.echo("\n".join((f"# {name}\n" if several else "") + text for name, text in made.items()), nl=False)
        return
    for name, text in made.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, text)
        click.echo(f"wrote {path}")


@click.command()
@click.option("--no-file", is_flag=True, help="Only tell; leave the gap register as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def overdue(context: click.Context, *, no_file: bool, as_json: bool) -> None:
    """List tier-1 targets without a passing drill this quarter, filing each as a gap, and drills that were missed.

    Exits with 1 where there is any. A passing drill of the target closes its gap; what was missed, a worker has filed.
    """
    from drillmark import gaps, schedule_runs, workspace, workspace_schedules
    from drillmark.periods import quarter_of

    root, today = workspace.find(), workspace_schedules.now().date()
    found, missed = schedule_runs.overdue(root, today), schedule_runs.missed(root)
    if not no_file:
        for one in found:
            gaps.note(root, one.target, _filing(one, today))
    if as_json:
        undrilled = [
            {
                "target": one.target, "quarter": one.quarter.name, "until": one.quarter.last.isoformat(),
                "drills": list(one.drills),
            }
            for one in found
        ]  # fmt: skip
        terminal.echo_json(
            [*undrilled, *({"drill": one.drill, "missed": one.occurrence, "says": one.says} for one in missed)]
        )
    for one in () if as_json else found:
        drills = ", ".join(one.drills) or "there is no drill for it"
        line = f"{one.target}: no passing drill in {one.quarter.name}, which ends on {one.quarter.last} ({drills})"
        terminal.echo_lines([(line, "bad" if one.ends_soon else "doubt")])
    if not found and not as_json:
        click.echo(f"every tier-1 target has a passing drill in {quarter_of(today).name}")
    for one in () if as_json else missed:
        terminal.echo_lines(
            [(f"{one.drill}: {one.occurrence} did not run, and nothing since came to a verdict: {one.says}", "bad")]
        )
    context.exit(EXIT_FAILED if found or missed else 0)


@click.command()
@click.argument("drill")
@click.option("--within", metavar="DURATION", default="1h", show_default=True, help="How late a start may be.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, or why nothing is run.")
@click.pass_context
def run(context: click.Context, drill: str, *, within: str, as_json: bool) -> None:
    """Run a drill if it is due: what other schedulers call.

    Asks the schedule whether the drill was due within that time, keeps to window, blackouts and pauses, and starts
    nothing twice. Waits for the start that the jitter gives it. Where nothing is due it says why, and exits with 0.
    """
    from drillmark import schedule_runs, scheduled, workspace, workspace_schedules
    from drillmark.cli import run as running
    from drillmark.define.units import duration_seconds
    from drillmark.errors import UsageError

    root, now = workspace.find(), workspace_schedules.now()
    one = scheduled.one(root, drill)
    try:
        span = timedelta(seconds=duration_seconds(within))
    except ValueError as error:
        raise UsageError(f"--within: {error}", hint="such as 90m") from error
    refusal = schedule_runs.not_now(root, one, now, span)
    found = schedule_runs.last_due(one, now, span)
    if not refusal and found is not None and found.start > now:
        click.echo(f"{one.name} begins at {found.start:%H:%M:%S}Z, by its jitter", err=True)
        time.sleep((found.start - now).total_seconds())
        now = workspace_schedules.now()
        refusal = schedule_runs.not_now(root, one, now, now - found.due + timedelta(seconds=1))
    if refusal:
        if as_json:
            terminal.echo_json({"drill": one.name, "ran": False, "says": refusal})
        else:
            click.echo(refusal)
        return
    context.invoke(running.command, drill=str(root / one.source), timeout=None, as_json=as_json)


def _filing(one: Overdue, today: date) -> Callable[[list[Gap]], Filing]:
    from drillmark.gaps import undrilled

    return lambda known: undrilled.decide(
        one.target, quarter=one.quarter.name, last=one.quarter.last, owner=one.owner, drills=one.drills,
        ends_soon=one.ends_soon, known=known, today=today,
    )  # fmt: skip


def _words(one: Scheduled) -> str:
    return f"{one.name} on {one.drill.target}, owner {one.drill.owner}"


def _program() -> str:
    """Where this command is, as another program calls it."""
    beside = Path(sys.executable).with_name("drillmark")
    return str(beside) if beside.exists() else shutil.which("drillmark") or "drillmark"
