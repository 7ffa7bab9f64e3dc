"""Reads all markers of a run back from the store, until two reads agree, and says whose store that is.

`python -m drillmark.observe.read_back CONFIG.json`, once, after the marker writer ended. A table that is absent from
a store that answers means that nothing survived; a store that does not answer means nothing. Only reads.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from drillmark import clock, samples
from drillmark.observe import child, foreign, postgres_store
from drillmark.observe.postgres_store import StoreError

MOST_READS = 10
_PAUSE_SECONDS = 0.1
# A store that answered nothing at all for so long is taken to be gone: the drill must get on with its undo.
_UNREACHABLE_SECONDS = 20.0
# Packed by the server: a row for each 65,536 numbers instead of one for each.
_IDS = "SELECT string_agg(int8send(id), ''::bytea) FROM drillmark.markers WHERE run = %s GROUP BY id / 65536"
_STORE = """
SELECT to_regclass('drillmark.markers') IS NULL,
       (SELECT system_identifier::text FROM pg_control_system()),
       CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """One read of the whole run.

    Attributes:
        ids: sorted; empty where the table is absent.
        from_ns, to_ns: when the read began and ended (monotonic).
    """

    ids: NDArray[np.int64]
    table_absent: bool
    system_identifier: str
    timeline: int
    from_ns: int
    to_ns: int

    def agrees(self, other: Reading) -> bool:
        """Whether both saw the same rows of the same store."""
        return (
            self.system_identifier == other.system_identifier
            and self.timeline == other.timeline
            and self.table_absent == other.table_absent
            and np.array_equal(self.ids, other.ids)
        )


def read_once(dsn: str, run: str) -> Reading:
    """One read over a connection of its own. Raises StoreError."""
    from_ns = clock.monotonic_ns()
    connection = postgres_store.connect(dsn)
    try:
        connection.execute("SET statement_timeout = 0")
        row = connection.execute(_STORE).fetchone()
        assert row is not None
        absent, system_identifier, timeline = row
        parts: list[Any] = [] if absent else connection.execute(_IDS, (run,), binary=True).fetchall()
    except psycopg.Error as error:
        raise postgres_store.refusal(error) from None
    finally:
        connection.close()
    ids = np.sort(np.frombuffer(b"".join(bytes(part[0]) for part in parts), dtype=">i8").astype(np.int64))
    return Reading(ids, bool(absent), str(system_identifier), int(timeline), from_ns, clock.monotonic_ns())


class Search:
    """Reads until two agree; in a thread, because a server that hangs must not hold the process."""

    def __init__(self, dsn: str, run: str) -> None:
        self._dsn = dsn
        self._run = run
        self.reads = 0
        self.reason = "no answer"
        self.found: tuple[Reading, Reading] | None = None
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        before: Reading | None = None
        began = time.monotonic()
        while self.found is None and self.reads < MOST_READS:
            try:
                reading = read_once(self._dsn, self._run)
            except StoreError as error:
                self.reason = str(error)
                if error.final or (not self.reads and time.monotonic() - began > _UNREACHABLE_SECONDS):
                    return
                time.sleep(_PAUSE_SECONDS)
                continue
            self.reads += 1
            self.reason = f"{self.reads} reads differ from each other"
            if before is not None and before.agrees(reading):
                self.found = (before, reading)
                return
            before = reading
            time.sleep(_PAUSE_SECONDS)


def observe(me: child.Child) -> None:
    """Read back and write `survivors.dms`. Raises DrillmarkError where no two reads agreed in time, OSError."""
    if me.config.get("store", "postgres") != "postgres":
        raise child.ChildError(f"markers know no store {me.config['store']!r}; there is postgres")
    dsn = me.secret(str(me.config["secrets_name"]), "dsn")
    search = Search(dsn, me.run)
    give_up = time.monotonic() + min(float(me.config["timeout_seconds"]), me.remaining_seconds)
    search.thread.start()
    while search.thread.is_alive() and time.monotonic() < give_up and not me.stop_requested:
        search.thread.join(0.02)
    if search.found is None:
        raise child.ChildError(f"the markers could not be read back: {search.reason}")
    first, last = search.found
    meta = {
        "run": me.run,
        "reads": search.reads,
        "system_identifier": last.system_identifier,
        "identity": _identity(me, last),
        "table_absent": last.table_absent,
        "timeline": last.timeline,
        "read_from_ns": first.from_ns,
        "read_to_ns": last.to_ns,
    }
    # Read back again after a crash: the file is replaced whole, never appended to.
    path = me.samples(str(me.config.get("survivors", "survivors")))
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    writer = samples.SampleWriter(temporary, samples.SURVIVORS, meta)
    writer.append_many(id=last.ids)
    writer.close()
    temporary.replace(path)


def _identity(me: child.Child, reading: Reading) -> str:
    """`same`, `other` or `unknown`: a target's own word counts before the system identifier."""
    activity: dict[str, Any] | None = me.config.get("identity")
    if activity:
        answer = foreign.perform(activity.get("activity", activity), me.configuration, me.secrets)
        return "same" if answer.ok else "other" if answer.detail == "tolerance" else "unknown"
    expected = str(me.config.get("expected_system_identifier") or "")
    if not expected:
        return "unknown"
    return "same" if expected == reading.system_identifier else "other"


def main(arguments: list[str]) -> int:
    """Entry point of the process; returns its exit code."""
    return child.run(arguments, observe)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
