"""What the whole fleet has to do at this moment, in numbers, for whoever shows them. Only reads; decides nothing."""

from __future__ import annotations

import sqlalchemy as sa

from drillmark.fleet.admitting import RUNNING, WAITING
from drillmark.fleet.database import Database, clock
from drillmark.fleet.tables import occurrences


def waiting_and_running(database: Database) -> tuple[int, int]:
    """How many drills are due and taken by nobody, and how many some worker runs. Raises SQLAlchemyError."""
    with database.transaction() as connection:
        due = sa.and_(occurrences.c.state == WAITING, occurrences.c.start_at <= clock(connection))
        counts = [
            sa.select(sa.func.count()).select_from(occurrences).where(which).scalar_subquery()
            for which in (due, occurrences.c.state == RUNNING)
        ]
        row = connection.execute(sa.select(*counts)).one()
        return int(row[0]), int(row[1])
