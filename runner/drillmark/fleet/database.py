"""The fleet's database: a file of the workspace, or PostgreSQL where DRILLMARK_DATABASE_URL says so.

Every change that several workers could make at once is made in `deciding`, of which there is one at a time in the
whole fleet. Must never hold a transaction open while something is performed.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from drillmark.errors import DrillmarkError
from drillmark.fleet import tables

URL = "DRILLMARK_DATABASE_URL"
# One number for "the fleet decides" in PostgreSQL's advisory locks: "dmk1".
_DECIDING = 0x646D6B31
_BUSY_SECONDS = 15.0
_CONNECT_SECONDS = 5


class FleetError(DrillmarkError):
    """The fleet's database cannot be used."""

    code = "fleet-database"


class Database:
    """Connections to the fleet's tables."""

    def __init__(self, root: Path, url: str | None = None) -> None:
        self.url = url or os.environ.get(URL) or ""
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
        """Make the tables on SQLite; see that they are there on PostgreSQL. Raises FleetError."""
        try:
            if not self.is_shared:
                tables.metadata.create_all(self.engine)
                return
            with self.engine.connect() as connection:
                found = sa.inspect(connection).has_table(tables.workers.name, schema=tables.SCHEMA)
        except SQLAlchemyError as error:
            raise FleetError(
                f"cannot use the fleet's database: {short(error)}", hint="is it up, and is the URL right?"
            ) from error
        if not found:
            raise FleetError("the database has none of the fleet's tables", hint="run `drillmark db migrate` first")

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that reads, or writes what is the caller's alone."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def deciding(self) -> Generator[Connection]:
        """A transaction of which there is one at a time in the fleet."""
        with self.engine.begin() as connection:
            if self.is_shared:
                connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": _DECIDING})
            yield connection

    def close(self) -> None:
        """Let all connections go."""
        self.engine.dispose()


def now(connection: Connection) -> float:
    """The database's clock, in seconds since 1970."""
    if connection.dialect.name == "sqlite":
        text = "select (julianday('now') - 2440587.5) * 86400.0"
    else:
        text = "select extract(epoch from clock_timestamp())::float8"
    return float(connection.execute(sa.text(text)).scalar_one())


def tell(
    connection: Connection, occurrence: str, what: str, *, worker: str = "", epoch: int = 0, says: str = ""
) -> None:
    """Write down what became of an occurrence."""
    row = {
        "occurrence": occurrence,
        "at": now(connection),
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
        pool_pre_ping=True,
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
