"""What is due, from the drill files of a workspace: one row for each `drill@time`, however many workers look.

Looks a minute ahead, so that a drill begins at its time and not at the next look. A file that did not change is not
read again, and a drill whose time has not come is not computed again. Must never start anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from drillmark import calendar
from drillmark.calendar import Due, Occurrence, windows, zones
from drillmark.calendar.missed import GRACE
from drillmark.decisions import State, Trigger
from drillmark.define.schedule import RunWithin
from drillmark.errors import DrillmarkError
from drillmark.fleet.admitting import ENDED, WAITING
from drillmark.fleet.database import Database, now, tell
from drillmark.fleet.hours import Hours
from drillmark.fleet.overdue import BEGINS_WITHIN_SECONDS, MISSED
from drillmark.fleet.plans import Planned, Plans
from drillmark.fleet.rows import new_row
from drillmark.fleet.tables import drills, occurrences, wants
from drillmark.fleet.wishes import Wishes, occurrence_of

AHEAD = timedelta(seconds=60)
BEGINS_WITHIN = timedelta(seconds=BEGINS_WITHIN_SECONDS)
_FAR = timedelta(days=800)
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at a drill found.

    Attributes:
        looked: how far it is known from now on.
        next_at: when there is something to be found again.
    """

    planned: Planned
    due: Due
    looked: datetime
    next_at: datetime


@dataclass(slots=True)
class Agenda:
    """The schedules of a workspace. One for each worker; keeps what it read."""

    root: Path
    database: Database
    say: Callable[[str], None]
    wishes: Wishes | None = None
    hours: Hours = field(init=False)
    _plans: Plans = field(init=False)
    _triggered: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self._plans = Plans(self.root, self.say)
        self.hours = Hours(self._plans, Wishes(self.root))  # its own: another thread asks

    def look(self) -> int:
        """Write a row for everything that is due within the next minute; returns how many are new."""
        planned = self._plans.read()
        with self.database.transaction() as connection:
            moment = datetime.fromtimestamp(now(connection), tz=UTC)
            unknown = [one for one in planned if one.looked_until is None]
            if unknown:
                self._recall(connection, unknown, moment)
        until = moment + AHEAD
        decided = self.wishes.state(moment) if self.wishes else State()
        ripe = [one for one in planned if one.next_at is None or one.next_at <= until]
        ripe = [one for one in ripe if one.drill.id not in decided.paused]
        wanted = [trigger for trigger in decided.triggers if moment - trigger.at < BEGINS_WITHIN]
        return sum(self._trigger(trigger, planned, moment) for trigger in wanted) + self._note(ripe, until)

    def planned(self) -> list[Planned]:
        """The drills with a schedule, as they were at the last look."""
        return self._plans.known()

    def _note(self, ripe: list[Planned], until: datetime) -> int:
        """Write what is due of these, some hundred rows to a transaction: a commit costs more than many rows."""
        new = 0
        for portion in _portions(self._found(ripe, until)):
            due = [each for each in portion if each.due.run or each.due.missed]
            if due:
                with self.database.transaction() as connection:
                    new += self._write(connection, due)
            for each in portion:
                each.planned.looked_until, each.planned.next_at = each.looked, each.next_at
        return new

    def _found(self, ripe: list[Planned], until: datetime) -> Iterator[Found]:
        for one in ripe:
            try:
                yield _look_at(one, until)
            except DrillmarkError as error:
                self.say(f"{one.source}: {error}")

    def next_due(self) -> dict[str, float]:
        """Drill -> when its next occurrence may start, in seconds since 1970. May be asked from another thread."""
        planned = self._plans.known()
        return {one.drill.id: one.next_at.timestamp() for one in planned if one.next_at is not None}

    def _write(self, connection: Connection, found: list[Found]) -> int:
        moment = now(connection)
        waiting: list[dict[str, object]] = []
        missed: list[dict[str, object]] = []
        locked: dict[str, list[str]] = {}
        for each in found:
            one, row = each.planned, self._row(each.planned)
            mine = [row | _times(due, _until(one, due, moment)) | {"state": WAITING} for due in each.due.run]
            if each.due.missed:
                *older, newest = each.due.missed
                ended = {"state": ENDED, "ended_at": moment, "verdict": MISSED}
                missed += [row | _times(late.occurrence, None) | ended | {"reason": late.words} for late in older]
                # It is too late for this one too. It ends when its gap is filed, which tells of those before it.
                says = newest.words + (f", and so did {len(older)} before it" if older else "")
                mine.append(row | _times(newest.occurrence, newest.occurrence.start) | {"state": WAITING, "says": says})
            locked |= dict.fromkeys((str(new["occurrence"]) for new in mine), self._plans.locked(one.drill))
            waiting += mine
        so_far = sa.update(drills).where(drills.c.drill == sa.bindparam("name")).values(looked_until=sa.bindparam("at"))
        connection.execute(so_far, [{"name": each.planned.drill.id, "at": each.looked.timestamp()} for each in found])
        new = _insert(connection, waiting)
        targets = [{"occurrence": name, "target": target} for name in sorted(new) for target in locked[name]]
        if targets:
            connection.execute(sa.insert(wants), targets)
        noted = _insert(connection, missed)
        for row in missed:
            if row["occurrence"] in noted:
                tell(connection, str(row["occurrence"]), "missed", says=str(row["reason"]))
        return len(new)

    def _trigger(self, trigger: Trigger, planned: list[Planned], moment: datetime) -> int:
        """Somebody wants it now, outside its schedule: once, whoever sees it first."""
        name = occurrence_of(trigger)
        if name in self._triggered:
            return 0
        one = next((one for one in planned if one.drill.id == trigger.drill), None)
        if one is None:
            self._triggered.add(name)
            self.say(f"{trigger.drill}: {trigger.by} wants it to run, and no drill with a schedule is called that")
            return 0
        at = moment.timestamp()
        times = {"due_at": trigger.at.timestamp(), "start_at": at, "until_at": at + BEGINS_WITHIN_SECONDS}
        with self.database.transaction() as connection:
            new = _insert(connection, [self._row(one) | times | {"occurrence": name, "state": WAITING}])
            if new:
                targets = self._plans.locked(one.drill)
                connection.execute(sa.insert(wants), [{"occurrence": name, "target": target} for target in targets])
        self._triggered.add(name)  # not before: had the database failed, it would be lost
        return len(new)

    def _row(self, one: Planned) -> dict[str, object]:
        retry = one.schedule.retry
        target = self._plans.target(one.drill)
        return new_row(
            drill=one.drill.id,
            source=one.source,
            environment=target.environment if target else "",
            labels=self._plans.labels(one.drill),
            priority=one.schedule.priority or 0,
            retries=retry.times if retry else 0,
            retry_after_seconds=retry.wait if retry else 0.0,
        )

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
        if not fresh:
            return
        rows = [{"drill": one.drill.id, "schedule": one.digest, "looked_until": moment.timestamp()} for one in fresh]
        # Workers that start together find the same ones.
        new = _dialect(connection).insert(drills)
        known_now = {"schedule": new.excluded.schedule, "looked_until": new.excluded.looked_until}
        connection.execute(new.on_conflict_do_update(index_elements=[drills.c.drill], set_=known_now), rows)


def _look_at(one: Planned, until: datetime) -> Found:
    """What of a drill is due. Pure."""
    assert one.looked_until is not None
    name, schedule, files = one.drill.id, one.schedule, one.files
    due = calendar.due(schedule, name, since=one.looked_until, now=until, blackouts=files, grace=GRACE + AHEAD)
    looked = min([each.due - timedelta(seconds=1) for each in due.waiting], default=until)
    following = calendar.occurrences(schedule, name, after=looked, until=looked + _FAR, blackouts=files)
    first = next(iter(following), None)
    return Found(one, due, looked, first.due if first is not None else until + _FAR)


def _portions(found: Iterable[Found]) -> Iterator[list[Found]]:
    portion: list[Found] = []
    rows = 0
    for each in found:
        portion.append(each)
        rows += len(each.due.run) + len(each.due.missed)
        if rows >= _ROWS_AT_ONCE:
            yield portion
            portion, rows = [], 0
    if portion:
        yield portion


def _times(each: Occurrence, until: datetime | None) -> dict[str, object]:
    return {
        "occurrence": each.id,
        "due_at": each.due.timestamp(),
        "start_at": each.start.timestamp(),
        "until_at": until.timestamp() if until else None,
    }


def _until(one: Planned, each: Occurrence, moment: float) -> datetime:
    """Until when it may begin. One that is made up for, however late, has as long as one in time."""
    if isinstance(one.schedule.missed, RunWithin):
        return each.start + timedelta(seconds=one.schedule.missed.run_within)
    start = max(each.start, datetime.fromtimestamp(moment, tz=UTC))
    if one.schedule.window is not None:
        zone = zones.zone(one.schedule.time_zone)
        if windows.is_open(one.schedule.window, start, zone):
            return windows.closes(one.schedule.window, start, zone)
    return start + BEGINS_WITHIN


def _insert(connection: Connection, rows: list[dict[str, object]]) -> set[str]:
    """The names of those that were not there before."""
    if not rows:
        return set()
    new = _dialect(connection).insert(occurrences).on_conflict_do_nothing().returning(occurrences.c.occurrence)
    return set(connection.execute(new, rows).scalars())


def _dialect(connection: Connection) -> ModuleType:
    return sqlite if connection.dialect.name == "sqlite" else postgresql
