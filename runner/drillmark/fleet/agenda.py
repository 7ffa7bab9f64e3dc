"""What is due, from the drill files of a workspace: one row for each `drill@time`, however many workers look.

Looks a minute ahead, so that a drill begins at its time and not at the next look. A file that did not change is not
read again, and a drill whose time has not come is not computed again. Must never start anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from drillmark import calendar
from drillmark.calendar import CalendarFile, Due, Occurrence, windows, zones
from drillmark.calendar.missed import GRACE
from drillmark.decisions import State, Trigger
from drillmark.define import read_drill, read_targets
from drillmark.define.drill import Drill
from drillmark.define.schedule import RunWithin, Schedule
from drillmark.define.targets import Target, Targets
from drillmark.errors import DrillmarkError, Problem, UsageError
from drillmark.fleet.admitting import ENDED, WAITING
from drillmark.fleet.database import Database, now, tell
from drillmark.fleet.overdue import MISSED
from drillmark.fleet.tables import drills, occurrences, wants
from drillmark.fleet.wishes import Wishes, occurrence_of
from drillmark.workspace import TARGETS
from drillmark.workspace_files import Files

AHEAD = timedelta(seconds=60)
# Where neither a window nor `missed: {run_within}` says how late it may begin.
BEGINS_WITHIN = timedelta(hours=1)
_FAR = timedelta(days=800)


@dataclass(slots=True)
class Planned:
    """A drill with a schedule, as its file was when it was read."""

    source: str
    drill: Drill
    schedule: Schedule
    digest: str
    files: tuple[CalendarFile, ...] = ()
    next_at: datetime | None = None  # when its next occurrence may start; None: to be computed
    looked_until: datetime | None = None


@dataclass(slots=True)
class Agenda:
    """The schedules of a workspace. One for each worker; keeps what it read."""

    root: Path
    database: Database
    say: Callable[[str], None]
    wishes: Wishes | None = None
    _planned: dict[str, Planned] = field(default_factory=dict[str, Planned])
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    _targets: Targets | None = None
    _triggered: set[str] = field(default_factory=set[str])

    def look(self) -> int:
        """Write a row for everything that is due within the next minute; returns how many are new."""
        self._read()
        with self.database.transaction() as connection:
            moment = datetime.fromtimestamp(now(connection), tz=UTC)
            unknown = [one for one in self._planned.values() if one.looked_until is None]
            if unknown:
                self._recall(connection, unknown, moment)
        until = moment + AHEAD
        decided = self.wishes.state(moment) if self.wishes else State()
        ripe = [one for one in self._planned.values() if one.next_at is None or one.next_at <= until]
        ripe = [one for one in ripe if one.drill.id not in decided.paused]
        new = sum(self._trigger(trigger, moment) for trigger in decided.triggers if moment - trigger.at < BEGINS_WITHIN)
        for one in ripe:
            try:
                new += self._note(one, until)
            except DrillmarkError as error:
                self.say(f"{one.source}: {error}")
        return new

    def _note(self, one: Planned, until: datetime) -> int:
        assert one.looked_until is not None
        name = one.drill.id
        due = calendar.due(
            one.schedule, name, since=one.looked_until, now=until, blackouts=one.files, grace=GRACE + AHEAD
        )
        looked = min([each.due - timedelta(seconds=1) for each in due.waiting], default=until)
        new = 0
        if due.run or due.missed:
            with self.database.transaction() as connection:
                new = self._write(connection, one, due)
                connection.execute(
                    sa.update(drills).where(drills.c.drill == name).values(looked_until=looked.timestamp())
                )
        one.looked_until = looked
        following = calendar.occurrences(one.schedule, name, after=looked, until=looked + _FAR, blackouts=one.files)
        first = next(iter(following), None)
        one.next_at = first.due if first is not None else until + _FAR
        return new

    def _write(self, connection: Connection, one: Planned, due: Due) -> int:
        row = self._row(one)
        waiting = [row | _times(each, _until(one, each)) | {"state": WAITING} for each in due.run]
        new = _insert(connection, waiting)
        self._want(connection, one.drill, new)
        ended = {"state": ENDED, "ended_at": now(connection), "verdict": MISSED}
        words = {each.occurrence.id: each.words for each in due.missed}
        missed = [row | _times(each.occurrence, None) | ended | {"reason": each.words} for each in due.missed]
        for name in _insert(connection, missed):
            tell(connection, name, "missed", says=words[name])
        return len(new)

    def _want(self, connection: Connection, drill: Drill, names: list[str]) -> None:
        """Write which targets these occurrences of a drill lock."""
        rows = [{"occurrence": name, "target": target} for name in names for target in self._locked(drill)]
        if rows:
            connection.execute(sa.insert(wants), rows)

    def _trigger(self, trigger: Trigger, moment: datetime) -> int:
        """Somebody wants it now, outside its schedule: once, whoever sees it first."""
        name = occurrence_of(trigger)
        if name in self._triggered:
            return 0
        self._triggered.add(name)
        one = next((one for one in self._planned.values() if one.drill.id == trigger.drill), None)
        if one is None:
            self.say(f"{trigger.drill}: {trigger.by} wants it to run, and no drill with a schedule is called that")
            return 0
        at = moment.timestamp()
        times = {"due_at": trigger.at.timestamp(), "start_at": at, "until_at": at + BEGINS_WITHIN.total_seconds()}
        with self.database.transaction() as connection:
            new = _insert(connection, [self._row(one) | times | {"occurrence": name, "state": WAITING}])
            self._want(connection, one.drill, new)
        return len(new)

    def _row(self, one: Planned) -> dict[str, object]:
        retry = one.schedule.retry
        target = self._target(one.drill)
        return {
            "drill": one.drill.id, "source": one.source, "priority": one.schedule.priority or 0,
            "environment": target.environment if target else "", "labels": self._labels(one.drill),
            "attempts": 1 + (retry.times if retry else 0),
            "retry_after_seconds": retry.wait if retry else 0.0, "attempt": 1, "turn": 0, "epoch": 0,
            "taking_over": False, "unheard": False, "says": "",
        }  # fmt: skip

    def _target(self, drill: Drill) -> Target | None:
        return self._targets.targets.get(drill.target) if self._targets else None

    def _locked(self, drill: Drill) -> list[str]:
        target = self._target(drill)
        return sorted({drill.target, *(target.touches if target else ())})

    def _labels(self, drill: Drill) -> str:
        """What a worker must have: the labels of every target that is locked."""
        known = self._targets.targets if self._targets else {}
        wanted: dict[str, str] = {}
        for name in reversed(self._locked(drill)):
            wanted |= known[name].labels if name in known else {}
        return json.dumps(wanted, sort_keys=True)

    def _recall(self, connection: Connection, unknown: list[Planned], moment: datetime) -> None:
        """How far each was looked at before. A new drill, or a new schedule, begins now: its past is no debt."""
        known = {row.drill: row for row in connection.execute(sa.select(drills))}
        fresh: list[Planned] = []
        for one in unknown:
            row = known.get(one.drill.id)
            if row is not None and row.schedule == one.digest:
                one.looked_until = datetime.fromtimestamp(row.looked_until, tz=UTC)
            else:
                one.looked_until = moment
                fresh.append(one)
        for one in fresh:
            connection.execute(sa.delete(drills).where(drills.c.drill == one.drill.id))
        if fresh:
            rows = [
                {"drill": one.drill.id, "schedule": one.digest, "looked_until": moment.timestamp()} for one in fresh
            ]
            connection.execute(sa.insert(drills), rows)

    def _read(self) -> None:
        """Read what is new or changed."""
        if self._changed(TARGETS):
            data = Files(self.root).read(TARGETS)
            parsed = None if isinstance(data, Problem) else read_targets(data, TARGETS)
            self._targets = parsed.value if parsed else None
        found = {path.relative_to(self.root).as_posix() for path in _drill_files(self.root)}
        for gone in set(self._planned) - found:
            del self._planned[gone]
        for source in sorted(found):
            if not self._changed(source):
                continue
            self._planned.pop(source, None)
            try:
                planned = self._parse(source)
            except DrillmarkError as error:
                self.say(f"{source}: {error}")
                continue
            if planned is not None:
                self._planned[source] = planned

    def _parse(self, source: str) -> Planned | None:
        files = Files(self.root)
        data = files.read(source)
        if isinstance(data, Problem):
            raise UsageError(data.message)
        parsed = read_drill(data, source)
        if parsed.value is None:
            raise UsageError(str(parsed.problems[0]) if parsed.problems else "it is no drill")
        schedule = parsed.value.schedule
        if schedule is None:
            return None
        named = [text for text in schedule.blackouts if text.endswith(".ics")]
        calendars: list[CalendarFile] = []
        for name in named:
            content = files.read(name)
            if isinstance(content, Problem):
                raise UsageError(content.message)
            calendars.append(calendar.read_ics(content, name))
        digest = hashlib.sha256(schedule.model_dump_json().encode()).hexdigest()
        return Planned(source, parsed.value, schedule, digest, tuple(calendars))

    def _changed(self, source: str) -> bool:
        try:
            stat = (self.root / source).stat()
        except OSError:
            return self._seen.pop(source, None) is not None
        mark = (stat.st_mtime_ns, stat.st_size)
        if self._seen.get(source) == mark:
            return False
        self._seen[source] = mark
        return True


def _drill_files(root: Path) -> Iterator[Path]:
    for pattern in ("drills/**/*.yaml", "drills/**/*.yml"):
        yield from (path for path in root.glob(pattern) if path.is_file())


def _times(each: Occurrence, until: datetime | None) -> dict[str, object]:
    return {
        "occurrence": each.id,
        "due_at": each.due.timestamp(),
        "start_at": each.start.timestamp(),
        "until_at": until.timestamp() if until else None,
    }


def _until(one: Planned, each: Occurrence) -> datetime:
    """Until when it may begin."""
    if isinstance(one.schedule.missed, RunWithin):
        return each.start + timedelta(seconds=one.schedule.missed.run_within)
    if one.schedule.window is not None:
        zone = zones.zone(one.schedule.time_zone)
        if windows.is_open(one.schedule.window, each.start, zone):
            return windows.closes(one.schedule.window, each.start, zone)
    return each.start + BEGINS_WITHIN


def _insert(connection: Connection, rows: list[dict[str, object]]) -> list[str]:
    """Write occurrences, in few statements however many; returns which were not there before."""
    if not rows:
        return []
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    new = dialect.insert(occurrences).on_conflict_do_nothing().returning(occurrences.c.occurrence)
    return list(connection.execute(new, rows).scalars())
