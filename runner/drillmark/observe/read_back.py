"""Reads all markers of a run back from the store, until two reads agree, and says whose store that is.

`python -m drillmark.observe.read_back CONFIG.json`, once, after the marker writer ended. A table that is absent from
a store that answers means that nothing survived; a store that does not answer means nothing. Only reads.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from drillmark import samples
from drillmark.observe import child, foreign, stores
from drillmark.observe.store import Reading, Store, StoreError

MOST_READS = 10
_PAUSE_SECONDS = 0.1
# A store that answered nothing at all for so long is taken to be gone: the drill must get on with its undo.
_UNREACHABLE_SECONDS = 20.0


class Search:
    """Reads until two agree; in a thread, because a server that hangs must not hold the process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0
        self.reason = "no answer"
        self.found: tuple[Reading, Reading] | None = None
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        before: Reading | None = None
        began = time.monotonic()
        while self.found is None and self.reads < MOST_READS:
            try:
                reading = self._store.read_once()
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
    search = Search(stores.make(me))
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
    writer.append_many(id=last.ids, value=last.values)
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
