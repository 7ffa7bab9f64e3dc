"""What is due becomes one row each, whoever looks; pauses, triggers, and what is missed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from sqlalchemy.exc import SQLAlchemyError

import file_drill
from drillmark import decisions
from drillmark.engine.paths import WorkspacePaths
from drillmark.fleet import gaps, overdue, tables
from drillmark.fleet.agenda import Agenda
from drillmark.fleet.database import Database
from drillmark.fleet.overdue import Late
from drillmark.fleet.terms import Terms
from drillmark.fleet.wishes import Wishes
from drillmark.fleet.worker import Worker
from drillmark.journal.opening import open_store
from drillmark.model.entry import Kind


@pytest.fixture
def root(tmp_path) -> Path:
    return file_drill.make(
        tmp_path / "ws",
        ("http://127.0.0.1:9/", tmp_path / "served"),
        schedule={"cron": "* * * * *", "missed": {"run_within": "1h"}, "priority": 7, "retry": {"times": 2}},
    )


class NoQueue:
    """In place of DBOS: brings nothing."""

    def sweep(self, _before) -> None:
        pass


def look(root: Path, database: Database) -> list[str]:
    """A worker that looks for the first time; what is in the table then."""
    said: list[str] = []
    Agenda(root, database, said.append, Wishes(root)).look()
    with database.transaction() as connection:
        found = list(connection.execute(sa.select(tables.occurrences.c.occurrence)).scalars())
    assert not said
    return sorted(found)


def look_back(database: Database, minutes: float) -> None:
    with database.transaction() as connection:
        earlier = tables.drills.c.looked_until - 60 * minutes
        connection.execute(sa.update(tables.drills).values(looked_until=earlier))


def decide(root: Path, kind: Kind, **data: object) -> None:
    store = open_store(WorkspacePaths(root))
    decisions.append(store, kind, data)
    store.close()


def test_two_that_look_write_each_time_once(root, database):
    look(root, database)
    look_back(database, 5)
    first = look(root, database)
    assert len(first) >= 5
    assert look(root, database) == first
    with database.transaction() as connection:
        row = connection.execute(sa.select(tables.occurrences)).mappings().first()
    assert row is not None
    assert (row["priority"], row["attempts"], row["environment"]) == (7, 3, "test")
    assert row["until_at"] == row["start_at"] + 3600


def test_a_new_drill_owes_nothing_of_its_past_and_a_new_schedule_neither(root, database):
    assert len(look(root, database)) <= 1
    look_back(database, 500)
    drill = root / file_drill.DRILL
    drill.write_text(drill.read_text().replace("run_within: 1h", "run_within: 2h"))
    assert len(look(root, database)) <= 2
    look_back(database, 30)
    assert len(look(root, database)) >= 25, "from then on the new one is known"


def test_what_is_too_late_has_ended_as_missed(root, database):
    look(root, database)
    look_back(database, 75)
    look(root, database)
    with database.transaction() as connection:
        query = sa.select(tables.occurrences.c.state, sa.func.count()).group_by("state")
        counts = {str(state): int(count) for state, count in connection.execute(query)}
    assert counts["ended"] >= 10
    assert counts["waiting"] >= 55


def test_what_was_missed_while_nobody_was_there_is_told_once_for_each_drill(root, database):
    look(root, database)
    for _ in range(2):
        look_back(database, 75)
        look(root, database)
    (late,) = [one for one in overdue.too_late(database) if "so did" in one.says]
    assert overdue.end_missed(database, late)
    assert (late.drill, late.source) == ("file-lost", file_drill.DRILL)
    assert "missed: run_within is 1 h" in late.says
    assert int(late.says.rpartition("so did ")[2].split()[0]) >= 8
    with database.transaction() as connection:
        (found,) = overdue.missed(connection)
        assert (found.drill, found.occurrence) == (late.drill, late.occurrence)
        ran = {"state": "ended", "verdict": "passed"}
        connection.execute(sa.update(tables.occurrences).where(tables.occurrences.c.state == "waiting").values(ran))
        assert overdue.missed(connection) == []


def test_a_paused_drill_waits_and_a_trigger_runs_it_once(root, database):
    look(root, database)
    decide(root, Kind.PAUSE, drill="file-lost", by="ann", reason="busy")
    look_back(database, 5)
    before = look(root, database)
    assert len(before) <= 1
    decide(root, Kind.TRIGGER, drill="file-lost", by="ann", reason="now")
    after = look(root, database)
    assert len(after) == len(before) + 1
    assert look(root, database) == after
    decide(root, Kind.UNPAUSE, drill="file-lost", by="ann")
    assert len(look(root, database)) >= 5


def test_what_is_due_while_the_targets_cannot_be_read_is_queued_with_them_afterwards(root, database):
    targets = root / "targets.yaml"
    good = targets.read_text()
    whole = yaml.safe_load(good)
    whole["targets"]["the-file"] |= {"labels": {"reaches": "vault"}, "touches": ["archive"]}
    whole["targets"]["archive"] = {"environment": "test", "activities": []}
    targets.write_text(yaml.safe_dump(whole))
    look(root, database)
    with database.transaction() as connection:
        connection.execute(sa.delete(tables.wants))
        connection.execute(sa.delete(tables.occurrences))
    look_back(database, 5)
    targets.write_text(good + "  broken: {environment: te")
    said: list[str] = []
    worker = Worker(root, database, Terms(labels={}), performer=None, say=said.append)
    worker._agenda, worker._queue = Agenda(root, database, said.append, Wishes(root)), NoQueue()
    worker._heartbeat()
    with database.transaction() as connection:
        assert connection.execute(sa.select(tables.occurrences)).all() == []
    (told,) = said
    assert told.startswith("the calendar cannot be read: targets.yaml:")
    targets.write_text(yaml.safe_dump(whole))
    worker._heartbeat()
    with database.transaction() as connection:
        rows = connection.execute(sa.select(tables.occurrences)).mappings().all()
        wanted = {(row.occurrence, row.target) for row in connection.execute(sa.select(tables.wants))}
    assert len(rows) >= 5
    assert {(row["labels"], row["environment"]) for row in rows} == {('{"reaches": "vault"}', "test")}
    assert wanted == {(row["occurrence"], target) for row in rows for target in ("the-file", "archive")}


def test_a_trigger_is_not_lost_when_the_database_fails_at_that_moment(root, database, monkeypatch):
    agenda = Agenda(root, database, print, Wishes(root))
    agenda.look()
    decide(root, Kind.PAUSE, drill="file-lost", by="ann", reason="busy")
    decide(root, Kind.TRIGGER, drill="file-lost", by="ann", reason="now")
    with monkeypatch.context() as broken:
        broken.setattr("drillmark.fleet.agenda._insert", lambda *_: (_ for _ in ()).throw(SQLAlchemyError("gone")))
        with pytest.raises(SQLAlchemyError):
            agenda.look()
    assert agenda.look() == 1
    assert agenda.look() == 0


def test_what_never_ran_is_a_gap_of_its_own(root):
    at = (datetime.now(tz=UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%MZ")
    late = Late(f"file-lost@{at}", "file-lost", file_drill.DRILL, "nobody can take it: no worker lives")
    filed = gaps.file_missed(root, late)
    assert len(filed) == 1
    assert gaps.file_missed(root, late) == filed
    text = next((root / "reports" / "gaps").glob("GAP-*.yaml")).read_text()
    assert "unmeasured" in text
    assert "no worker lives" in text


def test_a_look_that_takes_long_is_not_joined_by_the_next(root, database):
    # DBOS begins the next heartbeat all the same.
    begun, go_on = threading.Semaphore(0), threading.Event()

    class SlowAgenda:
        looks = 0

        def look(self) -> int:
            self.looks += 1
            begun.release()
            assert go_on.wait(60)
            return 0

    worker = Worker(root, database, Terms(labels={}), performer=None, say=print)
    worker._agenda, worker._queue = SlowAgenda(), NoQueue()
    first = threading.Thread(target=worker._heartbeat)
    first.start()
    assert begun.acquire(timeout=60)
    worker._heartbeat()
    assert worker._agenda.looks == 1
    go_on.set()
    first.join(60)
    worker._heartbeat()
    assert worker._agenda.looks == 2
