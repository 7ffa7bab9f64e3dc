"""The marker writer: unique, numbered writes, committed all through the drill, and a ledger of what came of them.

`python -m drillmark.observe.markers CONFIG.json`. Each writer has a connection and its own slots on a grid; a slot
that it slept through is left out. Without a connection nothing is attempted and nothing noted: the ledger then shows
a pause, which RPA widens over. Must never use the store's own sequences, and never repeat a number within a run.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg

from drillmark import clock, samples
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe import child, postgres_store
from drillmark.observe.ledger import Ledger, LedgerError
from drillmark.observe.postgres_store import Numbers, StoreError

RECONNECT_SECONDS = 0.075
PREPARE_SECONDS = 10.0
FIRST_WRITE_SECONDS = 10.0
_END_SECONDS = postgres_store.WRITE_SECONDS + postgres_store.CONNECT_SECONDS + 0.5
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Shared:
    """What the writers of a run have in common."""

    dsn: str = field(repr=False)
    run: str
    start_ns: int
    every_ns: int
    writers: int
    numbers: Numbers
    ledger: Ledger
    stop: threading.Event = field(default_factory=threading.Event)
    reason: str = ""  # why the latest attempt or connection failed
    broken: str = ""  # a writer ended by an error of its own


class Writer(threading.Thread):
    """One connection that commits a row in each of its slots."""

    def __init__(self, shared: Shared, number: int) -> None:
        super().__init__(name=f"writer {number}", daemon=True)
        self._shared = shared
        self._number = number
        self._connection: psycopg.Connection[Any] | None = None

    def run(self) -> None:
        """Until told to stop."""
        shared = self._shared
        period_ns = shared.every_ns * shared.writers
        begin_ns = shared.start_ns + shared.every_ns * self._number
        slot = max(0, -(-(clock.monotonic_ns() - begin_ns) // period_ns))
        try:
            while not shared.stop.is_set():
                due_ns = begin_ns + slot * period_ns
                if shared.stop.wait(max(0, due_ns - clock.monotonic_ns()) / NANOSECONDS):
                    break
                late_ns = clock.monotonic_ns() - due_ns
                if late_ns > period_ns:
                    slot += late_ns // period_ns
                if self._connected():
                    self._write()
                slot += 1
        except LedgerError:
            shared.stop.set()
        except Exception as error:  # noqa: BLE001  # a thread that ends unseen would look like a store that is down
            shared.broken = f"{type(error).__name__}: {error}"
            shared.stop.set()
        finally:
            self._disconnect()

    def _connected(self) -> bool:
        if self._connection is not None:
            if postgres_store.is_usable(self._connection):
                return True
            self._disconnect()
        try:
            self._connection = postgres_store.connect(self._shared.dsn)
        except StoreError as error:
            self._shared.reason = str(error)
            self._shared.stop.wait(RECONNECT_SECONDS)
            return False
        return True

    def _write(self) -> None:
        connection, ledger = self._connection, self._shared.ledger
        assert connection is not None
        identifier = self._shared.numbers.take()
        ledger.invoke(identifier, self._number)
        written = postgres_store.write(connection, self._shared.run, identifier, self._number)
        ledger.end(written.kind, identifier, self._number, lsn=written.lsn, timeline=written.timeline)
        if written.reason:
            self._shared.reason = written.reason
        if written.kind is samples.LedgerKind.INDETERMINATE:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.pgconn.finish()
            self._connection = None


def observe(me: child.Child) -> None:
    """Write markers as the config says, until SIGTERM or the deadline. Raises DrillmarkError, OSError."""
    if me.config.get("store", "postgres") != "postgres":
        raise child.ChildError(f"markers know no store {me.config['store']!r}; there is postgres")
    dsn = me.secret(str(me.config["secrets_name"]), "dsn")
    path = me.samples(str(me.config.get("ledger", "ledger")))
    resumed = path.exists() and len(samples.read(path)) > 0
    writers = max(1, int(me.config["writers"]))
    every_ns = max(1, round(float(me.config["every_seconds"]) * NANOSECONDS))
    meta = {
        "run": me.run,
        "store": "postgres",
        "table": postgres_store.TABLE,
        "writers": writers,
        "every_ns": every_ns,
    }
    identifier = "" if resumed else _prepare(me, dsn)
    if me.stop_requested:
        return
    # Taken up again in the middle of a drill: the store may be down, and its table is not to be made anew.
    file = samples.SampleWriter(path, samples.LEDGER, meta if resumed else {**meta, "system_identifier": identifier})
    first = 1 + (int(samples.read(path)["id"].max()) if resumed else 0)
    shared = Shared(dsn, me.run, clock.monotonic_ns(), every_ns, writers, Numbers(first), Ledger(file))
    threads = [Writer(shared, number) for number in range(writers)]
    for thread in threads:
        thread.start()
    try:
        _supervise(me, shared, resumed=resumed)
    finally:
        shared.stop.set()
        give_up = time.monotonic() + _END_SECONDS
        for thread in threads:
            thread.join(max(0.0, give_up - time.monotonic()))
        shared.ledger.close()
    if shared.broken:
        raise child.ChildError(f"a marker writer broke: {shared.broken}")


def _supervise(me: child.Child, shared: Shared, *, resumed: bool) -> None:
    begun = time.monotonic()
    # Taken up again, it is there to note that the store is down, too.
    ready = False
    while not (me.stop_requested or shared.stop.is_set() or me.remaining_seconds <= 0):
        if not ready and (shared.ledger.acknowledged or resumed):
            ready = True
            me.report("ready")
        if not ready and time.monotonic() - begun > FIRST_WRITE_SECONDS:
            raise child.ChildError(f"no marker was acknowledged: {shared.reason}")
        time.sleep(_LOOK_SECONDS)
    shared.ledger.check()


def _prepare(me: child.Child, dsn: str) -> str:
    """Make the table; the store's system identifier. Raises ChildError when it cannot within ten seconds."""
    give_up = time.monotonic() + PREPARE_SECONDS
    reason = ""
    while time.monotonic() < give_up and not me.stop_requested:
        try:
            connection = postgres_store.connect(dsn)
            try:
                return postgres_store.prepare(connection)
            finally:
                connection.close()
        except StoreError as error:
            reason = str(error)
            if error.final:
                break
            time.sleep(RECONNECT_SECONDS)
    if me.stop_requested:
        return ""
    raise child.ChildError(f"the marker table cannot be used: {reason}")


def main(arguments: list[str]) -> int:
    """Entry point of the process; returns its exit code."""
    return child.run(arguments, observe)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
