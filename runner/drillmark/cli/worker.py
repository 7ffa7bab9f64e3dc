"""`drillmark worker`: runs what the calendar says, alone or as one of many. Wires the parts; decides nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from drillmark.cli import keeping, reminding, showing, terminal
from drillmark.cli.run import Duration

if TYPE_CHECKING:
    from drillmark.define.settings import Settings
    from drillmark.fleet.overdue import Late
    from drillmark.fleet.terms import Terms


class Label(click.ParamType):
    """A label: `name=value`."""

    name = "name=value"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Its two halves."""
        if isinstance(value, tuple):
            return value
        name, is_one, text = str(value).partition("=")
        if not (name and is_one and text):
            self.fail(f"{value!r} is no label; write name=value, such as region=eu", param, ctx)
        return name, text


@click.command()
@click.option(
    "--label", "labels", type=Label(), multiple=True, help="What this worker has (region=eu); may be repeated."
)
@click.option("--slots", type=click.IntRange(1, 100), default=2, show_default=True, help="How many drills at once.")
@click.option("--drain", type=Duration(), default=600.0, help="How long a SIGTERM waits for what is under way (10m).")
@click.option("--json", "as_json", is_flag=True, help="Say what happens as JSON, one object in a line.")
@click.pass_context
def command(
    context: click.Context, labels: tuple[tuple[str, str], ...], *, slots: int, drain: float, as_json: bool
) -> None:
    """Run what the calendar says, alone or as one of many.

    Alone it keeps its queue in the workspace. With DRILLMARK_DATABASE_URL at a PostgreSQL it is one of as many workers
    as you start, on any machines. SIGTERM and Ctrl-C let it end what is under way; a second one hands it over.
    """
    from drillmark import artifacts, workspace
    from drillmark.errors import UsageError

    root = workspace.find()
    place = artifacts.configured(root)
    settings = workspace.load_settings(root)
    try:
        from drillmark.fleet.database import Database
        from drillmark.fleet.performing import EngineProcess
        from drillmark.fleet.worker import Worker
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a worker needs the extra `fleet`: {error.name} is not installed", hint="pip install 'drillmark[fleet]'"
        ) from error

    say = _say_json if as_json else _say
    database = Database(root)
    database.prepare()
    performer = EngineProcess(root)
    worker = Worker(root, database, _terms(settings, dict(labels), slots, drain), performer, say)
    reminder = reminding.Reminder(root, settings, database, say)

    worker.on_missed = lambda late: _missed(root, late, reminder.missed)

    def stop(_number: int, _frame: FrameType | None) -> None:
        worker.drain()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with (
        showing.shown(settings, worker, say) as metrics,
        keeping.beside(root, place, say),
        reminding.beside(reminder, settings, say),
    ):
        if metrics is not None:
            performer.notified, reminder.on_outcome = metrics.counted, metrics.told
        stays = worker.run()
    database.close()
    if not stays:
        say("joining anew")
        _join_anew()
    context.exit(0)


def _terms(settings: Settings, labels: Mapping[str, str], slots: int, drain_seconds: float) -> Terms:
    from drillmark.fleet.choosing import Limits
    from drillmark.fleet.terms import Terms

    limits = settings.limits
    return Terms(
        labels=labels,
        slots=slots,
        lease_seconds=settings.fleet.lease,
        drain_seconds=drain_seconds,
        limits=Limits(limits.runs_at_once, dict(limits.environments)) if limits else Limits(),
    )


def _missed(root: Path, late: Late, remind: Callable[[Late], None]) -> str:
    """What did not run is a gap: nobody knows what it would have shown. Returns what was done."""
    from drillmark.fleet import gaps

    source = gaps.source_of(root, late)
    if source is None:
        return "there is no such drill any more, so no gap is filed"
    remind(late)  # whether or not its gap can be filed
    return f"filed {', '.join(gaps.file_missed(root, replace(late, source=source)))}"


def _say(text: str) -> None:
    terminal.echo_lines([(f"{datetime.now(tz=UTC):%H:%M:%S}  {text}", "")])
    sys.stdout.flush()


def _say_json(text: str) -> None:
    sys.stdout.write(json.dumps({"at": datetime.now(tz=UTC).isoformat(timespec="milliseconds"), "says": text}) + "\n")
    sys.stdout.flush()


def _join_anew() -> None:
    """The others gave this worker up: whatever it had in memory is theirs now. It begins as a new process."""
    os.execv(sys.executable, [sys.executable, "-m", "drillmark", *sys.argv[1:]])  # noqa: S606 (this very command)
