"""A run that a person started beside a fleet, and what it left. As a program: one that has its targets until it is ended.

`by_hand_runs.py ROOT LEASE_SECONDS`
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

import builders
from drillmark import clock
from drillmark.engine.paths import WorkspacePaths
from drillmark.fleet import tables
from drillmark.fleet.by_hand import ByHand
from drillmark.fleet.database import Database
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind
from drillmark.model.target import PlannedTarget, PlannedTouch

RUN = builders.RUN
API = PlannedTouch(name="api", labels={"region": "us", "reaches": "vpc"})
PLAN = builders.plan(
    target=PlannedTarget(name="db", environment="staging", touches=["api"], touched=[API], labels={"region": "eu"})
)
# What a worker must have that is to take its place.
LABELS = {"region": "eu", "reaches": "vpc"}


def journal(root: Path, *kinds: Kind, verdict: str = "passed") -> None:
    """Go on with the run's journal, as its runner did."""
    with closing(open_store(WorkspacePaths(root))) as store:
        if not store.find(RUN):
            store.create(RunRow(RUN, PLAN.drill, "db", f"reports/runs/{RUN}", 1, 0))
        last = next(reversed(store.read(RUN)), None)
        for kind in kinds:
            data = {"drill": PLAN.drill, "verdict": verdict, "exit_code": 0}
            last = store.append(last, run=RUN, epoch=1, kind=kind, stamp=clock.now(), data=data)


def the_one(database: Database) -> str:
    """The only occurrence that there is."""
    with database.transaction() as connection:
        return connection.execute(sa.select(tables.occurrences.c.occurrence)).scalar_one()


@contextmanager
def runner(root: Path, lease_seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has the plan's targets for the run."""
    command = [sys.executable, __file__, str(root), str(lease_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "taken\n"
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    with ByHand(Path(sys.argv[1]), float(sys.argv[2])) as locks:
        locks.take(RUN, PLAN)
        print("taken", flush=True)
        time.sleep(600)
