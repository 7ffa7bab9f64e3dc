"""Reads what a period's report is made of: runs, gaps and schedules of a workspace. The pure part is `report.period`.

Must never write, and never leave out what cannot be read: it stands in the report as not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark import calendar, runs
from drillmark import gaps as register
from drillmark.define import read_drill
from drillmark.define.drill import Drill
from drillmark.errors import DrillmarkError, Problem
from drillmark.model.stamp import NANOSECONDS
from drillmark.periods import Period
from drillmark.report import files
from drillmark.report.period import gathering, trend
from drillmark.report.period import markdown as as_markdown
from drillmark.workspace import Workspace
from drillmark.workspace_schedules import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drillmark.define.schedule import Schedule
    from drillmark.journal.port import RunRow
    from drillmark.workspace_schedules import Calendars

Document = dict[str, Any]

# The rarest schedule is one of each year; what was due before that and is not done since, is overdue all the same.
_LOOKED_BACK = timedelta(days=400)
_NOT_PLAIN = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture beside the Markdown: of which drill and number it is, and its text."""

    drill: str
    number: str
    name: str
    svg: str


def gather(root: Path, period: Period, now: datetime) -> Document:
    """The document of a period. Raises JournalError or GapRegisterError where these cannot be read."""
    found = [_ran(root, row) for row in runs.every(root)]
    found.sort(key=lambda ran: ran.started)
    as_of = min(period.end, now)
    gaps = [stored.gap for stored in register.read(root)]
    return gathering.gather(period, now, found, list(_scheduled(root, as_of)), gaps)


def pictures(document: Document) -> list[Picture]:
    """The trends, as files that stand beside the Markdown."""
    made: list[Picture] = []
    for drill, number in as_markdown.drawn(document):
        runs_of = [run for run in document["runs"] if run["drill"] == drill]
        svg = trend.alone(trend.draw(runs_of, number, document["period"]))
        plain = _NOT_PLAIN.sub("-", drill)
        made.append(Picture(drill, number, f"{document['period']['name']}-{plain}-{number}.svg", svg))
    return made


def _ran(root: Path, row: RunRow) -> gathering.Ran:
    started = datetime.fromtimestamp(row.started_wall_ns / NANOSECONDS, tz=UTC)
    if not row.started_wall_ns:  # the journal does not know it: its id tells when it began
        started = gathering.run_started(row.run) or started
    result: Document | None = None
    try:
        result = files.read(root / row.directory)
        reason = "" if result else "it has no result: its runner was lost, or it is still running"
    except DrillmarkError as error:
        reason = f"its result cannot be read: {error}"
    drill, target = (str(result[key]) if result else "" for key in ("drill", "target"))
    return gathering.Ran(row.run, row.drill or drill or "not known", row.target or target, started, result, reason)


def _scheduled(root: Path, as_of: datetime) -> Iterator[gathering.Scheduled]:
    workspace = Workspace(root)
    for source in workspace.drills():
        data = workspace.files.read(source)
        parsed = None if isinstance(data, Problem) else read_drill(data, source).value
        if parsed is None:
            yield gathering.Scheduled(
                source, source, "", unknown=f"{source} is not valid: `drillmark validate` says why"
            )
        elif parsed.schedule is None:
            yield gathering.Scheduled(parsed.id, parsed.title, parsed.owner)
        else:
            yield _due(workspace.calendars, parsed, parsed.schedule, as_of)


def _due(calendars: Calendars, drill: Drill, schedule: Schedule, as_of: datetime) -> gathering.Scheduled:
    words = f"every {schedule.every}" if schedule.every else f"cron {schedule.cron}"
    unknown, newest = "", None
    if missing():
        unknown = f"schedules need the extra: {missing()}"
    else:
        try:
            told = calendar.occurrences(
                schedule, drill.id, after=as_of - _LOOKED_BACK, until=as_of, blackouts=calendars.of(schedule)
            )
            newest = max((each.due for each in told), default=None)
        except DrillmarkError as error:
            unknown = str(error)
    return gathering.Scheduled(drill.id, drill.title, drill.owner, newest, words, unknown)
