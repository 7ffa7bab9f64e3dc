"""The fleet's database: a file of the workspace, or PostgreSQL where DRILLMARK_DATABASE_URL says so.

What only one worker at a time may decide, for all of them, is decided in `deciding`. Must never hold a transaction open
while something is performed.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from drillmark.database import address
from drillmark.database.connecting import Database as Checked
from drillmark.errors import DrillmarkError
from drillmark.fleet import tables

# One number for "the fleet decides" in PostgreSQL's advisory locks: "dmk1".
_DECIDING = 0x646D6B31
_BUSY_SECONDS = 15.0
_CONNECT_SECONDS = 5
_SQLITE_CLOCK: sa.ColumnElement[float] = sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)", sa.Float)
_POSTGRES_CLOCK: sa.ColumnElement[float] = sa.literal_column("extract(epoch from clock_timestamp())::float8", sa.Float)


class FleetError(DrillmarkError):
    """The fleet's database cannot be used."""

    code = "fleet-database"


class Database:
    """Connections to the fleet's tables."""

    def __init__(self, root: Path, url: str | None = None) -> None:
        self.url = url or address.configured()
        self.folder = root / ".drillmark"
        self.engine = _postgres(self.url) if self.url else _sqlite(self.folder)

    @property
    def is_shared(self) -> bool:
        """Whether other machines may be there."""
        return bool(self.url)

    @property
    def dbos_url(self) -> str:
        """Where DBOS keeps its own tables."""
        return sqlalchemy_url(self.url) if self.url else f"sqlite:///{self.folder / 'dbos.sqlite3'}"

    def prepare(self) -> None:
        """Make the tables on SQLite; see that PostgreSQL has this version's. Raises DrillmarkError."""
        if self.is_shared:
            Checked(self.url).close()
            return
        try:
            tables.metadata.create_all(self.engine)
        except SQLAlchemyError as error:
            hint = "may the folder be written?"
            raise FleetError(f"cannot use the fleet's database: {short(error)}", hint=hint) from error

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A transaction that reads, or changes rows that it names by their state: those are locked one by one."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def deciding(self) -> Generator[Connection | None]:
        """A transaction of which there is one at a time in the fleet; None where another is at it: it decides."""
        with self.engine.begin() as connection:
            if not self.is_shared:
                yield connection
                return
            asked = connection.execute(sa.text("select pg_try_advisory_xact_lock(:key)"), {"key": _DECIDING})
            yield connection if asked.scalar_one() else None

    def close(self) -> None:
        """Let all connections go."""
        self.engine.dispose()


def clock(connection: Connection) -> sa.ColumnElement[float]:
    """The database's clock, in seconds since 1970, as part of a statement."""
    return _SQLITE_CLOCK if connection.dialect.name == "sqlite" else _POSTGRES_CLOCK


def now(connection: Connection) -> float:
    """The same, asked for."""
    return float(connection.execute(sa.select(clock(connection))).scalar_one())


def tell(
    connection: Connection, occurrence: str, what: str, *, worker: str = "", epoch: int = 0, says: str = ""
) -> None:
    """Write down what became of an occurrence."""
    row = {
        "occurrence": occurrence,
        "at": clock(connection),
        "what": what,
        "worker": worker,
        "epoch": epoch,
        "says": says,
    }
    connection.execute(sa.insert(tables.happenings).values(row))


def short(error: BaseException) -> str:
    """The first line of an error; drivers write books."""
    return next(iter(str(getattr(error, "orig", None) or error).strip().splitlines()), type(error).__name__)


def sqlalchemy_url(url: str) -> str:
    """A libpq URL as SQLAlchemy wants it: with the driver's name."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else url


def _postgres(url: str) -> Engine:
    engine = sa.create_engine(
        sqlalchemy_url(url),
        pool_size=5,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            # A peer that is gone without a word is noticed within the lease.
            "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000,
            "options": "-c idle_in_transaction_session_timeout=30000 -c lock_timeout=15000",
            "application_name": "drillmark-fleet",
        },
    )  # fmt: skip
    return engine.execution_options(schema_translate_map={None: tables.SCHEMA})


def _sqlite(folder: Path) -> Engine:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = sa.create_engine(f"sqlite:///{folder / 'fleet.sqlite3'}", connect_args={"timeout": _BUSY_SECONDS})

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's own `begin` below, not the driver's
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("begin immediate")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine
