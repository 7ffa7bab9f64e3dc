"""A run that a person starts beside a fleet holds its targets as a worker's does, and refuses where a worker has one."""

from __future__ import annotations

import json
import signal
import time

import pytest

import file_drill
from by_hand_runs import LABELS, PLAN, RUN, journal, runner, the_one
from drillmark.errors import RefusedError
from drillmark.fleet import claims
from drillmark.fleet.by_hand import ByHand
from drillmark.fleet.choosing import Limits
from drillmark.fleet.database import Database
from drillmark.model.entry import Kind
from fleet_rows import LEASE_SECONDS, add, admit, claim, join, locked, row, silence, told

WITHIN_SECONDS = 120.0


@pytest.fixture
def database(shared_database) -> Database:
    return shared_database


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


def test_it_counts_in_its_environment_and_asks_for_the_labels_of_all_its_targets(database, tmp_path):
    join(database)
    add(database, "here@1", "here", environment="staging")
    add(database, "there@1", "there", environment="test")
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        locks.take(RUN, PLAN)
        mine = next(row(database, name) for name in locked(database).values())
        # Where two targets differ in a label, that of the one that is faulted counts.
        assert (mine["environment"], json.loads(mine["labels"])) == ("staging", LABELS)
        assert set(admit(database, Limits(environments={"staging": 1, "test": 1}))) == {"there@1"}
        assert row(database, "here@1")["says"] == "1 drills run in environment staging already, its limit"


def test_what_a_person_ends_for_a_worker_is_run_again_as_its_policy_says(database, tmp_path):
    worker = join(database)
    add(database, "mine@1", "db", "api", attempts=2)
    admit(database)
    assert claim(database, "mine@1", worker, run=RUN) is not None
    silence(database, worker, 10_000.0)
    journal(tmp_path, Kind.RUN_STARTED, Kind.RUN_ENDED, verdict="unknown")
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        locks.take(RUN, PLAN)
    after = row(database, "mine@1")
    assert (after["state"], after["attempt"], after["run"]) == ("waiting", 2, None)
    assert told(database, "mine@1") == ["started", "taken_over", "retried"]
    assert list(claims.bury(database, 0.0)) == [worker], "what else a worker leaves is for workers to clear away"
    assert locked(database) == {}


@pytest.mark.realtime
def test_a_runner_that_is_stopped_is_ended_before_anybody_may_take_it_over(database, tmp_path):
    """Else it could wake up, and go on with an effect that another has undone meanwhile."""
    with runner(tmp_path, 6.0) as process:
        process.send_signal(signal.SIGSTOP)
        assert process.wait(WITHIN_SECONDS) == -signal.SIGKILL


def test_a_runner_that_is_lost_is_taken_over_by_a_worker(database, tmp_path):
    join(database, slots=8, region="us")
    worker = join(database, **LABELS)
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
        journal(tmp_path, Kind.RUN_ENDED, verdict="unknown")
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
    assert "HINT: wait for it, or stop it with `drillmark abort` on that machine" in done.stdout, done.stdout
    assert locked(database) == {"the-file": "nightly@1"}
