"""The register in the database that several machines share: the same gaps as in files, one row for each.

One filing at a time for a drill on a target; what a run touches is written in one transaction. Doing it again for the
same run changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

from pydantic import ValidationError

from drillmark.database.connecting import Connection, Database
from drillmark.errors import GapRegisterError, Problem
from drillmark.gaps import filing
from drillmark.gaps.filing import Filing
from drillmark.model.gap import Gap
from drillmark.model.plan import Plan
from drillmark.model.verdict import Verdict

_PUT = """
insert into drillmark.gaps (fingerprint, id, drill, target, state, body)
values (%(fingerprint)s, %(id)s, %(drill)s, %(target)s, %(state)s, %(body)s)
on conflict (fingerprint) do update set id = excluded.id, state = excluded.state, body = excluded.body
"""
# "Gaps are filed", among PostgreSQL's advisory locks: "dmkg". The second number is the drill on its target.
_FILING = 0x646D6B67


def read(url: str) -> list[Gap]:
    """All gaps, by id. Raises GapRegisterError naming every row that cannot be read."""
    database = Database(url)
    try:
        rows = database.run(lambda connection: _rows(connection, "order by id, fingerprint"))
    finally:
        database.close()
    return _gaps(rows, database.place)


def file(url: str, plan: Plan, run: str, verdict: Verdict, today: date) -> list[Gap]:
    """Open, update and close gaps by what a run showed; return those that it touched."""
    return note(url, plan.drill, plan.target.name, lambda known: filing.decide(plan, run, verdict, known, today))


def note(url: str, drill: str, target: str, decide: Callable[[list[Gap]], Filing]) -> list[Gap]:
    """File what `decide` makes of the gaps of a drill on a target, and of those of the target that are no drill's."""
    database = Database(url)

    def work(connection: Connection) -> list[Gap]:
        names = (drill, target)
        with connection.transaction():
            _lock(connection, *names)
            rows = _rows(connection, "where drill in (%s, '') and target = %s order by id", *names)
            known = _gaps(rows, database.place)
            touched = decide(known).gaps
            for gap in touched:
                if gap not in known:
                    connection.execute(_PUT, _columns(gap))
        return list(touched)

    try:
        return database.run(work)
    finally:
        database.close()


def amend(url: str, name: str, change: dict[str, str]) -> Gap:
    """Set `owner`, `due` or both of the open gap of that id. Raises UsageError where there is none."""
    database = Database(url)

    def work(connection: Connection) -> Gap:
        with connection.transaction():
            found = _gaps(_rows(connection, "where id = %s", name), database.place)
            for drill, target in sorted({(gap.drill, gap.target) for gap in found}):
                _lock(connection, drill, target)
            # Again: whoever had the lock may have filed meanwhile.
            gap = filing.amended(
                _gaps(_rows(connection, "where id = %s for update", name), database.place), name, change
            )
            connection.execute(_PUT, _columns(gap))
            return gap

    try:
        return database.run(work)
    finally:
        database.close()


def _lock(connection: Connection, drill: str, target: str) -> None:
    names = json.dumps((drill, target), ensure_ascii=True)
    connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", (_FILING, names))


def _rows(connection: Connection, rest: str, *values: str) -> list[tuple[str, str]]:
    text = f"select id, body from drillmark.gaps {rest}"  # noqa: S608 (our own words)
    return [(str(row[0]), str(row[1])) for row in connection.execute(text.encode(), values).fetchall()]


def _gaps(rows: list[tuple[str, str]], place: str) -> list[Gap]:
    gaps: list[Gap] = []
    problems: list[Problem] = []
    for name, body in rows:
        try:
            gaps.append(Gap.model_validate_json(body))
        except ValidationError as error:
            hint = "repair the row, or take it out of drillmark.gaps; it was not touched"
            problems.append(Problem(f"{place} {name}", 0, 0, f"not a gap: {error.errors()[0]['msg'].lower()}", hint))
    if problems:
        raise GapRegisterError(problems)
    return gaps


def _columns(gap: Gap) -> dict[str, Any]:
    known = {name: getattr(gap, name) for name in ("fingerprint", "id", "drill", "target", "state")}
    return known | {"body": gap.model_dump_json()}
