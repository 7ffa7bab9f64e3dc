"""In whose hands a drill and its targets are, and what a person is told who wants them. Must never change anything.

Where no worker runs, nobody takes a lost run over by itself. So whoever is refused hears whether anybody still has it
in hand, and which command frees the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from drillmark.errors import RefusedError
from drillmark.fleet import claims, members
from drillmark.fleet.admitting import WAITING
from drillmark.fleet.database import now
from drillmark.fleet.members import Member
from drillmark.fleet.tables import locks, occurrences


@dataclass(frozen=True, slots=True)
class Hands:
    """Those that an occurrence is in.

    Attributes:
        member: who has it, as far as that one is still in the fleet.
        lost: why nobody has it in hand any more; empty where somebody has, or may have.
        silence: that nothing was heard of `member` for longer than its lease; empty where it was heard of.
        proof_seconds: how long `member` must be silent before it counts as lost.
    """

    member: Member | None = None
    lost: str = ""
    silence: str = ""
    proof_seconds: float = 0.0


def of(connection: Connection, row: RowMapping, grace_seconds: float) -> Hands:
    """The hands that an occurrence is in which has not ended and has its targets."""
    if row["state"] == WAITING:
        return Hands(lost=row["says"] or "it waits to be taken over")
    member = next((one for one in members.present(connection) if one.worker == row["worker"]), None)
    if member is None:
        return Hands(lost=f"{row['worker']} has left")
    moment = now(connection)
    silent_seconds = member.silent_seconds(moment)
    return Hands(
        member,
        claims.how_dead(member, moment, grace_seconds),
        f"nothing was heard of it for {silent_seconds:.0f} s" if silent_seconds > member.lease_seconds else "",
        member.lease_seconds + grace_seconds,
    )


def refuse_if_taken(connection: Connection, targets: Sequence[str], grace_seconds: float) -> None:
    """Raises RefusedError where somebody has one of the targets; it says how that comes free."""
    lock = connection.execute(sa.select(locks).where(locks.c.target.in_(targets)).order_by(locks.c.target)).first()
    if lock is None:
        return
    this = occurrences.c.occurrence == lock.holder
    row = connection.execute(sa.select(occurrences).where(this)).mappings().one()
    hands = of(connection, row, grace_seconds)
    since = f"since {datetime.fromtimestamp(lock.since_at, tz=UTC):%Y-%m-%d %H:%M:%S}Z"
    run = row["run"]
    if hands.lost:
        what = f"run {run}" if run else f"{lock.holder}, which has not begun"
        how = f"`drillmark resume {run}` undoes what it may have left, and" if run else "`drillmark worker`"
        raise RefusedError(
            f"target {lock.target} is kept {since} for {what}; nobody has that in hand: {hands.lost}",
            hint=f"{how} frees the target",
        )
    busy = f"target {lock.target} is busy: {lock.holder} is on it {since}, by {lock.worker}"
    if hands.silence and run:
        hint = f"when that is more than {hands.proof_seconds:.0f} s, `drillmark resume {run}` takes it over"
        raise RefusedError(f"{busy}; {hands.silence}", hint=hint)
    raise RefusedError(busy, hint="wait for it, or stop it with `drillmark abort` on that machine")


def refuse_if_in_hand(connection: Connection, row: RowMapping, grace_seconds: float) -> Member | None:
    """Who had this run until it was lost, as far as that one is in the fleet still.

    Raises RefusedError where somebody who lives, or may live, has it.
    """
    hands = of(connection, row, grace_seconds)
    if hands.lost:
        return hands.member
    words, hint = f"run {row['run']} is in the hands of {row['worker']}", "wait for it to end"
    if hands.silence:
        words = f"{words}; {hands.silence}"
        hint = f"try again when that is more than {hands.proof_seconds:.0f} s: then it counts as lost"
    raise RefusedError(words, hint=hint)
