"""The marker writer's ledger: what was attempted, and what came of it, outside the blast radius.

An attempt's row is on the disk before the write is sent: a crash in between leaves an attempt without an outcome,
which is indeterminate. One thread syncs for all writers, those that wait together at once. Must never let a write
be sent whose row is not on the disk.
"""

from __future__ import annotations

import queue
import threading

from drillmark import clock
from drillmark.errors import DrillmarkError
from drillmark.observe.changes import Write
from drillmark.samples import LedgerKind, SampleWriter


class LedgerError(DrillmarkError):
    """The ledger cannot be written (disk full, say): no further write may be sent."""

    code = "ledger"


class Ledger:
    """Rows from many threads, in one file. Used by writers; closed by their owner."""

    def __init__(self, writer: SampleWriter, *, changes: bool = True) -> None:
        self._writer = writer
        self._changes = changes  # False: a ledger from before rows could be changed
        self._queue: queue.SimpleQueue[tuple[dict[str, int], threading.Event | None] | None] = queue.SimpleQueue()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self.acknowledged = 0
        self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether the file could not be written."""
        return self._error is not None

    def invoke(self, write: Write, writer: int) -> None:
        """Note an attempt; returns when the row is on the disk. Raises LedgerError: then do not send."""
        on_disk = threading.Event()
        self._put(LedgerKind.INVOKED, write, writer, on_disk=on_disk)
        on_disk.wait()
        self.check()

    def end(self, kind: LedgerKind, write: Write, writer: int, *, lsn: int = 0, timeline: int = 0) -> None:
        """Note what came of an attempt; it is in the file within moments."""
        self._put(kind, write, writer, lsn=lsn, timeline=timeline)

    def close(self) -> None:
        """Write what is queued and end the file. Raises LedgerError."""
        self._queue.put(None)
        self._thread.join()
        self.check()
        try:
            self._writer.close()
        except OSError as error:
            raise LedgerError(f"cannot write the ledger: {error.strerror}") from error

    def check(self) -> None:
        """Raises LedgerError where the file could not be written."""
        if self._error is not None:
            reason = self._error.strerror if isinstance(self._error, OSError) else repr(self._error)
            raise LedgerError(f"cannot write the ledger: {reason}") from self._error

    def _put(
        self,
        kind: LedgerKind,
        write: Write,
        writer: int,
        *,
        lsn: int = 0,
        timeline: int = 0,
        on_disk: threading.Event | None = None,
    ) -> None:
        row = {
            "kind": int(kind),
            "id": write.id,
            "at_ns": clock.monotonic_ns(),
            "writer": writer,
            "lsn": lsn,
            "timeline": timeline,
        }
        if self._changes:
            row |= {"op": int(write.op), "key": write.key}
        self._queue.put((row, on_disk))

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            more = True
            while more and not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    more = False
                else:
                    batch.append(item)
            self._write(batch)
            if not more:
                return

    def _write(self, batch: list[tuple[dict[str, int], threading.Event | None]]) -> None:
        try:
            if self._error is None:
                for row, _ in batch:
                    self._writer.append(**row)
                self._writer.flush(sync=any(on_disk is not None for _, on_disk in batch))
                self.acknowledged += sum(row["kind"] == LedgerKind.ACKNOWLEDGED for row, _ in batch)
        except Exception as error:  # noqa: BLE001  # a writer that waits for its row must be told, whatever it is
            self._error = error
        finally:
            for _, on_disk in batch:
                if on_disk is not None:
                    on_disk.set()
