"""What waits begins only while its schedule allows it: blackouts, window and pauses are asked when it is given out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

import file_drill
import fleet_rows
from drillmark import decisions
from drillmark.engine.paths import WorkspacePaths
from drillmark.fleet import admitting, claims, members, overdue, tables
from drillmark.fleet.agenda import Agenda
from drillmark.fleet.choosing import Limits
from drillmark.fleet.database import Database, now
from drillmark.fleet.endings import Ending
from drillmark.fleet.wishes import Wishes
from drillmark.journal.opening import open_store
from drillmark.model.entry import Kind

EVERY_MINUTE = {"cron": "* * * * *", "missed": {"run_within": "6h"}, "retry": {"times": 2, "wait": "1s"}}
NOW = datetime.now(tz=UTC)
BLACKOUT = {"blackouts": [f"{NOW - timedelta(days=1):%Y-%m-%d}/{NOW + timedelta(days=1):%Y-%m-%d}"]}
# Eleven hours before it opens, and eleven after it has closed.
SHUT = {"window": {"from": f"{NOW + timedelta(hours=11):%H:%M}", "to": f"{NOW + timedelta(hours=13):%H:%M}"}}


@pytest.fixture
def root(tmp_path) -> Path:
    return file_drill.make(tmp_path / "ws", ("http://127.0.0.1:9/", tmp_path / "served"), schedule=EVERY_MINUTE)


class Fleet:
    """A worker that could take ten at once, and does what the test says."""

    def __init__(self, root: Path, database: Database) -> None:
        self.root, self.database = root, database
        self.agenda = Agenda(root, database, print, Wishes(root))
        with database.transaction() as connection:
            self.worker = members.join(connection, {}, 10, 3600.0)

    def admit(self) -> list[str]:
        """Asked at the moment at which it is due."""
        self.set(tables.occurrences.c.state == "waiting", start_at=lambda moment: moment - 1)
        given = admitting.admit(self.database, Limits(), self.agenda.hours.against)
        return [one.occurrence for one in given]

    def set(self, where: sa.ColumnElement[bool], **values: Callable[[float], float]) -> None:
        with self.database.transaction() as connection:
            moment = now(connection)
            made = {name: value(moment) for name, value in values.items()}
            connection.execute(sa.update(tables.occurrences).where(where).values(made))

    def row(self, name: str):
        with self.database.transaction() as connection:
            query = sa.select(tables.occurrences).where(tables.occurrences.c.occurrence == name)
            return connection.execute(query).mappings().one()

    def schedule(self, **more: object) -> None:
        path = self.root / file_drill.DRILL
        drill = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump(drill | {"schedule": EVERY_MINUTE | more}))

    def decide(self, kind: Kind, **data: object) -> None:
        store = open_store(WorkspacePaths(self.root))
        decisions.append(store, kind, {"drill": "file-lost", "by": "ann", "reason": "busy"} | data)
        store.close()


@pytest.fixture
def fleet(root, database) -> Fleet:
    """One drill waits."""
    made = Fleet(root, database)
    made.agenda.look()
    look_back(database, 60)
    made.agenda = Agenda(root, database, print, Wishes(root))
    made.agenda.look()
    return made


def look_back(database: Database, seconds: float) -> None:
    """As if nobody had looked for so long, and nothing had been found."""
    with database.transaction() as connection:
        connection.execute(sa.update(tables.drills).values(looked_until=tables.drills.c.looked_until - seconds))
        connection.execute(sa.delete(tables.wants))
        connection.execute(sa.delete(tables.occurrences))


def waiting(fleet: Fleet) -> str:
    with fleet.database.transaction() as connection:
        return str(connection.execute(sa.select(sa.func.min(tables.occurrences.c.occurrence))).scalar_one())


@pytest.mark.parametrize(("more", "words"), [(BLACKOUT, "in the blackout"), (SHUT, "outside the window")])
def test_what_waits_does_not_begin_while_it_is_shut_and_is_in_nobodys_way(fleet, more, words):
    name = waiting(fleet)
    fleet.schedule(**more)
    assert fleet.admit() == []
    row = fleet.row(name)
    assert row["state"] == "waiting"
    assert words in row["says"]
    # It is asked again at the next full minute, not all the time.
    with fleet.database.transaction() as connection:
        assert now(connection) - 60 < row["start_at"] <= now(connection) + 60
    assert row["start_at"] % 60 == 0
    fleet.schedule()
    assert name in fleet.admit()


def test_what_waits_does_not_begin_while_its_drill_is_paused_and_a_trigger_does(fleet):
    name = waiting(fleet)
    fleet.decide(Kind.PAUSE)
    assert fleet.admit() == []
    assert fleet.row(name)["says"] == "ann paused it (busy)"
    fleet.decide(Kind.TRIGGER)
    fleet.agenda.look()
    (wished,) = fleet.admit()
    assert "!" in wished
    held = claims.claim(fleet.database, wished, 1, fleet.worker, "r1")
    claims.finish(fleet.database, held, Ending("passed", ""))
    fleet.decide(Kind.UNPAUSE)
    assert name in fleet.admit()


def test_nothing_begins_while_nobody_can_tell_whether_it_may(fleet):
    name = waiting(fleet)
    (fleet.root / "freeze.ics").write_text("no calendar")
    fleet.schedule(blackouts=["freeze.ics"])
    assert fleet.admit() == []
    assert "freeze.ics is no calendar file" in fleet.row(name)["says"]
    (fleet.root / file_drill.DRILL).unlink()
    assert name in fleet.admit()  # whoever gets it says so


def test_a_retry_keeps_to_the_schedule_and_is_missed_when_its_time_is_over(fleet):
    (name,) = fleet.admit()[:1]
    held = claims.claim(fleet.database, name, 1, fleet.worker, "r1")
    fleet.set(tables.occurrences.c.occurrence == name, until_at=lambda moment: moment - 1)
    assert claims.finish(fleet.database, held, Ending("unknown", "its worker is lost", again=True))
    row = fleet.row(name)
    # The run took longer than it might have waited: its next attempt has an hour.
    assert row["until_at"] == row["start_at"] + overdue.BEGINS_WITHIN_SECONDS
    assert fleet_rows.end_missed(fleet.database) == []
    fleet.schedule(**BLACKOUT)
    assert fleet.admit() == []
    fleet.set(tables.occurrences.c.occurrence == name, until_at=lambda moment: moment - 1)
    missed = [late for late in fleet_rows.end_missed(fleet.database) if late.occurrence == name]
    assert len(missed) == 1
    assert "attempt 2 could not begin within its time: now is in the blackout" in missed[0].says
    assert fleet.row(name)["verdict"] == "missed"


def test_what_a_worker_lost_is_undone_whatever_the_hour(fleet):
    (name,) = fleet.admit()[:1]
    held = claims.claim(fleet.database, name, 1, fleet.worker, "r1")
    fleet.schedule(**BLACKOUT)
    claims.finish(fleet.database, held, Ending("unknown", "it said nothing", settled=False))
    assert fleet.admit() == [name]


def test_one_that_is_made_up_for_however_late_has_its_time(fleet):
    due = NOW - timedelta(hours=3)
    fleet.schedule(missed="once", cron=f"{due.minute} {due.hour} * * *")
    Agenda(fleet.root, fleet.database, print).look()  # a new schedule: its past is no debt
    look_back(fleet.database, 5 * 3600)
    Agenda(fleet.root, fleet.database, print).look()
    assert fleet_rows.end_missed(fleet.database) == []
    row = fleet.row(waiting(fleet))
    assert row["until_at"] > row["start_at"] + 2 * overdue.BEGINS_WITHIN_SECONDS
