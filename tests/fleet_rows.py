"""What the fleet's tables hold, written and read as a test needs it: occurrences, workers, locks, happenings."""

from __future__ import annotations

import json

import sqlalchemy as sa

from drillmark.fleet import admitting, claims, members, overdue, tables
from drillmark.fleet.choosing import Limits
from drillmark.fleet.database import Database, now

# Nobody beats here: longer than any test takes on any machine.
LEASE_SECONDS = 300.0


def add(database: Database, name: str, *targets: str, **more) -> None:
    row = {
        "occurrence": name, "drill": name.partition("@")[0], "source": "drills/x.yaml", "priority": 0, "environment": "test",
        "labels": json.dumps(more.pop("labels", {})), "attempts": 1, "retry_after_seconds": 0.0, "attempt": 1,
        "state": "waiting", "turn": 0, "epoch": 0, "taking_over": False, "unheard": False, "says": "",
    }  # fmt: skip
    with database.transaction() as connection:
        moment = now(connection)
        times = {"due_at": moment - 1, "start_at": moment - 1, "until_at": moment + 3600}
        connection.execute(sa.insert(tables.occurrences).values(row | times | more))
        connection.execute(sa.insert(tables.wants), [{"occurrence": name, "target": target} for target in targets])


def join(database: Database, slots: int = 4, **labels: str) -> str:
    with database.transaction() as connection:
        return members.join(connection, labels, slots, LEASE_SECONDS)


def silence(database: Database, worker: str, seconds: float) -> None:
    """A worker of another machine, not heard of for so long."""
    with database.transaction() as connection:
        values = {"beat_at": now(connection) - seconds, "host": "elsewhere"}
        connection.execute(sa.update(tables.workers).where(tables.workers.c.worker == worker).values(values))


def admit(database: Database, limits: Limits | None = None) -> dict[str, str]:
    return {one.occurrence: one.worker for one in admitting.admit(database, limits or Limits())}


def row(database: Database, name: str):
    with database.transaction() as connection:
        query = sa.select(tables.occurrences).where(tables.occurrences.c.occurrence == name)
        return connection.execute(query).mappings().one()


def locked(database: Database) -> dict[str, str]:
    with database.transaction() as connection:
        return {one.target: one.holder for one in connection.execute(sa.select(tables.locks))}


def told(database: Database, name: str) -> list[str]:
    with database.transaction() as connection:
        query = sa.select(tables.happenings.c.what).where(tables.happenings.c.occurrence == name)
        return list(connection.execute(query.order_by(tables.happenings.c.number)).scalars())


def end_missed(database: Database) -> list[overdue.Late]:
    return [late for late in overdue.too_late(database) if overdue.end_missed(database, late)]


def claim(database: Database, name: str, worker: str, run="r1"):
    return claims.claim(database, name, row(database, name)["turn"], worker, run)
