"""Markers in PostgreSQL: rows of `drillmark.markers`, read back packed, and whose store it is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import psycopg

from drillmark import clock
from drillmark.observe import postgres_store
from drillmark.observe.changes import Write
from drillmark.observe.store import Reading, StoreError, Written, in_order
from drillmark.samples import LedgerOp

KEPT = dt.timedelta(days=7)
# Packed by the server: a row for each 65,536 numbers instead of one for each.
_ROWS = """
SELECT string_agg(int8send(id) || int8send({value}), ''::bytea) FROM drillmark.markers WHERE run = %s
GROUP BY id / 65536
"""
_STORE = """
SELECT to_regclass('drillmark.markers') IS NULL,
       {has_value},
       (SELECT system_identifier::text FROM pg_control_system()),
       CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END
"""


class PostgresLink:
    """One connection."""

    def __init__(self, connection: psycopg.Connection[Any], run: str) -> None:
        self._connection = connection
        self._run = run

    def is_usable(self) -> bool:
        """Costs one poll."""
        return postgres_store.is_usable(self._connection)

    def write(self, write: Write, writer: int) -> Written:
        """Commit one write."""
        return postgres_store.write(self._connection, self._run, write, writer)

    def close(self) -> None:
        """Without a word to the server, which may be stuck."""
        self._connection.pgconn.finish()


class PostgresStore:
    """The store that a connection string leads to."""

    def __init__(self, dsn: str, run: str, *, changes: bool) -> None:
        self._dsn = dsn
        self._run = run
        self.kinds: frozenset[LedgerOp] = frozenset((LedgerOp.UPDATE, LedgerOp.DELETE) if changes else ())
        self.meta: dict[str, Any] = {"store": "postgres", "table": postgres_store.TABLE, "compares": True}
        self.longest_seconds = postgres_store.WRITE_SECONDS + postgres_store.CONNECT_SECONDS

    def prepare(self) -> str:
        """Make the table; the store's system identifier. Raises StoreError."""
        connection = postgres_store.connect(self._dsn)
        try:
            identifier = postgres_store.prepare(connection, changes=bool(self.kinds))
            self._remove_older(connection)
            return identifier
        finally:
            connection.close()

    def _remove_older(self, connection: psycopg.Connection[Any]) -> None:
        """Rows are kept for a week, for whoever looks into what a run lost; then they are in the way."""
        try:
            began = dt.datetime.strptime(self._run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        except ValueError:
            return  # an id without a time: nothing tells what is older
        before = (began - KEPT).strftime("%Y%m%dT%H%M%SZ")
        try:
            self.meta["older_rows_removed"] = postgres_store.remove_older(connection, before)
        except StoreError as error:
            self.meta["older_rows_kept"] = str(error)  # no reason not to begin

    def connect(self) -> PostgresLink:
        """Raises StoreError."""
        return PostgresLink(postgres_store.connect(self._dsn), self._run)

    def read_once(self) -> Reading:
        """One read over a connection of its own. Raises StoreError."""
        from_ns = clock.monotonic_ns()
        connection = postgres_store.connect(self._dsn)
        try:
            connection.execute("SET statement_timeout = 0")
            row = connection.execute(_STORE.format(has_value=postgres_store.HAS_VALUE).encode()).fetchone()
            assert row is not None
            absent, has_value, system_identifier, timeline = row
            rows = _ROWS.format(value="coalesce(value, id)" if has_value else "id").encode()
            parts: list[Any] = [] if absent else connection.execute(rows, (self._run,), binary=True).fetchall()
        except psycopg.Error as error:
            raise postgres_store.refusal(error) from None
        finally:
            connection.close()
        packed = np.frombuffer(b"".join(bytes(part[0]) for part in parts), dtype=">i8").astype(np.int64)
        whose = (bool(absent), str(system_identifier), int(timeline))
        return Reading(*in_order(packed), *whose, from_ns, clock.monotonic_ns())
