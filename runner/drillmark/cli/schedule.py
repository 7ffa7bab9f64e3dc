"""`drillmark schedule`: when drills are due and why, and what people decide about it. Runs nothing itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from drillmark.cli import schedule_out, terminal

if TYPE_CHECKING:
    from drillmark.scheduled import Scheduled

_FAR = timedelta(days=800)


@click.group()
def command() -> None:
    """Show when drills are due, and why; pause, resume, trigger, export."""
    from drillmark import workspace_schedules

    workspace_schedules.demand()


for each in (schedule_out.calendar, schedule_out.export, schedule_out.overdue, schedule_out.run):
    command.add_command(each)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, as_json: bool) -> None:
    """List the drills that have a schedule, with when each is due next."""
    from drillmark import last_pass, scheduled, workspace, workspace_schedules
    from drillmark.calendar import explaining

    root, now = workspace.find(), workspace_schedules.now()
    known, wrong = scheduled.every(root)
    passes = last_pass.of(root, [one.name for one in known])
    outdated = {name for name, one in passes.items() if one.changed}
    paused = scheduled.decided(root, now).paused
    rows = [(one, None if one.problem else _next(one, now, 1)) for one in known]
    if as_json:
        terminal.echo_json(
            [
                {
                    "drill": one.name, "source": one.source, "rule": explaining.rule(one.schedule),
                    "next": starts[0] if starts else None, "paused": one.name in paused, "problem": one.problem or None,
                    "needs_new_run": one.name in outdated,
                }
                for one, starts in rows
            ]
        )  # fmt: skip
        return
    cells: list[list[str]] = []
    for one, starts in rows:
        states = ["paused"] if one.name in paused else []
        states += [last_pass.WORDS] if one.name in outdated else []
        state = one.problem or ", ".join(states)
        at = explaining.when(_moment(starts[0]), one.schedule) if starts else "-"
        cells.append([one.name, explaining.rule(one.schedule), at, state])
    lines = terminal.table(cells, ["drill", "rule", "next", "state"]) if cells else ["no drill here has a schedule"]
    terminal.echo_lines([(line, "") for line in lines])
    terminal.echo_lines([(f"cannot be read: {line}", "bad") for line in wrong])


@command.command("next")
@click.argument("drill", required=False)
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def next_(drill: str | None, *, count: int, as_json: bool) -> None:
    """Show what is due next, of one drill or of all."""
    from drillmark import scheduled, workspace, workspace_schedules
    from drillmark.calendar import explaining

    root, now = workspace.find(), workspace_schedules.now()
    chosen = [scheduled.one(root, drill)] if drill else [one for one in scheduled.every(root)[0] if not one.problem]
    found = sorted((at, one.name, one) for one in chosen for at in _next(one, now, count))[:count]
    if as_json:
        terminal.echo_json([{"drill": name, "due": at, "occurrence": f"{name}@{at}"} for at, name, _ in found])
        return
    terminal.echo_lines([(f"{explaining.when(_moment(at), one.schedule)}  {name}", "") for at, name, one in found])
    if not found:
        click.echo("nothing is due in the next two years")


@command.command()
@click.argument("drill")
@click.option("--at", "text", metavar="TIME", help="A day or a minute, on the schedule's own clock.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def why(drill: str, *, text: str | None, as_json: bool) -> None:
    """Say why a drill ran, will run, or did not.

    Without --at it tells of the last time that the drill was due, of who triggered it since, and of the next time.
    """
    from drillmark import scheduled, workspace, workspace_schedules
    from drillmark.calendar import nominal
    from drillmark.calendar import why as saying
    from drillmark.report import words

    root, now = workspace.find(), workspace_schedules.now()
    one = scheduled.one(root, drill)

    def told(due: datetime, shut: object) -> str:
        known = scheduled.known(root, one, due, now)
        return saying.sentence(one.schedule, one.name, due, shut, now=now, known=known, blackouts=one.files)  # type: ignore[arg-type]

    if text is None:
        last = saying.latest(one.schedule, now, blackouts=one.files)
        following = next(nominal(one.schedule, after=now, until=now + _FAR, blackouts=one.files), None)
        lines = [told(*last)] if last is not None else []
        lines += scheduled.triggers(root, one, last[0] if last is not None else now - _FAR, now, now)
        lines += [told(*following)] if following is not None else []
    else:
        at, whole_day = _asked(text, one)
        found = saying.meant(one.schedule, at, whole_day=whole_day, blackouts=one.files)
        span = timedelta(days=1) if whole_day else timedelta(minutes=1)
        lines = scheduled.triggers(root, one, at, at + span - timedelta(microseconds=1), now)
        if found is None and not lines:
            lines = [saying.not_due(one.schedule, one.name, at, whole_day=whole_day, blackouts=one.files)]
        elif found is not None:
            lines = [told(*found), *lines]
    if as_json:
        terminal.echo_json({"drill": one.name, "says": lines})
    else:
        terminal.echo_lines([(words.harmless(line), "") for line in lines])


@command.command()
@click.argument("drill")
@click.option("--until", metavar="TIME", help="A day, a minute, or a duration (2d); until it is resumed unless given.")
@click.option("--by", metavar="NAME", help="Who pauses it; the user of this machine unless given.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it stands in the journal.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def pause(drill: str, *, until: str | None, by: str | None, reason: str, as_json: bool) -> None:
    """Let a drill's schedule rest: nothing is started by it until then."""
    from drillmark import scheduled, workspace, workspace_schedules
    from drillmark.calendar import explaining
    from drillmark.errors import UsageError
    from drillmark.model.entry import Kind

    root = workspace.find()
    one = scheduled.one(root, drill)
    end = None if until is None else _until(until, one)
    if end is not None and end <= workspace_schedules.now():
        raise UsageError(f"{until} is over already")
    data: dict[str, object] = {
        "drill": one.name,
        "until": end.isoformat() if end else None,
        "by": _by(by),
        "reason": reason,
    }
    scheduled.decide(root, Kind.PAUSE, data)
    told = f"until {explaining.when(end, one.schedule)}" if end else f"until `drillmark schedule resume {one.name}`"
    _confirm(data, f"{one.name} rests {told}", as_json=as_json)


@command.command()
@click.argument("drill")
@click.option("--by", metavar="NAME", help="Who resumes it; the user of this machine unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def resume(drill: str, *, by: str | None, as_json: bool) -> None:
    """Let a paused drill's schedule go on."""
    from drillmark import scheduled, workspace, workspace_schedules
    from drillmark.errors import UsageError
    from drillmark.model.entry import Kind

    root = workspace.find()
    one = scheduled.one(root, drill)
    if one.name not in scheduled.decided(root, workspace_schedules.now()).paused:
        raise UsageError(f"{one.name} is not paused")
    data: dict[str, object] = {"drill": one.name, "by": _by(by)}
    scheduled.decide(root, Kind.UNPAUSE, data)
    told = f"{one.name} goes on by its schedule; what was due meanwhile is missed or made up for as `missed` says"
    _confirm(data, told, as_json=as_json)


@command.command()
@click.argument("drill")
@click.option("--by", metavar="NAME", help="Who wants it; the user of this machine unless given.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it stands in the journal.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def trigger(drill: str, *, by: str | None, reason: str, as_json: bool) -> None:
    """Have a worker run a drill now, outside its schedule."""
    from drillmark import scheduled, workspace
    from drillmark.model.entry import Kind

    root = workspace.find()
    one = scheduled.one(root, drill)
    data: dict[str, object] = {"drill": one.name, "by": _by(by), "reason": reason}
    scheduled.decide(root, Kind.TRIGGER, data)
    _confirm(data, f"a worker is asked to run {one.name} now; `drillmark list` shows the run", as_json=as_json)


def _confirm(data: dict[str, object], told: str, *, as_json: bool) -> None:
    if as_json:
        terminal.echo_json(data)
    else:
        click.echo(told)


def _next(one: Scheduled, now: datetime, count: int) -> list[str]:
    from itertools import islice

    from drillmark.calendar import occurrences

    found = occurrences(one.schedule, one.name, after=now, until=now + _FAR, blackouts=one.files)
    return [f"{each.due:%Y-%m-%dT%H:%MZ}" for each in islice(found, count)]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _asked(text: str, one: Scheduled) -> tuple[datetime, bool]:
    """The instant that is meant, and whether it stands for a whole day."""
    from drillmark.calendar import zones
    from drillmark.errors import UsageError

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        hint = "such as 2027-01-05, 2027-01-05T03:00 (on the schedule's clock), 2027-01-05T03:00Z"
        raise UsageError(f"{text!r} is no time", hint=hint) from error
    at = zones.instant(found, zones.zone(one.schedule.time_zone)) if found.tzinfo is None else found.astimezone(UTC)
    return at.replace(second=0, microsecond=0), re.fullmatch(r"\d{4}-?\d\d-?\d\d", text) is not None


def _until(text: str, one: Scheduled) -> datetime:
    from drillmark import workspace_schedules
    from drillmark.define.units import DURATION_PATTERN, duration_seconds

    if re.fullmatch(DURATION_PATTERN, text):
        return workspace_schedules.now().replace(microsecond=0) + timedelta(seconds=duration_seconds(text))
    return _asked(text, one)[0]


def _by(given: str | None) -> str:
    from drillmark import users
    from drillmark.errors import UsageError

    by = given or users.known()
    if not by:
        raise UsageError("nobody says who decides this", hint="--by NAME")
    return by
