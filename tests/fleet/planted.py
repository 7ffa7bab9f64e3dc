"""Two workers, one after the other, for the test of the planted row: `plant` queues, `serve` performs.

python planted.py plant|serve WORKSPACE
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

from dbos import DBOS

from drillmark.fleet.admitting import Queued
from drillmark.fleet.database import Database
from drillmark.fleet.queue import FleetQueue, queue_of

PATIENCE_SECONDS = 60.0
# What is refused stays where it is: after so long it has been tried, as it was taken before.
TRIED_SECONDS = 8.0


def main() -> None:
    root = Path(sys.argv[2])
    planting = sys.argv[1] == "plant"
    performed: list[str] = []

    def perform(occurrence: str, _turn: int) -> str:
        performed.append(occurrence)
        return "passed"

    database = Database(root)
    worker = "planter" if planting else "victim"
    queue = FleetQueue(database, worker, 4, lambda: None, perform, every_seconds=50, poll_seconds=0.2)
    queue.launch()
    if planting:
        DBOS.register_queue(queue_of("victim"), worker_concurrency=4)
        for name in ("planted@1", "disguised@1", "honest@1"):
            queue.put(Queued(name, 1, "victim", 0))
    else:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and not is_over(root):
            time.sleep(0.2)
        time.sleep(TRIED_SECONDS)
        print(",".join(performed))
    queue.close()
    database.close()


def is_over(root: Path) -> bool:
    """Whether all three were taken out of the queue, and the honest one is performed."""
    with sqlite3.connect(root / ".drillmark" / "dbos.sqlite3", timeout=10) as connection:
        rows = connection.execute(
            "select workflow_uuid, status from workflow_status where workflow_uuid like '%@1'"
        ).fetchall()
    found = dict(rows)
    return found.get("honest@1") == "SUCCESS" and "ENQUEUED" not in found.values()


if __name__ == "__main__":
    main()
