"""Schedules of a workspace: the calendar files that they name, and whether they can ever come true.

Here the pure `calendar` meets files and the clock. Must never start anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from drillmark import calendar, clock
from drillmark.define import Parsed
from drillmark.define.drill import Drill
from drillmark.define.marks import get
from drillmark.define.schedule import Schedule
from drillmark.errors import DrillmarkError, Problem, UsageError
from drillmark.model.stamp import NANOSECONDS
from drillmark.workspace_files import Files

if TYPE_CHECKING:
    from drillmark.calendar import CalendarFile, Finding

_NEEDED = ("croniter", "icalendar", "recurring_ical_events", "sqlalchemy")


class Calendars:
    """The calendar files of one workspace, each read and understood once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[str, CalendarFile] = {}

    def of(self, schedule: Schedule) -> tuple[CalendarFile, ...]:
        """The calendar files that a schedule names. Raises UsageError for one that cannot be read."""
        return tuple(self._read(text) for text in schedule.blackouts if text.endswith(".ics"))

    def _read(self, path: str) -> CalendarFile:
        if path not in self._known:
            data = self._files.read(path)
            if isinstance(data, Problem):
                raise UsageError(data.message, hint=data.hint)
            self._known[path] = calendar.read_ics(data, path)
        return self._known[path]


def missing() -> str:
    """What schedules need and this installation has not, as it is installed; empty where all is there."""
    return "" if all(find_spec(name) is not None for name in _NEEDED) else "pip install 'drillmark[fleet]'"


def demand() -> None:
    """Raises UsageError where what schedules need is not installed."""
    if missing():
        raise UsageError("schedules need the extra `fleet`", hint=missing())


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.fromtimestamp(clock.now().wall_ns / NANOSECONDS, tz=UTC)


def findings(drill: Parsed[Drill], calendars: Calendars) -> tuple[list[Problem], list[Problem]]:
    """What is wrong with a drill's schedule, and what is probably not meant."""
    schedule = drill.value.schedule if drill.value else None
    if schedule is None:
        return [], []
    if missing():
        unseen = "`schedule` was not looked at: whether it ever comes true needs the extra `fleet`"
        return [], [drill.marks.problem(("schedule",), unseen, missing())]
    files: list[CalendarFile] = []
    problems: list[Problem] = []
    for index, text in enumerate(schedule.blackouts):
        try:
            files += calendars.of(schedule.model_copy(update={"blackouts": [text]}))
        except DrillmarkError as error:
            problems.append(drill.marks.problem(("schedule", "blackouts", index), str(error), error.hint))
    if problems:
        # A file that is not there is told already, with what else the drill names.
        return [problem for problem in problems if not problem.message.startswith("there is no file")], []
    return _checked(drill, schedule, files)


def _checked(
    drill: Parsed[Drill], schedule: Schedule, files: list[CalendarFile]
) -> tuple[list[Problem], list[Problem]]:
    moment = now()

    def told(finding: Finding) -> Problem:
        path = ("schedule", finding.key) if get(drill.raw, "schedule", finding.key) is not None else ("schedule",)
        return drill.marks.problem(path, f"`schedule.{finding.key}`: {finding.words}", finding.hint)

    problems = [told(each) for each in calendar.problems(schedule, now=moment, blackouts=files)]
    warnings = [] if problems else [told(each) for each in calendar.warnings(schedule, now=moment, blackouts=files)]
    return problems, warnings
