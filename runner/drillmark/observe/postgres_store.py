"""The marker table in PostgreSQL: one connection that commits numbered rows, with a deadline for everything.

libpq is driven directly, because what happened to a write must be told apart exactly: not sent, refused by the
server, committed, or unknown. Must never show a connection string, and never wait for a vanished host.
"""

from __future__ import annotations

import select
import threading
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq

from drillmark import clock
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe.probes import describe
from drillmark.samples import LedgerKind

TABLE = "drillmark.markers"
CONNECT_SECONDS = 2
WRITE_SECONDS = 2.0
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
_CREATE_SCHEMA = b"CREATE SCHEMA IF NOT EXISTS drillmark"
_CREATE_TABLE = (
    b"CREATE TABLE IF NOT EXISTS drillmark.markers"
    b" (run text NOT NULL, id bigint NOT NULL, writer integer NOT NULL, PRIMARY KEY (run, id))"
)


@dataclass(frozen=True, slots=True)
class Written:
    """What came of one write. `lsn` and `timeline` are 0 unless it was acknowledged; `reason` is a short word."""

    kind: LedgerKind
    lsn: int = 0
    timeline: int = 0
    reason: str = ""


class StoreError(Exception):
    """The store cannot be reached, or refuses. The text carries no connection string.

    `final`: asking again will not help (a wrong password, no permission, a connection string that is none).
    """

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


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


def prepare(connection: psycopg.Connection[Any]) -> str:
    """Make the table if it is absent; returns the store's system identifier. Raises StoreError."""
    try:
        present = connection.execute("SELECT to_regclass('drillmark.markers') IS NOT NULL").fetchone()
        if present is None or not present[0]:
            connection.execute(_CREATE_SCHEMA)
            connection.execute(_CREATE_TABLE)
        row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    except psycopg.Error as error:
        raise refusal(error) from None
    return str(row[0]) if row else ""


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


def write(connection: psycopg.Connection[Any], run: str, identifier: int, writer: int) -> Written:
    """Commit one row, in at most `WRITE_SECONDS`.

    Once something may have been sent, only the server's word that it refused makes a write failed; silence and a
    lost connection are indeterminate.
    """
    raw = connection.pgconn
    deadline_ns = clock.monotonic_ns() + round(WRITE_SECONDS * NANOSECONDS)
    raw.nonblocking = 1
    values = [run.encode(), b"%d" % identifier, b"%d" % writer]
    try:
        raw.send_query_params(_INSERT, values, param_types=[_TEXT, _INT8, _INT4])
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


class Numbers:
    """Numbers each write of a run once, over all writers."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._lock = threading.Lock()

    def take(self) -> int:
        """The next number."""
        with self._lock:
            number = self._next
            self._next += 1
            return number


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
    severity = (result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) or b"").decode()
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    # FATAL and PANIC may come after the commit (a wait for a standby that was cut short); a time-out is a time-out
    # whoever's clock it was.
    refused = severity == "ERROR" and state != _QUERY_CANCELED
    return Written(LedgerKind.FAILED if refused else LedgerKind.INDETERMINATE, reason=f"sql {state}")
