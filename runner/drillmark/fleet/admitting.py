"""Gives what is due to a worker: locks all targets of its plan and counts it, in one transaction of the whole fleet.

What was given stands as `queued`, with its locks, until its worker claims it. Decides nothing itself (`choosing`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from drillmark.fleet import members
from drillmark.fleet.choosing import Chosen, Free, Limits, Waiting, choose
from drillmark.fleet.database import Database, clock, now
from drillmark.fleet.tables import locks, occurrences, wants

QUEUED, RUNNING, WAITING, ENDED = "queued", "running", "waiting", "ended"
# How many that could begin, and how many of the most urgent that cannot, are looked at in one go.
_LOOK_AT = 100
# What must not begin now is asked again at the next full minute, when windows open.
_MINUTE_SECONDS = 60.0

# Why some of these rows must not begin at that moment, by their names.
Against = Callable[[Sequence[RowMapping], float], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Queued:
    """A drill that was given to a worker. `name`: under which DBOS has it."""

    occurrence: str
    turn: int
    worker: str
    priority: int

    @property
    def name(self) -> str:
        """`drill@time`, and from the second turn on which one."""
        return self.occurrence if self.turn == 1 else f"{self.occurrence}#{self.turn}"


@dataclass(frozen=True, slots=True)
class News:
    """What a worker asks for all the time.

    Attributes:
        is_due: whether a drill waits whose time has come.
        next_in_seconds: when the next one's comes; None where none is known.
        given: what was given to this worker and is not claimed yet.
    """

    is_due: bool
    next_in_seconds: float | None
    given: list[Queued]


def news(connection: Connection, worker: str) -> News:
    """Cheap, one statement where there is nothing to do: idle workers ask all the time."""
    is_due, next_in_seconds, has_some = connection.execute(_asking(clock(connection)), {"worker": worker}).one()
    given: list[Queued] = []
    if has_some:
        mine = sa.and_(occurrences.c.worker == worker, occurrences.c.state == QUEUED)
        columns = (occurrences.c.occurrence, occurrences.c.turn, occurrences.c.priority)
        rows = connection.execute(sa.select(*columns).where(mine)).all()
        given = [Queued(str(row.occurrence), int(row.turn), worker, int(row.priority)) for row in rows]
    return News(bool(is_due), None if next_in_seconds is None else float(next_in_seconds), given)


@lru_cache(maxsize=2)
def _asking(moment: sa.ColumnElement[float]) -> sa.Select[bool, Any, bool]:
    """The statement of `news`; building it anew would cost more than running it."""
    waits, start_at = occurrences.c.state == WAITING, occurrences.c.start_at
    due = sa.select(occurrences.c.occurrence).where(_due(moment)).limit(1).exists()
    following = sa.select(sa.func.min(start_at) - moment).where(waits, start_at > moment).scalar_subquery()
    mine = sa.select(occurrences.c.occurrence).where(
        occurrences.c.worker == sa.bindparam("worker"), occurrences.c.state == QUEUED
    )
    return sa.select(due, following, mine.limit(1).exists())


def admit(database: Database, limits: Limits, against: Against = lambda _rows, _moment: {}) -> list[Queued]:
    """Give what may begin now to those that are free; the caller queues it in DBOS. `against`: as `hours` has it."""
    with database.deciding() as connection:
        if connection is None:
            return []
        moment = now(connection)
        alive = [one for one in members.present(connection) if one.silent_seconds(moment) < one.lease_seconds]
        working = [one for one in alive if one.state == members.WORKING]
        loads = _loads(connection)
        free = [Free(one.worker, one.labels, one.slots - loads.get(one.worker, 0)) for one in working]
        rows = _candidates(connection, moment, [one for one in free if one.slots > 0])
        known = {row["occurrence"] for row in rows}
        rows += [row for row in _most_urgent(connection, moment) if row["occurrence"] not in known]
        if not rows:
            return []
        hindered = against(rows, moment)
        if hindered:
            _put_off(connection, moment, hindered)
            rows = [row for row in rows if row["occurrence"] not in hindered]
        rows.sort(key=lambda row: (not row["taking_over"], -row["priority"], row["start_at"], row["occurrence"]))
        targets = _targets(connection, [row["occurrence"] for row in rows])
        every = sorted({target for some in targets.values() for target in some})
        locked = {
            str(row.target): str(row.holder)
            for some in _chunks(every)
            for row in connection.execute(sa.select(locks).where(locks.c.target.in_(some)))
        }
        chosen = choose(
            [_waiting(row, targets) for row in rows],
            free,
            everybody=[one.labels for one in working],
            locked=locked,
            running=_running(connection),
            limits=limits,
        )
        return _write(connection, moment, rows, targets, chosen)


def _put_off(connection: Connection, moment: float, hindered: dict[str, str]) -> None:
    """Ask again in a minute: until then they are in nobody's way, however urgent they are."""
    later = (moment // _MINUTE_SECONDS + 1) * _MINUTE_SECONDS
    this = sa.update(occurrences).where(occurrences.c.occurrence == sa.bindparam("name"))
    values = [{"name": name, "words": words} for name, words in sorted(hindered.items())]
    connection.execute(this.values(start_at=later, says=sa.bindparam("words")), values)


def _write(
    connection: Connection, moment: float, rows: Sequence[RowMapping], targets: dict[str, list[str]], chosen: Chosen
) -> list[Queued]:
    queued: list[Queued] = []
    taken: list[dict[str, object]] = []
    for row in rows:
        name = row["occurrence"]
        this = sa.update(occurrences).where(occurrences.c.occurrence == name)
        worker = chosen.starts.get(name)
        if worker is None:
            says = chosen.says.get(name, "")
            if says != row["says"] and not row["unheard"]:
                connection.execute(this.values(says=says))
            continue
        turn = int(row["turn"]) + 1
        connection.execute(this.values(state=QUEUED, turn=turn, worker=worker, unheard=False, says=""))
        if row["taking_over"]:
            connection.execute(sa.update(locks).where(locks.c.holder == name).values(worker=worker))
        else:
            taken.extend(
                {"target": target, "holder": name, "worker": worker, "since_at": moment}
                for target in targets.get(name, [])
            )
        queued.append(Queued(name, turn, worker, int(row["priority"])))
    if taken:
        connection.execute(sa.insert(locks), taken)
    return queued


def _candidates(connection: Connection, moment: float, free: list[Free]) -> list[RowMapping]:
    """The most urgent that no lock hinders, and that somebody who is free may take."""
    if not free:
        return []
    asked = [
        str(text)
        for text in connection.execute(sa.select(occurrences.c.labels).where(_due(moment)).distinct()).scalars()
    ]
    takeable = [text for text in asked if any(_has(one, text) for one in free)]
    busy = (
        sa.select(wants.c.target)
        .join(locks, locks.c.target == wants.c.target)
        .where(wants.c.occurrence == occurrences.c.occurrence)
        .exists()
    )
    some = (
        sa.select(occurrences)
        .where(_due(moment), occurrences.c.labels.in_(takeable), sa.or_(occurrences.c.taking_over, ~busy))
        .order_by(occurrences.c.taking_over.desc(), occurrences.c.priority.desc(), occurrences.c.start_at)
        .limit(_LOOK_AT)
    )
    return list(connection.execute(some).mappings())


def _most_urgent(connection: Connection, moment: float) -> list[RowMapping]:
    """They may be hindered, and then keep their targets free for themselves."""
    some = (
        sa.select(occurrences)
        .where(_due(moment))
        .order_by(occurrences.c.priority.desc(), occurrences.c.start_at)
        .limit(_LOOK_AT)
    )
    return list(connection.execute(some).mappings())


def is_too_late(moment: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Waits, and may not begin any more. What is to be undone may at any time."""
    has_an_end = occurrences.c.until_at.is_not(None)
    return sa.and_(
        occurrences.c.state == WAITING, ~occurrences.c.taking_over, has_an_end, occurrences.c.until_at < moment
    )


def _due(moment: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    return sa.and_(occurrences.c.state == WAITING, occurrences.c.start_at <= moment, ~is_too_late(moment))


def _loads(connection: Connection) -> dict[str, int]:
    """How many drills each worker has in hand."""
    counted = (
        sa.select(occurrences.c.worker, sa.func.count())
        .where(occurrences.c.state.in_([QUEUED, RUNNING]), occurrences.c.worker.is_not(None))
        .group_by(occurrences.c.worker)
    )
    return {str(worker): int(count) for worker, count in connection.execute(counted)}


def _running(connection: Connection) -> dict[str, int]:
    """How many drills run, or are about to, in each environment; what waits to be taken over counts too."""
    at_work = sa.or_(occurrences.c.state.in_([QUEUED, RUNNING]), occurrences.c.taking_over)
    counted = (
        sa.select(occurrences.c.environment, sa.func.count())
        .where(at_work, occurrences.c.state != ENDED)
        .group_by(occurrences.c.environment)
    )
    return {str(environment): int(count) for environment, count in connection.execute(counted)}


def _targets(connection: Connection, names: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for some in _chunks(names):
        for row in connection.execute(sa.select(wants).where(wants.c.occurrence.in_(some))):
            found.setdefault(str(row.occurrence), []).append(str(row.target))
    return found


def _waiting(row: RowMapping, targets: dict[str, list[str]]) -> Waiting:
    name = str(row["occurrence"])
    return Waiting(
        name, frozenset(targets.get(name, ())), json.loads(row["labels"]), row["environment"], bool(row["taking_over"])
    )


def _has(free: Free, text: str) -> bool:
    wanted: dict[str, Any] = json.loads(text)
    return all(free.labels.get(name) == value for name, value in wanted.items())


def _chunks(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[first : first + 500] for first in range(0, len(names), 500))
