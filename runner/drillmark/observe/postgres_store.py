"""The marker table in PostgreSQL: one connection that commits numbered rows, with a deadline for everything.

libpq is driven directly, because what happened to a write must be told apart exactly: not sent, refused by the
server, committed, or unknown. Must never show a connection string, and never wait for a vanished host.
"""

from __future__ import annotations

import select
from typing import Any

import psycopg
from psycopg import pq

from drillmark import clock
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe.changes import Write
from drillmark.observe.probes import describe
from drillmark.observe.store import StoreError, Written
from drillmark.samples import LedgerKind, LedgerOp

TABLE = "drillmark.markers"
CONNECT_SECONDS = 2
WRITE_SECONDS = 2.0
REMOVE_SECONDS = 3.0
_REMOVED_AT_ONCE = 10_000
_INT8, _INT4, _TEXT = 20, 23, 25
_QUERY_CANCELED = "57014"
_NO_PERMISSION = "42501"
_FINAL_CLASSES = {"28", "3D", "3F"}  # who are you, no such database, no such schema
_FINAL_SIGNS = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry")

# The position is read while the row is inserted: at or below the end of this commit's own record. The timeline
# comes with every row, since a standby that is promoted keeps its connections.
_INSERT = (
    b"INSERT INTO drillmark.markers (run, id, writer) VALUES ($1, $2, $3)"
    b" RETURNING pg_current_wal_insert_lsn()::text, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
)
# A row that went back (a restore, a fail-over) has another number than the one that its writer knows: it is refused.
_UPDATE = (
    b"UPDATE drillmark.markers SET value = $4, writer = $3 WHERE run = $1 AND id = $2 AND coalesce(value, id) = $5"
    b" RETURNING pg_current_wal_insert_lsn()::text, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
)
_DELETE = (
    b"DELETE FROM drillmark.markers WHERE run = $1 AND id = $2 AND coalesce(value, id) = $3"
    b" RETURNING pg_current_wal_insert_lsn()::text, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
)
_CREATE_SCHEMA = b"CREATE SCHEMA IF NOT EXISTS drillmark"
_CREATE_TABLE = (
    b"CREATE TABLE IF NOT EXISTS drillmark.markers"
    b" (run text NOT NULL, id bigint NOT NULL, writer integer NOT NULL, value bigint, PRIMARY KEY (run, id))"
)
_ADD_VALUE = b"ALTER TABLE drillmark.markers ADD COLUMN IF NOT EXISTS value bigint"
_REMOVE = (
    b"""
DELETE FROM drillmark.markers WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM drillmark.markers
    WHERE run ~ '^[0-9]{8}T[0-9]{6}Z-' AND run COLLATE "C" < %%s LIMIT %d))
"""
    % _REMOVED_AT_ONCE
)
# Tables made before rows could be changed have no `value`: their rows are as they were inserted.
HAS_VALUE = """
EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('drillmark.markers') AND attname = 'value'
        AND NOT attisdropped)
"""


def connect(dsn: str) -> psycopg.Connection[Any]:
    """A connection in autocommit that gives up on a host that vanished. Raises StoreError."""
    try:
        connection = psycopg.connect(
            dsn,
            autocommit=True,
            application_name="drillmark markers",
            connect_timeout=CONNECT_SECONDS,
            tcp_user_timeout=round(WRITE_SECONDS * 1000),
            client_encoding="utf8",  # a database of no encoding would give text as bytes
        )
        # A write that nobody waits for any more must not go on holding a backend of a server that is stuck.
        connection.execute(b"SET statement_timeout = %d" % round(WRITE_SECONDS * 1000))
    except psycopg.Error as error:
        raise refusal(error) from None
    return connection


def prepare(connection: psycopg.Connection[Any], *, changes: bool) -> str:
    """Make the table if it is absent or cannot hold changes; the store's system identifier. Raises StoreError."""
    try:
        present = connection.execute("SELECT to_regclass('drillmark.markers') IS NOT NULL").fetchone()
        if present is None or not present[0]:
            connection.execute(_CREATE_SCHEMA)
            connection.execute(_CREATE_TABLE)
        if changes:
            able = connection.execute(f"SELECT {HAS_VALUE}".encode()).fetchone()
            if able is None or not able[0]:
                connection.execute(_ADD_VALUE)
        row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    except psycopg.Error as error:
        raise refusal(error) from None
    return str(row[0]) if row else ""


def remove_older(connection: psycopg.Connection[Any], before_run: str) -> int:
    """Remove the rows of runs whose id, which begins with a time, comes before; how many. Raises StoreError.

    In parts, and for at most a few seconds: what is left goes when the next writer begins.
    """
    removed = 0
    give_up_ns = clock.monotonic_ns() + round(REMOVE_SECONDS * NANOSECONDS)
    try:
        while clock.monotonic_ns() < give_up_ns:
            part = connection.execute(_REMOVE, (before_run,)).rowcount
            removed += part
            if part < _REMOVED_AT_ONCE:
                break
    except psycopg.Error as error:
        raise refusal(error) from None
    return removed


def is_usable(connection: psycopg.Connection[Any]) -> bool:
    """Whether nothing says yet that the connection is gone. Costs one poll."""
    raw = connection.pgconn
    if raw.status != pq.ConnStatus.OK:
        return False
    poller = select.poll()
    poller.register(raw.socket, select.POLLIN)
    if not poller.poll(0):
        return True
    try:
        raw.consume_input()
    except psycopg.Error:
        return False
    return raw.status == pq.ConnStatus.OK


def write(connection: psycopg.Connection[Any], run: str, write: Write, writer: int) -> Written:
    """Commit one write, in at most `WRITE_SECONDS`.

    Once something may have been sent, only the server's word that it refused makes a write failed, or that there is
    no such row to change; silence and a lost connection are indeterminate.
    """
    raw = connection.pgconn
    deadline_ns = clock.monotonic_ns() + round(WRITE_SECONDS * NANOSECONDS)
    raw.nonblocking = 1
    statement, values, types = _statement(run, write, writer)
    try:
        raw.send_query_params(statement, values, param_types=types)
        while raw.flush():
            if not _ready(raw, select.POLLOUT | select.POLLIN, deadline_ns):
                return Written(LedgerKind.INDETERMINATE, reason="timeout")
            raw.consume_input()
        result: Any = None
        while True:
            while raw.is_busy():
                if not _ready(raw, select.POLLIN, deadline_ns):
                    return Written(LedgerKind.INDETERMINATE, reason="timeout")
                raw.consume_input()
            following = raw.get_result()
            if following is None:
                return _outcome(result)
            result = following
    except psycopg.Error as error:
        return Written(LedgerKind.INDETERMINATE, reason=describe(error))


def _statement(run: str, write: Write, writer: int) -> tuple[bytes, list[bytes], list[int]]:
    row = [run.encode(), b"%d" % write.key]
    if write.op is LedgerOp.INSERT:
        return _INSERT, [*row, b"%d" % writer], [_TEXT, _INT8, _INT4]
    if write.op is LedgerOp.UPDATE:
        values = [*row, b"%d" % writer, b"%d" % write.id, b"%d" % write.before]
        return _UPDATE, values, [_TEXT, _INT8, _INT4, _INT8, _INT8]
    return _DELETE, [*row, b"%d" % write.before], [_TEXT, _INT8, _INT8]


def refusal(error: psycopg.Error) -> StoreError:
    """What the server says, in one line for people.

    libpq's own words are passed on only from where it had reached a server: before that it quotes the parts of a
    connection string that it stumbled over, and one of them may be the password.
    """
    text = str(error).strip()
    if error.sqlstate:
        final = error.sqlstate[:2] in _FINAL_CLASSES or error.sqlstate == _NO_PERMISSION
        return StoreError(f"{text.splitlines()[0]} ({error.sqlstate})", final=final)
    said = [line.rpartition(" failed: ")[2] for line in text.splitlines() if " failed: " in line]
    if said:
        # Refused in words, without a code.
        return StoreError(said[0], final=any(sign in said[0] for sign in _FINAL_SIGNS))
    if "translate host name" in text:
        return StoreError("its host name is not known")
    if isinstance(error, psycopg.ProgrammingError) or "connection option" in text or "invalid" in text:
        return StoreError("the connection string is not one", final=True)
    return StoreError(describe(error))


def _ready(raw: Any, events: int, deadline_ns: int) -> bool:
    remaining = (deadline_ns - clock.monotonic_ns()) / 1_000_000
    if remaining <= 0:
        return False
    poller = select.poll()
    poller.register(raw.socket, events)
    return bool(poller.poll(remaining))


def _outcome(result: Any) -> Written:
    if result is not None and result.status == pq.ExecStatus.TUPLES_OK and result.ntuples == 1:
        high, low = result.get_value(0, 0).decode().split("/")
        position = (int(high, 16) << 32) | int(low, 16)
        return Written(LedgerKind.ACKNOWLEDGED, lsn=position, timeline=int(result.get_value(0, 1), 16))
    if result is None:
        return Written(LedgerKind.INDETERMINATE, reason="closed")
    if result.status == pq.ExecStatus.TUPLES_OK:
        return Written(LedgerKind.FAILED, reason="no such row")
    severity = (result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) or b"").decode()
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    # FATAL and PANIC may come after the commit (a wait for a standby that was cut short); a time-out is a time-out
    # whoever's clock it was.
    refused = severity == "ERROR" and state != _QUERY_CANCELED
    return Written(LedgerKind.FAILED if refused else LedgerKind.INDETERMINATE, reason=f"sql {state}")
