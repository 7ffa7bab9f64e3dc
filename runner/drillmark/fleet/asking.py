"""What the queue knows, for those who only ask. Makes no table and no file, and starts nothing."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from drillmark.calendar.why import Fate
from drillmark.database import address
from drillmark.fleet.database import Database, FleetError, short
from drillmark.fleet.tables import occurrences


def fate(root: Path, occurrence: str) -> tuple[bool, Fate | None]:
    """Whether there is a queue, and what it knows of an occurrence. Raises FleetError where it cannot be asked."""
    if not address.configured() and not (root / ".drillmark" / "fleet.sqlite3").exists():
        return False, None
    database = Database(root)
    try:
        with database.engine.connect() as connection:
            row = connection.execute(sa.select(occurrences).where(occurrences.c.occurrence == occurrence)).first()
    except SQLAlchemyError as error:
        raise FleetError(f"cannot ask the fleet's database: {short(error)}", hint="is it up?") from error
    finally:
        database.close()
    if row is None:
        return True, None
    return True, Fate(row.state, row.says or "", row.run or "", row.verdict or "", row.reason or "")
