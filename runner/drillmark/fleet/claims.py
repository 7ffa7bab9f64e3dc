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
from drillmark.fleet.database import Database, now, tell
from drillmark.fleet.tables import locks, occurrences, workers


@dataclass(frozen=True, slots=True)
class Claim:
    """A drill in a worker's hands.

    Attributes:
        epoch: whoever takes it from here raises it.
        run: the run that performs it; the one of the lost worker where `taking_over`.
        lost_worker: from whom it is taken over.
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


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended. `again`: by its retry policy it may be run again, if tries are left."""

    verdict: str
    reason: str
    again: bool = False


def claim(database: Database, occurrence: str, turn: int, worker: str, run: str) -> Claim | None:
    """Take a drill that was given to this worker; None where it is not this worker's any more."""
    with database.deciding() as connection:
        mine = sa.and_(
            occurrences.c.occurrence == occurrence,
            occurrences.c.turn == turn,
            occurrences.c.state == QUEUED,
            occurrences.c.worker == worker,
            sa.exists().where(workers.c.worker == worker, workers.c.state.in_([members.WORKING, members.DRAINING])),
        )
        row = connection.execute(sa.select(occurrences).where(mine)).mappings().first()
        if row is None:
            return None
        taking_over = bool(row["taking_over"])
        run = str(row["run"]) if taking_over else run
        epoch = int(row["epoch"]) + 1
        connection.execute(
            sa.update(occurrences)
            .where(occurrences.c.occurrence == occurrence)
            .values(state=RUNNING, epoch=epoch, run=run, started_at=now(connection))
        )
        what = "taken_over" if taking_over else "started"
        tell(connection, occurrence, what, worker=worker, epoch=epoch, says=f"run {run}, attempt {row['attempt']}")
        return Claim(
            occurrence, row["drill"], row["source"], worker, epoch, row["attempt"], run, taking_over, row["due_at"],
            row["start_at"],
        )  # fmt: skip


def is_ours(database: Database, claim: Claim) -> bool:
    """Whether nobody has taken it from this worker."""
    with database.reading() as connection:
        return connection.execute(sa.select(occurrences.c.occurrence).where(_held(claim))).first() is not None


def finish(database: Database, claim: Claim, ending: Ending) -> bool:
    """End it, or let it wait for its next attempt; False, with nothing changed, where it is not ours any more."""
    with database.deciding() as connection:
        row = connection.execute(sa.select(occurrences).where(_held(claim))).mappings().first()
        if row is None:
            return False
        moment = now(connection)
        this = sa.update(occurrences).where(occurrences.c.occurrence == claim.occurrence)
        if ending.again and row["attempt"] < row["attempts"]:
            connection.execute(
                this.values(
                    state=WAITING, taking_over=False, worker=None, run=None, attempt=row["attempt"] + 1,
                    start_at=moment + row["retry_after_seconds"], says=f"run again: {ending.reason}",
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


def given(database: Database, worker: str) -> list[Queued]:
    """What was given to this worker, and not claimed yet."""
    with database.reading() as connection:
        mine = sa.and_(occurrences.c.worker == worker, occurrences.c.state == QUEUED)
        return [
            Queued(row["occurrence"], row["turn"], worker, row["priority"])
            for row in connection.execute(sa.select(occurrences).where(mine)).mappings()
        ]


def hand_over(database: Database, worker: str) -> list[str]:
    """Give back what was given to this worker and not begun: others take it. Returns the occurrences."""
    with database.deciding() as connection:
        given = sa.and_(occurrences.c.worker == worker, occurrences.c.state == QUEUED)
        return _give_back(connection, given, worker, "handed_over", "its worker is about to leave")


def give_back(database: Database, queued: Queued, why: str) -> None:
    """Give back one that was given to this worker and not begun."""
    with database.deciding() as connection:
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
    with database.reading() as connection:
        moment = now(connection)
        suspects = [one for one in members.present(connection) if _is_dead(one, moment, undo_grace_seconds)]
    if not suspects:
        return {}
    with database.deciding() as connection:
        moment = now(connection)
        for member in members.present(connection):
            if not _is_dead(member, moment, undo_grace_seconds):
                continue
            own = sa.and_(occurrences.c.worker == member.worker, occurrences.c.state == RUNNING)
            longest = connection.execute(sa.select(sa.func.max(occurrences.c.undo_seconds)).where(own)).scalar()
            if not member.is_dead_here() and not _is_dead(member, moment, max(undo_grace_seconds, longest or 0.0)):
                continue
            members.give_up(connection, member.worker)
            why = (
                "its process is gone" if member.is_dead_here()
                else f"nothing was heard of it for {member.silent_seconds(moment):.0f} s"
            )  # fmt: skip
            given = sa.and_(occurrences.c.worker == member.worker, occurrences.c.state == QUEUED)
            names = _give_back(
                connection, given, member.worker, "handed_over", f"worker {member.worker} is lost: {why}"
            )
            for row in connection.execute(sa.select(occurrences).where(own)).mappings().all():
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


def _is_dead(member: members.Member, moment: float, grace_seconds: float) -> bool:
    return member.is_dead_here() or member.silent_seconds(moment) > member.lease_seconds + grace_seconds


def _give_back(connection: Connection, which: sa.ColumnElement[bool], worker: str, what: str, says: str) -> list[str]:
    rows = connection.execute(sa.select(occurrences).where(which)).mappings().all()
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
