"""Which version the database has, and whether this Drillmark may work with it.

Two numbers, so that old and new workers can run side by side. The *revision* is the last migration that was run: a
database may be ahead of the program, as a migration only adds. The *format* is what a program must understand to
read and write at all; a migration raises it only where an older program would do harm, and an older program then
refuses. Must never change anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drillmark.errors import DatabaseError

SCHEMA = "drillmark"
FORMAT = 1
# The last migration in `migrations/versions`; a test holds the two together.
HEAD = "0002"
_MIGRATE = "run `drillmark db migrate`, once for the database, with the newest drillmark that uses it"


@dataclass(frozen=True, slots=True)
class Version:
    """What a database is."""

    revision: str
    format: int

    @property
    def is_ahead(self) -> bool:
        """Whether a newer Drillmark has migrated it, in a way that this one can live with."""
        return self.revision > HEAD


def read(connection: Any) -> Version | None:
    """The version of a database that psycopg is connected to; None where Drillmark has no tables in it."""
    there = connection.execute("select to_regclass('drillmark.alembic_version'), to_regclass('drillmark.version')")
    if None in there.fetchone():
        return None
    row = connection.execute(
        "select (select max(version_num) from drillmark.alembic_version), (select max(format) from drillmark.version)"
    ).fetchone()
    return None if None in row else Version(str(row[0]), int(row[1]))


def refuse_unless_usable(version: Version | None, place: str) -> None:
    """Raises DatabaseError where this Drillmark cannot work with such a database."""
    if version is None:
        raise DatabaseError(
            f"the database {place} holds nothing of Drillmark yet", hint=_MIGRATE, code="database-empty"
        )
    if version.format > FORMAT:
        raise DatabaseError(
            f"the database {place} was migrated by a newer drillmark (format {version.format}, this one knows"
            f" {FORMAT})",
            hint="install that version here; nothing was read or written",
            code="database-newer",
        )
    if version.revision < HEAD:
        raise DatabaseError(
            f"the database {place} is older than this drillmark (revision {version.revision}, needed {HEAD})",
            hint=_MIGRATE,
            code="database-older",
        )
