"""What the queue knows, for those who only ask. Makes no table and no file, and starts nothing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from drillmark.calendar.why import Fate
from drillmark.database import address
from drillmark.fleet import overdue
from drillmark.fleet.database import Database, FleetError, short
from drillmark.fleet.overdue import Late
from drillmark.fleet.tables import occurrences


def fate(root: Path, occurrence: str) -> tuple[bool, Fate | None]:
    """Whether there is a queue, and what it knows of an occurrence. Raises FleetError where it cannot be asked."""
    if not _is_there(root):
        return False, None
    with _connected(root) as connection:
        row = connection.execute(sa.select(occurrences).where(occurrences.c.occurrence == occurrence)).first()
    if row is None:
        return True, None
    return True, Fate(row.state, row.says or "", row.run or "", row.verdict or "", row.reason or "")


def missed(root: Path) -> list[Late]:
    """What every drill missed last, where no worker ran it since. Raises FleetError where it cannot be asked."""
    if not _is_there(root):
        return []
    with _connected(root) as connection:
        return overdue.missed(connection)


def _is_there(root: Path) -> bool:
    return bool(address.configured()) or (root / ".drillmark" / "fleet.sqlite3").exists()


@contextmanager
def _connected(root: Path) -> Generator[Connection]:
    database = Database(root)
    try:
        with database.engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise FleetError(f"cannot ask the fleet's database: {short(error)}", hint="is it up?") from error
    finally:
        database.close()
