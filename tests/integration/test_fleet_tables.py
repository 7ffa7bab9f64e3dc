"""Claims, locks, deaths and endings on both databases, without a worker's process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from drillmark.fleet import admitting, claims, members, overdue, tables
from drillmark.fleet.choosing import Limits
from drillmark.fleet.database import Database, now
from drillmark.fleet.endings import Ending
from fleet_rows import LEASE_SECONDS, add, admit, claim, end_missed, join, locked, row, silence, told


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path) -> Iterator[Database]:
    url = request.getfixturevalue("own_server").fresh() if request.param == "postgres" else None
    made = Database(tmp_path, url)
    made.prepare()
    yield made
    made.close()


def test_a_drill_holds_all_its_targets_until_it_has_ended(database):
    worker = join(database)
    add(database, "a@1", "db", "api")
    add(database, "b@1", "api")
    assert admit(database) == {"a@1": worker}
    assert locked(database) == {"api": "a@1", "db": "a@1"}
    assert row(database, "b@1")["says"] == "target api is taken by a@1"
    held = claim(database, "a@1", worker)
    assert admit(database) == {}
    assert claims.finish(database, held, Ending("passed", ""))
    assert locked(database) == {}
    assert admit(database) == {"b@1": worker}
    assert told(database, "a@1") == ["started", "ended"]


def test_a_claim_is_had_once_by_the_worker_and_turn_that_it_was_given_to(database):
    worker, other = join(database), join(database, slots=0)
    add(database, "a@1", "db")
    admit(database)
    assert claims.claim(database, "a@1", 1, other, "r0") is None
    assert claims.claim(database, "a@1", 2, worker, "r0") is None
    held = claims.claim(database, "a@1", 1, worker, "r1")
    assert held is not None
    assert held.run == "r1"
    assert claims.claim(database, "a@1", 1, worker, "r2") is None
    assert claims.finish(database, held, Ending("passed", ""))
    assert not claims.finish(database, held, Ending("failed", "twice"))
    assert row(database, "a@1")["verdict"] == "passed"


def test_the_silent_are_buried_only_when_their_guard_has_had_its_time(database):
    lost, other = join(database), join(database, slots=0)
    add(database, "a@1", "db")
    admit(database)
    held = claim(database, "a@1", lost)
    silence(database, lost, LEASE_SECONDS + 9)
    assert claims.bury(database, 10.0) == {}
    silence(database, lost, LEASE_SECONDS + 11)
    assert claims.bury(database, 10.0) == {lost: ["a@1"]}
    # Whoever comes back: its beat counts no more, and it ends nothing.
    with database.transaction() as connection:
        assert members.beat(connection, lost) == members.LOST
    assert not claims.finish(database, held, Ending("passed", ""))
    # The targets stay locked, and somebody else takes the same run over.
    assert locked(database) == {"db": "a@1"}
    with database.transaction() as connection:
        connection.execute(sa.update(tables.workers).where(tables.workers.c.worker == other).values(slots=1))
    assert admit(database) == {"a@1": other}
    taken = claim(database, "a@1", other, run="r2")
    assert (taken.taking_over, taken.run) == (True, "r1")
    assert taken.epoch > held.epoch
    assert claims.finish(database, taken, Ending("unknown", "its worker was lost", again=True))
    assert told(database, "a@1") == ["started", "lost", "taken_over", "ended"]
    assert locked(database) == {}


def test_retry_runs_it_again_as_often_as_its_policy_says(database):
    worker = join(database)
    add(database, "a@1", "db", attempts=2)
    for attempt in (1, 2):
        admit(database)
        held = claim(database, "a@1", worker, run=f"r{attempt}")
        assert (held.attempt, held.run) == (attempt, f"r{attempt}")
        assert claims.finish(database, held, Ending("unknown", "cut off", again=True))
        assert locked(database) == {}
    assert row(database, "a@1")["state"] == "ended"
    assert told(database, "a@1") == ["started", "retried", "started", "ended"]


def test_an_end_that_is_told_again_does_not_end_the_next_attempt_of_the_same_worker(database):
    """The answer to the first was lost on its way: whoever asks again holds an older epoch."""
    worker = join(database)
    add(database, "a@1", "db", attempts=3)
    admit(database)
    first = claim(database, "a@1", worker, run="r1")
    assert claims.finish(database, first, Ending("unknown", "cut off", again=True))
    admit(database)
    second = claim(database, "a@1", worker, run="r2")
    assert (second.worker, second.attempt) == (first.worker, 2)
    assert not claims.finish(database, first, Ending("unknown", "cut off", again=True))
    assert not claims.is_ours(database, first)
    assert (row(database, "a@1")["state"], locked(database)) == ("running", {"db": "a@1"})
    assert claims.finish(database, second, Ending("passed", ""))


def test_what_is_not_settled_keeps_its_targets_and_is_taken_over(database):
    worker = join(database)
    add(database, "a@1", "db", attempts=3)
    admit(database)
    held = claim(database, "a@1", worker)
    assert claims.finish(database, held, Ending("unknown", "its process said nothing", settled=False))
    assert locked(database) == {"db": "a@1"}
    with database.transaction() as connection:
        connection.execute(sa.update(tables.occurrences).values(start_at=now(connection) - 1))
    assert admit(database) == {"a@1": worker}
    taken = claim(database, "a@1", worker)
    assert (taken.taking_over, taken.run) == (True, "r1")


def test_a_drain_hands_over_what_has_not_begun(database):
    leaving, staying = join(database), join(database, slots=0)
    add(database, "a@1", "db")
    admit(database)
    assert claims.hand_over(database, leaving) == ["a@1"]
    with database.transaction() as connection:
        members.leave(connection, leaving, members.DRAINING)
        connection.execute(sa.update(tables.workers).where(tables.workers.c.worker == staying).values(slots=1))
    assert locked(database) == {}
    assert claims.claim(database, "a@1", 1, leaving, "r1") is None
    assert admit(database) == {"a@1": staying}


def test_what_nobody_can_take_says_so_once_and_is_missed_after_its_time(database):
    worker = join(database, region="eu")
    add(database, "a@1", "db", labels={"region": "mars"}, environment="test")
    assert admit(database) == {}
    assert overdue.tell_unheard(database, worker, after_seconds=60.0) == []
    late = overdue.tell_unheard(database, worker, after_seconds=0.5)
    assert [one.says for one in late] == ["nobody can take it: no worker that lives has region=mars"]
    assert overdue.tell_unheard(database, worker, after_seconds=0.5) == []
    assert end_missed(database) == []
    with database.transaction() as connection:
        connection.execute(sa.update(tables.occurrences).values(until_at=now(connection) - 1))
    missed = end_missed(database)
    assert len(missed) == 1
    assert "region=mars" in missed[0].says
    assert row(database, "a@1")["verdict"] == "missed"
    assert told(database, "a@1") == ["unheard", "missed"]


def test_what_is_too_late_is_given_to_nobody_and_ends_once(database):
    worker = join(database)
    add(database, "a@1", "db", until_at=1000.0, labels={"region": "mars"})
    add(database, "left@1", "api", until_at=1000.0, taking_over=True, run="r1")
    assert admit(database) == {"left@1": worker}, "what is to be undone may begin at any time"
    with database.transaction() as connection:
        assert not admitting.news(connection, worker).is_due
    assert overdue.tell_unheard(database, worker, after_seconds=0.5) == []
    (late,) = overdue.too_late(database)
    assert (late.occurrence, row(database, "a@1")["state"]) == ("a@1", "waiting")
    assert overdue.end_missed(database, late)
    assert not overdue.end_missed(database, late)
    assert told(database, "a@1") == ["missed"]
    assert row(database, "a@1")["reason"] == "it could not begin within its time: no worker was there"


def test_what_each_drill_missed_last_is_known_with_its_runs_that_failed_since(database):
    def missed() -> list[tuple[str, tuple[str, ...]]]:
        with database.transaction() as connection:
            return [(late.occurrence, late.failed_since) for late in overdue.missed(connection)]

    for number, (verdict, run) in enumerate(
        [("missed", None), ("passed", "r1"), ("missed", None), ("failed", "r2"), ("unknown", "r3"), ("failed", "r4")]
    ):
        more = {"state": "ended", "verdict": verdict, "run": run, "reason": ""}
        add(database, f"a@{number}", "db", due_at=1000.0 + number, **more)
        add(database, f"other-{verdict}@{number}", "db", due_at=2000.0 + number, **more | {"verdict": "passed"})
    assert missed() == [("a@2", ("r4", "r2"))]
    add(database, "late@1", "db", until_at=1000.0)
    assert missed() == [("a@2", ("r4", "r2")), ("late@1", ())]
    add(database, "a@6", "db", due_at=1006.0, state="ended", verdict="passed", run="r5")
    assert missed() == [("late@1", ())]


def test_the_more_urgent_is_first_and_limits_of_an_environment_hold(database):
    worker = join(database)
    add(database, "low@1", "one", priority=1)
    add(database, "high@1", "two", priority=9)
    assert admit(database, Limits(environments={"test": 1})) == {"high@1": worker}
    assert admit(database, Limits(environments={"test": 1})) == {}
    assert row(database, "low@1")["says"] == "1 drills run in environment test already, its limit"


def test_a_worker_of_this_machine_is_dead_when_its_process_is(database):
    worker = join(database)
    with database.transaction() as connection:
        gone = {"pid": 1, "process_start": "never"}
        connection.execute(sa.update(tables.workers).where(tables.workers.c.worker == worker).values(gone))
    assert claims.bury(database, 1000.0) == {worker: []}


def test_the_migration_makes_the_tables_that_the_program_knows(own_server):
    url = own_server.fresh()
    database = Database(own_server.root, url)
    with database.transaction() as connection:
        inspector = sa.inspect(connection)
        for table in tables.metadata.sorted_tables:
            found = {column["name"]: column for column in inspector.get_columns(table.name, schema=tables.SCHEMA)}
            assert set(found) == set(table.columns.keys())
            for column in table.columns:
                assert found[column.name]["nullable"] == column.nullable, (table.name, column.name)
            indexes = {index["name"] for index in inspector.get_indexes(table.name, schema=tables.SCHEMA)}
            assert indexes == {index.name for index in table.indexes}
    database.close()


def test_a_worker_hears_what_is_due_and_when_the_next_one_will_be(database):
    worker, other = join(database), join(database)

    def news() -> admitting.News:
        with database.transaction() as connection:
            return admitting.news(connection, worker)

    assert news() == admitting.News(is_due=False, next_in_seconds=None, given=[])
    with database.transaction() as connection:
        moment = now(connection)
    add(database, "later@1", "db", start_at=moment + 500)
    add(database, "soon@1", "db", start_at=moment + 400)
    found = news()
    assert not found.is_due
    assert 300 < found.next_in_seconds <= 400
    add(database, "due@1", "db")
    found = news()
    assert found.is_due
    assert 300 < found.next_in_seconds <= 400, "one that is due hides none that will be"
    given = admitting.admit(database, Limits())
    mine = [one for one in given if one.worker == worker]
    assert news().given == mine
    assert not news().is_due
    with database.transaction() as connection:
        assert admitting.news(connection, other).given == [one for one in given if one.worker == other]
