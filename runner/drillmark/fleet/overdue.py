"""What waits too long: told after a minute where nobody can take it, ended as missed when its time is over.

Must never end what is begun: only what waits is missed, for its first attempt or for the next one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from drillmark.fleet import members
from drillmark.fleet.admitting import ENDED, WAITING, is_too_late
from drillmark.fleet.choosing import has, nobody
from drillmark.fleet.database import Database, clock, now, tell
from drillmark.fleet.tables import happenings, occurrences
from drillmark.model.verdict import Outcome

TOLD_AFTER_SECONDS = 60.0
MISSED = "missed"
# Where neither a window nor `missed: {run_within}` says how late it may begin; and for the next attempt.
BEGINS_WITHIN_SECONDS = 3600.0
_TOLD = "told_overdue"
_AT_ONCE = 500
# A gap takes its time: the whole drill is read for it.
_FILED_AT_ONCE = 100
_LATER = occurrences.alias()


@dataclass(frozen=True, slots=True)
class Late:
    """A drill that waits, or has waited, too long, and why.

    Attributes:
        failed_since: its later runs that failed, newest first. One that was aborted came to no verdict by that, which
            its journal alone tells.
    """

    occurrence: str
    drill: str
    source: str
    says: str
    due_at: float = 0.0
    failed_since: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The same in a sentence."""
        return f"{self.occurrence} did not run: {self.says}"


def missed(connection: Connection) -> list[Late]:
    """What every drill missed last, and none of its later ones passed; also what waits past its time for its gap."""
    lost = sa.or_(
        sa.and_(occurrences.c.state == ENDED, occurrences.c.verdict == MISSED), is_too_late(clock(connection))
    )
    newest = sa.select(occurrences.c.drill, sa.func.max(occurrences.c.due_at).label("due_at")).where(lost)
    last = newest.group_by(occurrences.c.drill).subquery()
    this = sa.and_(occurrences.c.drill == last.c.drill, occurrences.c.due_at == last.c.due_at)
    passed = sa.exists().where(*_ended(_LATER, last, Outcome.PASSED))
    found = sa.select(occurrences).join(last, this).where(lost, ~passed).order_by(occurrences.c.drill)
    rows = connection.execute(found).mappings().all()
    if not rows:
        return []
    still = found.subquery()
    runs = sa.select(_LATER.c.drill, _LATER.c.run).where(*_ended(_LATER, still, Outcome.FAILED))
    failed: dict[str, list[str]] = {}
    for drill, run in connection.execute(runs.order_by(_LATER.c.due_at.desc())):
        failed.setdefault(drill, []).append(run)
    return [replace(_late(row), failed_since=tuple(failed.get(row["drill"], ()))) for row in rows]


def _ended(one: sa.FromClause, than: sa.FromClause, verdict: Outcome) -> list[sa.ColumnElement[bool]]:
    """That it is a later one of the same drill, and ended so."""
    is_later = sa.and_(one.c.drill == than.c.drill, one.c.due_at > than.c.due_at)
    return [is_later, one.c.state == ENDED, one.c.verdict == verdict.value]


def tell_unheard(database: Database, worker: str, after_seconds: float = TOLD_AFTER_SECONDS) -> list[Late]:
    """What no worker that lives can take, and has waited for so long. Each is told once; `worker` is who asks."""
    told: list[Late] = []
    with database.deciding() as connection:
        if connection is None:
            return []
        moment = now(connection)
        alive = [
            one.labels
            for one in members.present(connection)
            if one.state == members.WORKING and (one.worker == worker or one.silent_seconds(moment) < one.lease_seconds)
        ]
        waits = sa.and_(
            occurrences.c.state == WAITING, ~occurrences.c.unheard, occurrences.c.start_at <= moment - after_seconds,
            ~is_too_late(moment),
        )  # fmt: skip
        for row in connection.execute(sa.select(occurrences).where(waits).limit(_AT_ONCE)).mappings().all():
            wanted = json.loads(row["labels"])
            if any(has(labels, wanted) for labels in alive):
                continue
            says = f"nobody can take it: {nobody(wanted)}"
            this = sa.update(occurrences).where(occurrences.c.occurrence == row["occurrence"])
            connection.execute(this.values(unheard=True, says=says))
            tell(connection, row["occurrence"], "unheard", epoch=row["epoch"], says=says)
            told.append(Late(row["occurrence"], row["drill"], row["source"], says))
    return told


def too_late(database: Database) -> list[Late]:
    """What could not begin within its time and has not ended yet; nobody begins it any more.

    Some at a time, by chance: one that cannot be ended keeps no other back, and two workers seldom have the same.
    """
    with database.deciding() as connection:
        if connection is None:
            return []  # it might be about to give one of them to a worker
        late = sa.select(occurrences).where(is_too_late(now(connection)))
        rows = connection.execute(late.order_by(sa.func.random()).limit(_FILED_AT_ONCE)).mappings()
        return [_late(row) for row in rows]


def end_missed(database: Database, late: Late) -> bool:
    """End it as missed. To be called when its gap is filed; False where another worker did both meanwhile."""
    with database.transaction() as connection:
        this = sa.and_(occurrences.c.occurrence == late.occurrence, is_too_late(clock(connection)))
        ended = {"state": ENDED, "ended_at": clock(connection), "verdict": MISSED, "reason": late.says, "says": ""}
        epoch = connection.execute(
            sa.update(occurrences).where(this).values(ended).returning(occurrences.c.epoch)
        ).scalar_one_or_none()
        if epoch is None:
            return False
        tell(connection, late.occurrence, "missed", epoch=epoch, says=late.says)
        return True


def _late(row: RowMapping) -> Late:
    if row["state"] == ENDED:
        return Late(row["occurrence"], row["drill"], row["source"], row["reason"] or "", row["due_at"])
    what = "it" if row["attempt"] == 1 else f"attempt {row['attempt']}"
    says = f"{what} could not begin within its time: {row['says'] or 'no worker was there'}"
    return Late(row["occurrence"], row["drill"], row["source"], says, row["due_at"])


def hand_on(
    database: Database, drills: Iterable[str], today: date, keep: Callable[[Sequence[str]], None]
) -> list[str] | None:
    """Those of these drills that nobody in the fleet has told to be overdue today; once `keep` has them, somebody has.

    What `keep` raises leaves them untold. None where another worker decides something at this moment: ask again.
    """
    with database.deciding() as connection:
        if connection is None:
            return None
        names = {f"{drill}@{today}": drill for drill in sorted(drills)}
        query = sa.select(happenings.c.occurrence).where(
            happenings.c.what == _TOLD, happenings.c.occurrence.in_(list(names))
        )
        known = set(connection.execute(query).scalars())
        mine = [name for name in names if name not in known]
        for name in mine:
            tell(connection, name, _TOLD)
        found = [names[name] for name in mine]
        keep(found)
        return found
