"""Brings the database to the newest version, with Alembic; and says which one it has.

Only one process migrates at a time; the others wait, and find nothing left to do. All of it is one transaction: a
migration that fails leaves the database as it was.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from drillmark.database import versions
from drillmark.database.connecting import Connection, Database
from drillmark.errors import DatabaseError, UsageError

# One number for "somebody migrates" among PostgreSQL's advisory locks: "dmk0".
_MIGRATING = 0x646D6B30
_SECONDS = 600.0
MISSING = "migrations need SQLAlchemy and Alembic, which are not installed"
HINT = "pip install 'drillmark[fleet]'"


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done. `before` is empty where the database held nothing of Drillmark."""

    place: str
    before: str
    after: str


def migrate(url: str) -> Migrated:
    """Run every migration that the database does not have yet.

    Raises DatabaseError where it cannot be reached, is newer than this Drillmark, or refuses; UsageError without the
    extra.
    """
    if importlib.util.find_spec("alembic") is None:
        raise UsageError(MISSING, hint=HINT)
    database = Database(url, checked=False)
    try:
        before = database.run(versions.read)
        if before is not None and before.format > versions.FORMAT:
            versions.refuse_unless_usable(before, database.place)
        database.run(lambda connection: _refuse_encoding(connection, database.place))
        if before is None or before.revision < versions.HEAD:
            _upgrade(url, database.place)
        after = database.run(versions.read)
        versions.refuse_unless_usable(after, database.place)
        assert after is not None
        return Migrated(database.place, before.revision if before else "", after.revision)
    finally:
        database.close()


def check(url: str) -> tuple[str, versions.Version]:
    """The database's address and version. Raises DatabaseError where this Drillmark cannot work with it."""
    database = Database(url)
    try:
        version = database.run(versions.read)
        assert version is not None
        return database.place, version
    finally:
        database.close()


def _upgrade(url: str, place: str) -> None:
    import sqlalchemy as sa  # noqa: PLC0415 - an extra; without it the hint above
    from alembic import command, config  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    settings = config.Config()
    settings.set_main_option("script_location", "drillmark:database/migrations")
    engine = sa.create_engine(f"postgresql+psycopg://{url.partition('://')[2]}", poolclass=sa.NullPool)
    try:
        with engine.connect() as connection, connection.begin():
            connection.execute(sa.text("select set_config('statement_timeout', :s, true)"), {"s": f"{_SECONDS:.0f}s"})
            connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            connection.execute(sa.text(f"create schema if not exists {versions.SCHEMA}"))
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
    except SQLAlchemyError as error:
        said = next(iter(str(getattr(error, "orig", None) or error).strip().splitlines()), type(error).__name__)
        raise DatabaseError(
            f"the database {place} could not be migrated: {said}", hint="it is as it was before; see the words above"
        ) from error
    finally:
        engine.dispose()


def _refuse_encoding(connection: Connection, place: str) -> None:
    row = connection.execute("select current_setting('server_encoding')").fetchone()
    if row is None or row[0] != "UTF8":
        raise DatabaseError(
            f"the database {place} is not in UTF8 but in {row[0] if row else 'nothing known'}",
            hint="make one: create database drillmark encoding 'UTF8' template template0",
        )
