"""Takes a drill in hand and ends it: each change names the epoch that makes it, so nobody ends what is not theirs.

Must never touch a target. An occurrence ends once: the row that says so changes only while it is running under the
claim's epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from drillmark.fleet import members
from drillmark.fleet.admitting import ENDED, QUEUED, RUNNING, WAITING, Queued
from drillmark.fleet.database import Database, clock, now, tell
from drillmark.fleet.endings import Ending
from drillmark.fleet.overdue import BEGINS_WITHIN_SECONDS
from drillmark.fleet.tables import locks, occurrences, workers

# What could not be undone is tried again after so long, by whoever is free.
_AGAIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A drill in a worker's hands.

    Attributes:
        epoch: whoever takes it from here raises it.
        run: the run that performs it; where `taking_over`, the one that was begun.
        taking_over: somebody else began that run, and what it may have left is to be undone first.
    """

    occurrence: str
    drill: str
    source: str
    worker: str
    epoch: int
    attempt: int
    run: str
    taking_over: bool
    due_at: float
    start_at: float


def claim(database: Database, occurrence: str, turn: int, worker: str, run: str) -> Claim | None:
    """Take a drill that was given to this worker; None where it is not this worker's any more."""
    with database.transaction() as connection:
        mine = sa.and_(
            occurrences.c.occurrence == occurrence,
            occurrences.c.turn == turn,
            occurrences.c.state == QUEUED,
            occurrences.c.worker == worker,
            sa.exists().where(workers.c.worker == worker, workers.c.state.in_([members.WORKING, members.DRAINING])),
        )
        taken = (
            sa.update(occurrences)
            .where(mine)
            .values(
                state=RUNNING, epoch=occurrences.c.epoch + 1, started_at=clock(connection),
                run=sa.case((occurrences.c.taking_over, occurrences.c.run), else_=run),
            )
            .returning(occurrences)
        )  # fmt: skip
        row = connection.execute(taken).mappings().first()
        if row is None:
            return None
        what = "taken_over" if row["taking_over"] else "started"
        says = f"run {row['run']}, attempt {row['attempt']}"
        tell(connection, occurrence, what, worker=worker, epoch=row["epoch"], says=says)
        return Claim(
            occurrence, row["drill"], row["source"], worker, row["epoch"], row["attempt"], row["run"],
            row["taking_over"], row["due_at"], row["start_at"],
        )  # fmt: skip


def is_ours(database: Database, claim: Claim) -> bool:
    """Whether nobody has taken it from this worker."""
    with database.transaction() as connection:
        return connection.execute(sa.select(occurrences.c.occurrence).where(_held(claim))).first() is not None


def finish(database: Database, claim: Claim, ending: Ending) -> bool:
    """End it, or let it wait for its next attempt; False, with nothing changed, where it is not ours any more."""
    with database.transaction() as connection:
        # The row stays ours until this ends: who buries this worker waits, and finds it ended.
        row = connection.execute(sa.select(occurrences).where(_held(claim)).with_for_update()).mappings().first()
        if row is None:
            return False
        moment = now(connection)
        this = sa.update(occurrences).where(occurrences.c.occurrence == claim.occurrence)
        if not ending.settled:
            connection.execute(
                this.values(state=WAITING, taking_over=True, epoch=claim.epoch + 1, worker=None,
                            start_at=moment + _AGAIN_SECONDS, says=ending.reason)
            )  # fmt: skip
            tell(connection, claim.occurrence, "unsettled", worker=claim.worker, epoch=claim.epoch, says=ending.reason)
            return True
        if ending.again and row["attempt"] < row["attempts"]:
            start_at = moment + row["retry_after_seconds"]
            connection.execute(
                this.values(
                    state=WAITING, taking_over=False, worker=None, run=None, attempt=row["attempt"] + 1,
                    start_at=start_at, until_at=max(row["until_at"] or 0.0, start_at + BEGINS_WITHIN_SECONDS),
                    says=f"run again: {ending.reason}",
                )
            )  # fmt: skip
            says = f"attempt {row['attempt']} of {row['attempts']} ended {ending.verdict}: {ending.reason}"
            tell(connection, claim.occurrence, "retried", worker=claim.worker, epoch=claim.epoch, says=says)
        else:
            connection.execute(
                this.values(
                    state=ENDED, taking_over=False, ended_at=moment, verdict=ending.verdict,
                    reason=ending.reason, says="",
                )
            )  # fmt: skip
            says = f"{ending.verdict}: {ending.reason}" if ending.reason else ending.verdict
            tell(connection, claim.occurrence, "ended", worker=claim.worker, epoch=claim.epoch, says=says)
        connection.execute(sa.delete(locks).where(locks.c.holder == claim.occurrence))
    return True


def hand_over(database: Database, worker: str) -> list[str]:
    """Give back what was given to this worker and not begun: others take it. Returns the occurrences."""
    with database.transaction() as connection:
        given = sa.and_(occurrences.c.worker == worker, occurrences.c.state == QUEUED)
        return _give_back(connection, given, worker, "handed_over", "its worker is about to leave")


def give_back(database: Database, queued: Queued, why: str) -> None:
    """Give back one that was given to this worker and not begun."""
    with database.transaction() as connection:
        this = sa.and_(
            occurrences.c.occurrence == queued.occurrence,
            occurrences.c.turn == queued.turn,
            occurrences.c.state == QUEUED,
            occurrences.c.worker == queued.worker,
        )
        _give_back(connection, this, queued.worker, "handed_over", why)


def bury(database: Database, undo_grace_seconds: float) -> dict[str, list[str]]:
    """Find the dead, and let others take over what they had in hand; returns worker -> occurrences.

    Dead is who has been silent for its lease and for as long as its guard may still undo; or whose process, on this
    machine, is gone.
    """
    buried: dict[str, list[str]] = {}
    with database.transaction() as connection:
        moment = now(connection)
        suspects = [one for one in members.present(connection) if how_dead(one, moment, undo_grace_seconds)]
    if not suspects:
        return {}
    with database.deciding() as connection:
        if connection is None:
            return {}
        moment = now(connection)
        for member in members.present(connection):
            why = how_dead(member, moment, undo_grace_seconds)
            if not why:
                continue
            own = sa.and_(occurrences.c.worker == member.worker, occurrences.c.state == RUNNING)
            members.give_up(connection, member.worker)
            given = sa.and_(occurrences.c.worker == member.worker, occurrences.c.state == QUEUED)
            names = _give_back(
                connection, given, member.worker, "handed_over", f"worker {member.worker} is lost: {why}"
            )
            for row in connection.execute(sa.select(occurrences).where(own).with_for_update()).mappings().all():
                connection.execute(
                    sa.update(occurrences)
                    .where(occurrences.c.occurrence == row["occurrence"])
                    .values(state=WAITING, taking_over=True, epoch=row["epoch"] + 1, worker=None,
                            says=f"worker {member.worker} is lost: {why}")
                )  # fmt: skip
                says = f"worker {member.worker} is lost: {why}"
                tell(connection, row["occurrence"], "lost", worker=member.worker, epoch=row["epoch"] + 1, says=says)
                names.append(str(row["occurrence"]))
            buried[member.worker] = names
    return buried


def _held(claim: Claim) -> sa.ColumnElement[bool]:
    return sa.and_(
        occurrences.c.occurrence == claim.occurrence,
        occurrences.c.state == RUNNING,
        occurrences.c.epoch == claim.epoch,
        occurrences.c.worker == claim.worker,
    )


def how_dead(member: members.Member, moment: float, grace_seconds: float) -> str:
    """By what it is proven that a member does nothing any more; empty where that is not proven."""
    if member.is_dead_here():
        return "its process is gone"
    silent_seconds = member.silent_seconds(moment)
    is_proven = silent_seconds > member.lease_seconds + grace_seconds
    return f"nothing was heard of it for {silent_seconds:.0f} s" if is_proven else ""


def _give_back(connection: Connection, which: sa.ColumnElement[bool], worker: str, what: str, says: str) -> list[str]:
    rows = connection.execute(sa.select(occurrences).where(which).with_for_update()).mappings().all()
    for row in rows:
        name = str(row["occurrence"])
        connection.execute(
            sa.update(occurrences)
            .where(occurrences.c.occurrence == name)
            .values(state=WAITING, worker=None, epoch=row["epoch"] + 1, says=says)
        )
        if not row["taking_over"]:
            connection.execute(sa.delete(locks).where(locks.c.holder == name))
        tell(connection, name, what, worker=worker, epoch=row["epoch"] + 1, says=says)
    return [str(row["occurrence"]) for row in rows]
