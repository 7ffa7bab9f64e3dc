"""A worker as it is, but for how it performs: the fault is a row in a table, in this very process.

    python short_worker.py WORKSPACE TARGETS_URL MACHINE [LEASE_SECONDS] [LABEL=VALUE...]

A drill is a few milliseconds then, so that ten thousand of them run while their workers are killed, and each fault
that was begun twice, or stayed, is a row that can be counted. Everything else is the real thing: the worker, its
queue, locks, claims, journal, take-over. Drills whose id begins with `engine-` go to the whole engine.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from pathlib import Path

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from drillmark import clock
from drillmark.engine import overtaking
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import JournalError, StaleEpochError
from drillmark.fleet import members
from drillmark.fleet.claims import Claim
from drillmark.fleet.database import Database
from drillmark.fleet.endings import Ending
from drillmark.fleet.performing import EngineProcess
from drillmark.fleet.terms import Terms
from drillmark.fleet.worker import Worker
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow, Store
from drillmark.model.entry import Entry, Kind

SCHEMA = """
create schema if not exists proof;
create table if not exists proof.faults (target text primary key, run text not null);
create table if not exists proof.begun (number serial primary key, occurrence text, attempt integer, run text, target text);
create table if not exists proof.collisions (number serial primary key, run text, target text, held_by text);
"""
LONGEST_SECONDS = 0.02


class Targets:
    """The systems under test: one row for each that is broken. Reached past whatever cuts the worker off."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection | None = None

    def execute(self, work):
        """Do it, however often the server is restarted meanwhile; all of it or nothing."""
        for _ in range(600):
            try:
                with psycopg.connect(self.url, connect_timeout=5) as connection:
                    return work(connection)
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise TimeoutError("the targets' server does not come back")

    def break_it(self, claim: Claim, target: str) -> None:
        def work(connection):
            held = connection.execute("select run from proof.faults where target = %s", (target,)).fetchone()
            if held is not None:
                connection.execute(
                    "insert into proof.collisions (run, target, held_by) values (%s, %s, %s)",
                    (claim.run, target, held[0]),
                )
                return
            connection.execute("insert into proof.faults values (%s, %s)", (target, claim.run))
            connection.execute(
                "insert into proof.begun (occurrence, attempt, run, target) values (%s, %s, %s, %s)",
                (claim.occurrence, claim.attempt, claim.run, target),
            )

        self.execute(work)

    def mend(self, run: str) -> None:
        self.execute(lambda connection: connection.execute("delete from proof.faults where run = %s", (run,)))


class Short:
    """Performs a drill in this process: journal, copy of what may be in effect, fault, undo, journal."""

    def __init__(self, root: Path, targets: Targets) -> None:
        self.workspace = WorkspacePaths(root)
        self.targets = targets
        self.worker: Worker | None = None
        self.engine = EngineProcess(root)

    def perform(self, claim: Claim, stop) -> Ending:
        if claim.drill.startswith("engine-"):
            return self.engine.perform(claim, stop)
        try:
            store = open_store(self.workspace)
        except JournalError as error:
            return Ending("unknown", f"nothing began: {error}", again=True, settled=not claim.taking_over)
        try:
            return self._take_over(store, claim) if claim.taking_over else self._run(store, claim)
        except StaleEpochError:
            return Ending("unknown", "taken over by another", settled=False)
        except JournalError as error:
            # Cut off in the middle: what is in effect is undone, and told when the database is there again.
            self.targets.mend(claim.run)
            return Ending("unknown", f"cut off: {error}", settled=False)
        finally:
            store.close()

    def _run(self, store: Store, claim: Claim) -> Ending:
        target = claim.drill
        store.create(RunRow(claim.run, claim.drill, target, f"reports/runs/{claim.run}", 1, clock.now().wall_ns))
        last = self._journal(
            store, claim, None, Kind.RUN_STARTED, {"drill": claim.drill, "ordered": {"worker": claim.worker}}
        )
        last = self._journal(store, claim, last, Kind.INTENT, {"effect": "inject", "key": "", "attempt": 1})
        assert self.worker is not None
        if not self.worker.may_begin():
            return Ending("unknown", "cut off before the fault", again=True)
        self.targets.break_it(claim, target)
        try:
            last = self._journal(
                store, claim, last, Kind.OUTCOME, {"effect": "inject", "key": "", "attempt": 1, "status": "succeeded"}
            )
            time.sleep(random.uniform(0, LONGEST_SECONDS))
        finally:
            self.targets.mend(claim.run)
        last = self._journal(store, claim, last, Kind.UNDONE, {"experiment": "row"})
        self._journal(store, claim, last, Kind.RUN_ENDED, {"verdict": "passed", "exit_code": 0})
        return Ending("passed", "")

    def _take_over(self, store: Store, claim: Claim) -> Ending:
        rows = store.find(claim.run)
        if not rows:
            overtaking.bar(store, claim.run, claim.drill)
            return Ending("unknown", "its worker was lost before the run began", again=True)
        entries = store.read(claim.run)
        ended = [entry for entry in entries if entry.kind is Kind.RUN_ENDED]
        if ended:
            self.targets.mend(claim.run)
            return Ending(str(ended[0].data["verdict"]), "it had ended when its worker was lost")
        epoch = rows[0].epoch + 1
        store.raise_epoch(claim.run, epoch)
        entries = store.read(claim.run)
        self.targets.mend(claim.run)
        last = entries[-1] if entries else None
        for kind, data in (
            (Kind.ABORT, {"by": "fleet", "reason": "its worker was lost", "worker": claim.worker}),
            (Kind.UNDONE, {"experiment": "row"}),
            (Kind.RUN_ENDED, {"verdict": "unknown", "exit_code": 3}),
        ):
            last = store.append(last, run=claim.run, epoch=epoch, kind=kind, stamp=clock.now(), data=data)
        return Ending("unknown", "its worker was lost", again=True)

    def _journal(self, store: Store, claim: Claim, last: Entry | None, kind: Kind, data: dict) -> Entry:
        return store.append(last, run=claim.run, epoch=1, kind=kind, stamp=clock.now(), data=data)


def main() -> None:
    root, targets_url, machine, lease = Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
    labels = dict(text.split("=", 1) for text in sys.argv[5:])
    # Three machines, although they are one: nobody may tell from a pid that another's worker is dead.
    members._here = lambda: (machine, clock.boot_id())

    def say(text: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()

    database = Database(root)
    while True:
        try:
            database.prepare()
            break
        except JournalError as error:
            say(f"waiting for the database: {error}")
            time.sleep(0.5)
    performer = Short(root, Targets(targets_url))
    # Few at once: the whole engine's drills, each of several processes, would starve each other on two cores.
    terms = Terms(labels=labels, slots=6, lease_seconds=lease, undo_seconds=lease, look_seconds=5, poll_seconds=0.5)
    worker = Worker(root, database, terms, performer, say)
    performer.worker = worker
    signal.signal(signal.SIGTERM, lambda *_: worker.drain())
    try:
        stays = worker.run()
    except SQLAlchemyError as error:
        say(f"could not begin: {error}")
        stays = False
    say("drained" if stays else "given up")
    sys.stdout.flush()
    # As `drillmark worker` does, whose place another process takes; here the proof starts it.
    sys.exit(0 if stays else 75)


if __name__ == "__main__":
    main()
