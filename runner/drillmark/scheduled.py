"""The drills of a workspace that have a schedule, and what is known of their occurrences.

Reads definitions, decisions, the queue of workers and the list of runs; writes what people decide, and nothing else.
Must never start anything. Needs the extra `fleet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drillmark import calendar, decisions, runs, workspace_schedules
from drillmark.calendar import explaining, why
from drillmark.calendar.why import Known
from drillmark.define import read_drill
from drillmark.define.drill import Drill
from drillmark.define.nearest import hint_for
from drillmark.define.schedule import Schedule
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import DrillmarkError, Problem, UsageError
from drillmark.fleet import asking
from drillmark.fleet.agenda import BEGINS_WITHIN
from drillmark.fleet.wishes import occurrence_of
from drillmark.journal.opening import open_if_there, open_store
from drillmark.model.entry import Entry, Kind
from drillmark.model.stamp import NANOSECONDS
from drillmark.workspace import Workspace

if TYPE_CHECKING:
    from drillmark.calendar import CalendarFile

_AROUND = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A drill with a schedule.

    Attributes:
        files: the calendar files that its schedule names.
        problem: why nothing can be said of it; empty where all is well.
    """

    source: str
    drill: Drill
    schedule: Schedule
    files: tuple[CalendarFile, ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """The drill's id."""
        return self.drill.id


def every(root: Path, named: str = "") -> tuple[list[Scheduled], list[str]]:
    """All drills with a schedule, and what cannot be read, in words.

    `named`: only what may be the drill of that id or file. To understand ten thousand files takes seconds, to find a
    word in them does not.
    """
    workspace = Workspace(root)
    found: list[Scheduled] = []
    wrong: list[str] = []
    for source in workspace.drills():
        data = workspace.files.read(source)
        if isinstance(data, Problem):
            wrong.append(str(data))
            continue
        if named and named.encode() not in data and named not in (source, f"{root / source}"):
            continue
        parsed = read_drill(data, source)
        if parsed.value is None:
            wrong += [str(problem) for problem in parsed.problems[:1]]
        elif parsed.value.schedule is not None:
            drill, schedule = parsed.value, parsed.value.schedule
            files, problem = _files(workspace, schedule)
            found.append(Scheduled(source, drill, schedule, files, problem))
    return sorted(found, key=lambda one: one.name), wrong


def one(root: Path, text: str) -> Scheduled:
    """The scheduled drill of that id or file. Raises UsageError, also where its schedule cannot be told."""
    known, wrong = every(root, text)
    chosen = [each for each in known if text in (each.name, each.source, f"{root / each.source}")]
    if not chosen:
        known, wrong = every(root)
        chosen = [each for each in known if each.name == text]  # written otherwise than by its letters
    if not chosen and (Path.cwd() / text).is_file():
        source = Workspace(root).drill_source(text)
        chosen = [each for each in known if each.source == source]
        if not chosen:
            broken = next((line for line in wrong if line.startswith(source)), "")
            raise UsageError(broken or f"{source} has no `schedule`", hint="" if broken else "such as {every: quarter}")
    if not chosen:
        hint = hint_for(text, [each.name for each in known], what="scheduled")
        raise UsageError(f"no scheduled drill is called {text}", hint=hint)
    if chosen[0].problem:
        raise UsageError(f"{chosen[0].source}: {chosen[0].problem}")
    return chosen[0]


def _files(workspace: Workspace, schedule: Schedule) -> tuple[tuple[CalendarFile, ...], str]:
    try:
        files = workspace.calendars.of(schedule)
        wrong = next(calendar.problems(schedule, now=workspace_schedules.now(), blackouts=files), None)
    except DrillmarkError as error:
        return (), str(error)
    return files, wrong.words if wrong else ""


def decided(root: Path, at: datetime) -> decisions.State:
    """What people had decided by then. Decisions that cannot be read raise JournalError."""
    store = open_if_there(WorkspacePaths(root))
    if store is None:
        return decisions.State()
    try:
        entries: tuple[Entry, ...] = decisions.read(store)
    finally:
        store.close()
    return decisions.state([each for each in entries if moment(each.stamp.wall_ns) <= at], at)


def decide(root: Path, kind: Kind, data: dict[str, object]) -> None:
    """Write down what somebody decided about a schedule."""
    store = open_store(WorkspacePaths(root))
    try:
        decisions.append(store, kind, data)
    finally:
        store.close()


def known(root: Path, scheduled: Scheduled, due: datetime, now: datetime) -> Known:
    """What is known of the occurrence of that nominal time."""
    held = decided(root, min(due, now))
    pause = held.paused.get(scheduled.name)
    if pause is not None and pause.until is not None and pause.until <= due:
        pause = None
    occurrence = calendar.occurrence(scheduled.schedule, scheduled.name, due, blackouts=scheduled.files)
    queue, fate = asking.fate(root, occurrence.id)
    return Known(
        fate=fate,
        paused=pause.words if pause else "",
        stop=f"{held.stop.by} stopped all drills ({held.stop.reason})" if held.stop else "",
        refused=_refused(root, scheduled, occurrence.start) if fate is None and occurrence.start > now else "",
        by_hand=_by_hand(root, scheduled.name, due) if fate is None and due <= now else "",
        queue=queue,
        later=_written_after(root / scheduled.source, due, now),
    )


def _written_after(path: Path, due: datetime, now: datetime) -> datetime | None:
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    except OSError:
        return None
    return written if due < written <= now else None


def triggers(root: Path, scheduled: Scheduled, since: datetime, until: datetime, now: datetime) -> list[str]:
    """Who triggered the drill in that time, and what became of it; a sentence each."""
    told: list[str] = []
    for each in decided(root, now).triggers:
        if each.drill == scheduled.name and since <= each.at <= until:
            _, fate = asking.fate(root, occurrence_of(each))
            who = (each.by or "somebody") + (f" ({each.reason})" if each.reason else "")
            there = explaining.when(each.at, scheduled.schedule)
            waits = now - each.at < BEGINS_WITHIN
            told.append(why.triggered(scheduled.name, there, who, fate, waits=waits))
    return told


def _refused(root: Path, scheduled: Scheduled, start: datetime) -> str:
    """Why the run would be refused: as the run itself judges it, at the moment at which it is to begin."""
    from drillmark.engine import permission  # noqa: PLC0415 - brings the engine, for one question alone

    # What Chaos Toolkit says against it is told by `validate`; it takes seconds, and makes no other plan.
    checked = Workspace(root, ask=lambda _experiments, _activities: ({}, {})).check(scheduled.source)
    if checked.plan is None:
        return f"it is not valid ({checked.problems[0].message})" if checked.problems else "it is not valid"
    found = permission.look(root, checked.plan, at=start, requester=decisions.SCHEDULE)
    return "; ".join(each.words for each in found if each.rule != "stop")


def _by_hand(root: Path, name: str, due: datetime) -> str:
    near = [row for row in runs.every(root) if row.drill == name and abs(moment(row.started_wall_ns) - due) < _AROUND]
    if not near:
        return ""
    row = min(near, key=lambda each: abs(moment(each.started_wall_ns) - due))
    return f"run {row.run} was started at {moment(row.started_wall_ns):%Y-%m-%d %H:%M}Z"


def moment(wall_ns: int) -> datetime:
    """A stamp of the wall clock as an instant."""
    return datetime.fromtimestamp(wall_ns / NANOSECONDS, tz=UTC)
