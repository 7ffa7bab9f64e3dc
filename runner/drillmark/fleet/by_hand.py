"""A run that a person starts beside a fleet: it holds its targets by the same table and the same rules as a worker's.

It stands among the occurrences, in the hands of a member that beats and takes nothing. So it counts where drills are
counted; and where nothing is heard of its runner any more, whoever finds that takes it over, undoes, and ends it: a
worker by itself, a person where `drillmark resume` says so. Must never wait for a target: the person is told who has
it, and how it comes free.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from drillmark import clock
from drillmark.engine.paths import WorkspacePaths
from drillmark.engine.start import read_end
from drillmark.errors import JournalError, RefusedError, UndoFileError
from drillmark.fleet import claims, endings, holders, members
from drillmark.fleet.admitting import ENDED, RUNNING
from drillmark.fleet.claims import Claim
from drillmark.fleet.database import Database, now, short, tell
from drillmark.fleet.endings import Ending
from drillmark.fleet.rows import labels_of, new_row
from drillmark.fleet.tables import locks, occurrences, wants
from drillmark.fleet.terms import grace_seconds
from drillmark.fleet.warden import Warden
from drillmark.journal.entries import run_ended
from drillmark.journal.opening import open_store
from drillmark.model.plan import Plan
from drillmark.model.stamp import NANOSECONDS

_DECIDES_WITHIN_SECONDS = 30.0
_POLL_SECONDS = 0.1
# The slots of a member that is a run by hand; a worker has one at least.
_TAKES_NOTHING = 0


class ByHand:
    """The locks of one run on all machines: taken by the engine (`take`), let go when this context manager ends."""

    def __init__(self, root: Path, lease_seconds: float) -> None:
        self._root = root
        self._lease_seconds = lease_seconds
        self._grace_seconds = grace_seconds(lease_seconds)
        self._database = Database(root)
        self._claim: Claim | None = None
        self._gone = threading.Event()
        self._warden: Warden | None = None
        self._beats: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def take(self, run: str, plan: Plan, *, is_over: bool = False) -> None:
        """Take all targets of a plan for a run, or the run itself where it has them already and its runner is lost.

        `is_over`: the run has ended; it needs no targets but those that it still holds. Raises RefusedError.
        """
        if plan.bare is not None:
            return  # an experiment names no targets

        def decide(connection: Connection) -> Claim | None:
            claim = self._lost(connection, run)
            if claim is not None or is_over:
                return claim
            holders.refuse_if_taken(connection, plan.target.locked, self._grace_seconds)
            return _begin(connection, run, plan, self._join(connection))

        self._hold(decide)

    def take_up(self, run: str) -> Claim | None:
        """Take a run whose runner is lost, with the targets that it still holds; None where it holds none.

        Raises RefusedError where somebody has it in hand.
        """
        if self._claim is None:
            self._hold(lambda connection: self._lost(connection, run))
        return self._claim

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go what is known to be undone. The rest stays locked, and is taken over by whoever is free."""
        self._gone.set()
        if self._beats is not None:
            self._beats.join(self._lease_seconds)
        if self._claim is not None:
            # Without the database this run is taken over after its lease, and found to have ended.
            with suppress(SQLAlchemyError):
                claims.finish(self._database, self._claim, self._ending(self._claim))
                with self._database.transaction() as connection:
                    members.leave(connection, self._claim.worker, members.GONE)
        if self._warden is not None:
            self._warden.close()
        self._database.close()

    def _hold(self, decide: Callable[[Connection], Claim | None]) -> None:
        """What is decided to be this process's is that until the end."""
        try:
            self._claim = self._decide(decide)
        except SQLAlchemyError as error:
            words = f"cannot take the targets in the fleet's database: {short(error)}"
            raise RefusedError(words, hint="without it, two could break one target at once") from error
        if self._claim is not None:
            self._warden = Warden(self._lease_seconds)
            self._beats = threading.Thread(target=self._beat, args=(self._claim.worker,), daemon=True)
            self._beats.start()

    def _decide(self, decide: Callable[[Connection], Claim | None]) -> Claim | None:
        deadline_ns = clock.monotonic_ns() + round(_DECIDES_WITHIN_SECONDS * NANOSECONDS)
        while True:
            with self._database.deciding() as connection:
                if connection is not None:
                    return decide(connection)
            if clock.monotonic_ns() >= deadline_ns:
                raise RefusedError("the fleet's workers decide something all the time", hint="try again in a moment")
            time.sleep(_POLL_SECONDS)

    def _join(self, connection: Connection) -> str:
        """As one that drains: nothing is given to it."""
        return members.join(connection, {}, _TAKES_NOTHING, self._lease_seconds, state=members.DRAINING)

    def _lost(self, connection: Connection, run: str) -> Claim | None:
        """Take up a run that has not ended for the fleet; None where there is no such. Raises RefusedError."""
        this = sa.and_(occurrences.c.run == run, occurrences.c.state != ENDED)
        row = connection.execute(sa.select(occurrences).where(this).with_for_update()).mappings().first()
        if row is None:
            return None
        before = holders.refuse_if_in_hand(connection, row, self._grace_seconds)
        if before is not None and before.slots == _TAKES_NOTHING:
            # One by hand had this alone. Of a worker there is more to clear away, which workers know.
            members.give_up(connection, before.worker)
        return _take_up(connection, row, self._join(connection))

    def _beat(self, worker: str) -> None:
        """Say that this runner lives. Given up by the others, it stops as at a signal."""
        while not self._gone.wait(self._lease_seconds / 4):
            with suppress(SQLAlchemyError):
                with self._database.transaction() as connection:
                    state = members.beat(connection, worker)
                if state == members.LOST:
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

    def _ending(self, claim: Claim) -> Ending:
        """How the run ended, by journal and undo file."""
        workspace = WorkspacePaths(self._root)
        try:
            store = open_store(workspace)
            try:
                entries = store.read(claim.run)
            finally:
                store.close()
            directory = workspace.runs / claim.run
            if not entries and endings.is_settled(directory):
                return Ending("unknown", "its worker was lost, and the run had not begun", again=True)
            if run_ended(entries) is None:
                return Ending("unknown", "its runner stopped before the run's end", settled=False)
            return endings.of_run(read_end(claim.run, directory, entries))
        except (UndoFileError, JournalError) as error:
            return Ending("unknown", f"{error}", settled=False)


def _begin(connection: Connection, run: str, plan: Plan, member: str) -> Claim:
    """A row of its own, which nobody asked the calendar for."""
    moment = now(connection)
    asked = datetime.fromtimestamp(moment, tz=UTC)
    name = f"{plan.drill}@{asked:%Y-%m-%dT%H:%M:%SZ}!{run.rpartition('-')[2]}"
    target = plan.target
    known = {touched.name: touched.labels for touched in target.touched} | {target.name: target.labels}
    labels = labels_of(target.name, target.touches, known)
    row = new_row(drill=plan.drill, source=plan.source, environment=target.environment, labels=labels)
    row |= {"occurrence": name, "due_at": moment, "start_at": moment, "until_at": None}
    row |= {"state": RUNNING, "epoch": 1, "worker": member, "run": run, "started_at": moment}
    connection.execute(sa.insert(occurrences).values(row))
    connection.execute(sa.insert(wants), [{"occurrence": name, "target": each} for each in target.locked])
    taken = {"holder": name, "worker": member, "since_at": moment}
    connection.execute(sa.insert(locks), [taken | {"target": each} for each in target.locked])
    tell(connection, name, "started", worker=member, epoch=1, says=f"run {run}, by hand")
    return _claim(row)


def _take_up(connection: Connection, row: RowMapping, member: str) -> Claim:
    """It has its targets; from now on it is this process's."""
    epoch = int(row["epoch"]) + 1
    changed: dict[str, Any] = {"state": RUNNING, "worker": member, "epoch": epoch, "says": ""}
    name = str(row["occurrence"])
    connection.execute(sa.update(occurrences).where(occurrences.c.occurrence == name).values(changed))
    connection.execute(sa.update(locks).where(locks.c.holder == name).values(worker=member))
    says = f"run {row['run']}, by hand"
    tell(connection, name, "taken_over", worker=member, epoch=epoch, says=says)
    return _claim({**row, **changed})


def _claim(row: Mapping[str, Any]) -> Claim:
    return Claim(**{name: row[name] for name in Claim.__dataclass_fields__})
