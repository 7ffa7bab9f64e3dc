"""The position reader: the store's log position, read all through the drill, where nothing may be written.

`python -m drillmark.observe.positions CONFIG.json`. A row for each reading: when it was asked, when the answer or the
failure came, the position. A slot that this process slept through is left out, and so is a time-out that may be its
own. Must never write to the store, and never take the position of a standby for one.
"""

from __future__ import annotations

import select
import sys
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq

from drillmark import clock, samples
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe import child, postgres_store
from drillmark.observe.postgres_store import StoreError
from drillmark.observe.probes import describe

READ_SECONDS = 2.0
FIRST_READING_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_POSITION = b"SELECT pg_current_wal_insert_lsn()::text, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
_IDENTITY = "SELECT system_identifier::text FROM pg_control_system()"


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading. `detail` is a short word where it failed; a failure that may be our own is not `certain`."""

    sent_ns: int
    received_ns: int
    position: int = 0
    timeline: int = 0
    detail: str = ""
    certain: bool = True

    @property
    def ok(self) -> bool:
        """Whether there is a position."""
        return not self.detail


class Reader:
    """Asks one store, over a connection that is made anew after every failure."""

    def __init__(self, dsn: str, period_ns: int) -> None:
        self._dsn = dsn
        self._period_ns = period_ns
        self._connection: psycopg.Connection[Any] | None = None

    def read(self) -> Reading:
        """One reading, in at most the times that connecting and reading may take."""
        sent_ns = clock.monotonic_ns()
        detail = ""
        try:
            if self._connection is None or not postgres_store.is_usable(self._connection):
                self.close()
                self._connection = postgres_store.connect(self._dsn)
                sent_ns = clock.monotonic_ns()
            found = _ask(self._connection, sent_ns + round(READ_SECONDS * NANOSECONDS))
            if found is not None:
                return Reading(sent_ns, clock.monotonic_ns(), *found)
            detail = "timeout"
        except psycopg.Error as error:
            detail = describe(error)
        except StoreError as error:
            detail = str(error)
        self.close()
        received_ns = clock.monotonic_ns()
        slept = received_ns - sent_ns > round(2 * READ_SECONDS * NANOSECONDS) + self._period_ns
        return Reading(sent_ns, received_ns, detail=detail or "failed", certain=not slept)

    def identity(self) -> str:
        """The store's system identifier; empty where it does not say."""
        if self._connection is None:
            return ""
        try:
            row = self._connection.execute(_IDENTITY).fetchone()
        except psycopg.Error:
            self.close()
            return ""
        return "" if row is None else str(row[0])

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.pgconn.finish()
            self._connection = None


def _ask(connection: psycopg.Connection[Any], deadline_ns: int) -> tuple[int, int] | None:
    """Position and timeline; None where no answer came in time. Raises psycopg.Error."""
    raw = connection.pgconn
    raw.send_query(_POSITION)
    result: Any = None
    while True:
        while raw.is_busy():
            remaining = (deadline_ns - clock.monotonic_ns()) / 1_000_000
            poller = select.poll()
            poller.register(raw.socket, select.POLLIN)
            if remaining <= 0 or not poller.poll(remaining):
                return None
            raw.consume_input()
        following = raw.get_result()
        if following is None:
            break
        result = following
    if result is None or result.status != pq.ExecStatus.TUPLES_OK or result.ntuples != 1:
        said = b"" if result is None else result.error_field(pq.DiagnosticField.SQLSTATE) or b""
        raise psycopg.OperationalError(f"refused {said.decode()}" if said else "the connection was closed")
    high, low = result.get_value(0, 0).decode().split("/")
    return (int(high, 16) << 32) | int(low, 16), int(result.get_value(0, 1), 16)


def observe(me: child.Child) -> None:
    """Read positions as the config says, until SIGTERM or the deadline. Raises DrillmarkError, OSError."""
    if me.config.get("store", "postgres") != "postgres":
        raise child.ChildError(f"positions know no store {me.config['store']!r}; there is postgres")
    dsn = me.secret(str(me.config["secrets_name"]), "dsn")
    period_ns = max(1, round(float(me.config["every_seconds"]) * NANOSECONDS))
    reader = Reader(dsn, period_ns)
    path = me.samples("positions")
    resumed = path.exists() and len(samples.read(path)) > 0
    first = None if resumed else _first(me, reader)
    meta = {"run": me.run, "store": "postgres", "period_ns": period_ns}
    writer = samples.SampleWriter(
        path, samples.POSITIONS, meta if resumed else {**meta, "system_identifier": reader.identity()}
    )
    if first is not None:
        _row(writer, first)
    me.report("ready")
    try:
        _go_on(me, reader, writer, period_ns)
    finally:
        reader.close()
    writer.close()


def _first(me: child.Child, reader: Reader) -> Reading | None:
    """The first position; None where the word to stop came first. Raises ChildError when there is none in time."""
    give_up = time.monotonic() + FIRST_READING_SECONDS
    while not me.stop_requested:
        reading = reader.read()
        if reading.ok:
            return reading
        if time.monotonic() > give_up:
            raise child.ChildError(f"no log position could be read: {reading.detail}")
        time.sleep(_LOOK_SECONDS)
    return None


def _go_on(me: child.Child, reader: Reader, writer: samples.SampleWriter, period_ns: int) -> None:
    start_ns = clock.monotonic_ns()
    slot = 1
    while not me.stop_requested and me.remaining_seconds > 0:
        left = (start_ns + slot * period_ns - clock.monotonic_ns()) / NANOSECONDS
        if left > 0:
            time.sleep(min(left, _LOOK_SECONDS))
            continue
        reading = reader.read()
        if me.stop_requested and not reading.ok:
            break  # whoever stops this process may have stopped the store's clients too
        if reading.certain:
            _row(writer, reading)
        slot = max(slot, (clock.monotonic_ns() - start_ns) // period_ns) + 1


def _row(writer: samples.SampleWriter, reading: Reading) -> None:
    writer.append(
        sent_ns=reading.sent_ns,
        received_ns=reading.received_ns,
        position=reading.position,
        timeline=reading.timeline,
        ok=reading.ok,
        detail=reading.detail,
    )
    writer.flush()


def main(arguments: list[str]) -> int:
    """Entry point of the process; returns its exit code."""
    return child.run(arguments, observe)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
