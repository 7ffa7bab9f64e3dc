"""A marker writer: unique, numbered writes, made all through the drill, and a ledger of what came of them.

`python -m drillmark.observe.markers CONFIG.json`. Each writer has a connection and its own slots on a grid; a slot
that it slept through is left out. Without a connection nothing is attempted and nothing noted: the ledger then shows
a pause, which RPA widens over. Must never use the store's own sequences, and never repeat a number within a run.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field

from drillmark import clock, samples
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe import child, stores
from drillmark.observe.changes import Changes
from drillmark.observe.ledger import Ledger, LedgerError
from drillmark.observe.store import Link, Store, StoreError

RECONNECT_SECONDS = 0.075
PREPARE_SECONDS = 10.0
FIRST_WRITE_SECONDS = 10.0
_END_SECONDS = 0.5
_LOOK_SECONDS = 0.05


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


@dataclass(slots=True)
class Shared:
    """What the writers of a run have in common."""

    store: Store
    start_ns: int
    every_ns: int
    writers: int
    numbers: Numbers
    ledger: Ledger
    stop: threading.Event = field(default_factory=threading.Event)
    reason: str = ""  # why the latest attempt or connection failed
    broken: str = ""  # a writer ended by an error of its own


class Writer(threading.Thread):
    """One connection that makes a write in each of its slots."""

    def __init__(self, shared: Shared, number: int) -> None:
        super().__init__(name=f"writer {number}", daemon=True)
        self._shared = shared
        self._number = number
        self._link: Link | None = None
        self._changes = Changes(shared.store.kinds)

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
        if self._link is not None:
            if self._link.is_usable():
                return True
            self._disconnect()
        try:
            self._link = self._shared.store.connect()
        except StoreError as error:
            self._shared.reason = str(error)
            self._shared.stop.wait(RECONNECT_SECONDS)
            return False
        return True

    def _write(self) -> None:
        link, ledger = self._link, self._shared.ledger
        assert link is not None
        write = self._changes.next(self._shared.numbers.take())
        ledger.invoke(write, self._number)
        written = link.write(write, self._number)
        ledger.end(written.kind, write, self._number, lsn=written.lsn, timeline=written.timeline)
        self._changes.ended(write, written.kind)
        if written.reason:
            self._shared.reason = written.reason
        if written.kind is samples.LedgerKind.INDETERMINATE:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def observe(me: child.Child) -> None:
    """Write markers as the config says, until SIGTERM or the deadline. Raises DrillmarkError, OSError."""
    path = me.samples(str(me.config.get("ledger", "ledger")))
    before = samples.read(path) if path.exists() else None
    resumed = before is not None and len(before) > 0
    layout = samples.LEDGER if stores.can_change(me) else samples.LEDGER_OF_INSERTS
    store = stores.make(me)
    writers = max(1, int(me.config["writers"]))
    every_ns = max(1, round(float(me.config["every_seconds"]) * NANOSECONDS))
    identifier = "" if resumed else _prepare(me, store)
    meta = {"run": me.run, **store.meta, "writers": writers, "every_ns": every_ns}
    if me.stop_requested:
        return
    # Taken up again in the middle of a drill: the store may be down, and its table is not to be made anew.
    file = samples.SampleWriter(path, layout, meta if resumed else {**meta, "system_identifier": identifier})
    first = 1 + (int(before["id"].max()) if resumed and before else 0)
    ledger = Ledger(file, changes=layout is samples.LEDGER)
    shared = Shared(store, clock.monotonic_ns(), every_ns, writers, Numbers(first), ledger)
    threads = [Writer(shared, number) for number in range(writers)]
    for thread in threads:
        thread.start()
    try:
        _supervise(me, shared, resumed=resumed)
    finally:
        shared.stop.set()
        give_up = time.monotonic() + store.longest_seconds + _END_SECONDS
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


def _prepare(me: child.Child, store: Store) -> str:
    """Make the store ready; its system identifier. Raises ChildError when it cannot within ten seconds."""
    give_up = time.monotonic() + PREPARE_SECONDS
    reason = ""
    while time.monotonic() < give_up and not me.stop_requested:
        try:
            return store.prepare()
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
