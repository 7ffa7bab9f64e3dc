"""A run that a person starts beside a fleet holds its targets as a worker's does, and refuses where a worker has one."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import builders
import file_drill
import own_database
from drillmark import clock
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import RefusedError
from drillmark.fleet import claims, tables
from drillmark.fleet.by_hand import ByHand
from drillmark.fleet.database import Database
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind
from drillmark.model.target import PlannedTarget
from fleet_rows import LEASE_SECONDS, add, admit, claim, join, locked, row, silence, told

RUN = builders.RUN
PLAN = builders.plan(target=PlannedTarget(name="db", environment="test", touches=["api"], labels={"region": "eu"}))
WITHIN_SECONDS = 120.0


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[own_database.OwnServer]:
    folder = tmp_path_factory.mktemp("by-hand")
    folder.chmod(0o755)
    with own_database.running(folder / "server") as running:
        yield running


@pytest.fixture
def database(server, tmp_path, monkeypatch) -> Iterator[Database]:
    monkeypatch.setenv("DRILLMARK_DATABASE_URL", server.fresh())
    made = Database(tmp_path)
    yield made
    made.close()


def journal(root: Path, *kinds: Kind) -> None:
    """The run as its runner left it."""
    store = open_store(WorkspacePaths(root))
    store.create(RunRow(RUN, PLAN.drill, "db", f"reports/runs/{RUN}", 1, 0))
    last = None
    for kind in kinds:
        data = {"drill": PLAN.drill, "verdict": "passed", "exit_code": 0}
        last = store.append(last, run=RUN, epoch=1, kind=kind, stamp=clock.now(), data=data)
    store.close()


def the_one(database: Database) -> str:
    with database.transaction() as connection:
        return connection.execute(sa.select(tables.occurrences.c.occurrence)).scalar_one()


def test_a_workers_target_refuses_a_person_with_who_and_since_when(database, tmp_path):
    worker = join(database)
    add(database, "other@1", "api")
    admit(database)
    with ByHand(tmp_path, LEASE_SECONDS) as locks, pytest.raises(RefusedError) as refused:
        locks.take(RUN, PLAN)
    assert "target api is busy: other@1 is on it since 2" in str(refused.value)
    assert worker in str(refused.value)
    assert locked(database) == {"api": "other@1"}


def test_a_persons_run_keeps_workers_away_and_lets_go_in_the_end(database, tmp_path):
    worker = join(database, region="eu")
    add(database, "b@1", "api", labels={"region": "eu"})
    journal(tmp_path, Kind.RUN_STARTED, Kind.RUN_ENDED)
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        locks.take(RUN, PLAN)
        (name,) = set(locked(database).values())
        assert set(locked(database)) == {"api", "db"}
        assert admit(database) == {}
        assert row(database, "b@1")["says"] == f"target api is taken by {name}"
        assert claims.bury(database, 0.0) == {}
        with ByHand(tmp_path, LEASE_SECONDS) as second, pytest.raises(RefusedError, match=name):
            second.take("another", PLAN)
        # Nor may anybody take up a run that is driven.
        with ByHand(tmp_path, LEASE_SECONDS) as second, pytest.raises(RefusedError, match="in the hands of"):
            second.take(RUN, PLAN)
    assert (row(database, name)["state"], row(database, name)["verdict"]) == ("ended", "passed")
    assert told(database, name) == ["started", "ended"]
    assert admit(database) == {"b@1": worker}


def test_a_runner_that_is_lost_is_taken_over_by_a_worker(database, tmp_path):
    worker = join(database, region="eu")
    journal(tmp_path, Kind.RUN_STARTED)
    with ByHand(tmp_path, 40.0) as locks:
        locks.take(RUN, PLAN)
        name = the_one(database)
        given_up: list[bool] = []
        before = signal.signal(signal.SIGTERM, lambda *_: given_up.append(True))
        deadline = time.monotonic() + WITHIN_SECONDS
        try:
            buried: dict[str, list[str]] = {}
            while not buried and time.monotonic() < deadline:  # it may beat in between
                silence(database, row(database, name)["worker"], 1000.0)
                buried = claims.bury(database, 10.0)
            assert list(buried.values()) == [[name]]
            while not given_up and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            signal.signal(signal.SIGTERM, before)
        assert given_up, "whoever is given up stops as at a signal"
        assert admit(database) == {name: worker}
        taken = claim(database, name, worker, run="never")
        assert (taken.taking_over, taken.run) == (True, RUN)
    # What the lost one says in the end changes nothing.
    assert row(database, name)["state"] == "running"
    assert set(locked(database)) == {"api", "db"}


def test_what_did_not_come_to_its_end_keeps_its_targets_until_it_is_resumed(database, tmp_path):
    journal(tmp_path, Kind.RUN_STARTED)
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        locks.take(RUN, PLAN)
    name = the_one(database)
    assert (row(database, name)["state"], row(database, name)["taking_over"]) == ("waiting", True)
    assert set(locked(database)) == {"api", "db"}
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        locks.take(RUN, PLAN)
        assert the_one(database) == name
        store = open_store(WorkspacePaths(tmp_path))
        data = {"verdict": "unknown", "exit_code": 4}
        store.append(
            store.read(RUN)[-1], run=RUN, epoch=1, kind=Kind.RUN_ENDED, stamp=clock.now(), data=data
        )  # fmt: skip
        store.close()
    assert locked(database) == {}
    assert told(database, name) == ["started", "unsettled", "taken_over", "ended"]
    # And one that has ended, and holds nothing, needs nothing.
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        locks.take(RUN, PLAN, is_over=True)
        assert locked(database) == {}


def test_run_says_who_has_the_target_and_exits_as_for_a_busy_one(database, tmp_path):
    served = tmp_path / "served"
    with file_drill.serving(served) as url:
        root = file_drill.make(tmp_path / "ws", (url, served))
        join(database)
        add(database, "nightly@1", "the-file")
        admit(database)
        done = file_drill.drillmark(root, "run", file_drill.DRILL)
        assert served.read_text() == "up"
    assert done.returncode == 3, done.stdout + done.stderr
    assert "target the-file is busy: nightly@1 is on it since" in done.stdout, done.stdout + done.stderr
    assert locked(database) == {"the-file": "nightly@1"}
