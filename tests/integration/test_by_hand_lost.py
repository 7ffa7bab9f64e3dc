"""A run by hand, or a worker's, that is lost where no worker runs: a person hears what frees its targets, and it does."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

import file_drill
from by_hand_runs import PLAN, RUN, journal, runner, the_one
from drillmark import clock, undo, workspace
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import RefusedError, StaleEpochError
from drillmark.fleet import claims, members, tables
from drillmark.fleet.by_hand import ByHand
from drillmark.fleet.database import Database
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.digest import digest
from drillmark.model.entry import Kind
from drillmark.undo import Undoable, UndoState
from fleet_rows import LEASE_SECONDS, add, admit, claim, join, locked, row, silence, told

WITHIN_SECONDS = 120.0
FREED_BY = f"`drillmark resume {RUN}` undoes what it may have left, and frees the target"


@pytest.fixture
def database(shared_database) -> Database:
    return shared_database


@pytest.fixture
def killed(database, tmp_path) -> str:
    """The occurrence of a run by hand whose process was killed."""
    with runner(tmp_path, LEASE_SECONDS) as process:
        process.kill()
        process.wait(WITHIN_SECONDS)
    return the_one(database)


def refusal(root, run: str = "another") -> RefusedError:
    with ByHand(root, LEASE_SECONDS) as locks, pytest.raises(RefusedError) as refused:
        locks.take(run, PLAN)
    return refused.value


def test_a_runner_that_died_on_this_machine_is_known_at_once(database, tmp_path, killed):
    refused = refusal(tmp_path)
    assert f"for run {RUN}; nobody has that in hand: its process is gone" in str(refused)
    assert refused.hint == FREED_BY
    assert set(locked(database)) == {"api", "db"}, "who is refused frees nothing"
    journal(tmp_path, Kind.RUN_STARTED)
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        assert locks.take_up(RUN) is not None
        journal(tmp_path, Kind.RUN_ENDED)
    assert locked(database) == {}
    assert told(database, killed) == ["started", "taken_over", "ended"]
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        locks.take("another", PLAN)
        assert set(locked(database)) == {"api", "db"}
    assert claims.bury(database, 0.0) == {}, "its place in the fleet is cleared away"


def test_one_elsewhere_is_lost_when_its_lease_and_its_guards_time_are_over(database, tmp_path, killed):
    silence(database, row(database, killed)["worker"], LEASE_SECONDS + 60)
    refused = refusal(tmp_path)
    assert f"is busy: {killed} is on it since" in str(refused)
    assert "nothing was heard of it for 36" in str(refused)
    assert refused.hint == f"when that is more than 600 s, `drillmark resume {RUN}` takes it over"
    refused = refusal(tmp_path, RUN)
    assert "in the hands of" in str(refused)
    assert refused.hint == "try again when that is more than 600 s: then it counts as lost"
    lost = row(database, killed)["worker"]
    silence(database, lost, 2 * LEASE_SECONDS + 60)
    refused = refusal(tmp_path)
    assert "nobody has that in hand: nothing was heard of it for 66" in str(refused)
    assert refused.hint == FREED_BY
    with ByHand(tmp_path, LEASE_SECONDS) as locks:
        assert locks.take_up(RUN) is not None
        with database.transaction() as connection:
            assert members.beat(connection, lost) == members.LOST, "should it come back, it is told"


def test_what_a_worker_found_lost_and_could_not_end_any_more_is_a_persons_too(database, tmp_path, killed):
    assert list(claims.bury(database, LEASE_SECONDS).values()) == [[killed]]
    refused = refusal(tmp_path)
    assert str(refused).endswith("is lost: its process is gone")
    assert refused.hint == FREED_BY


def test_what_had_not_begun_is_given_to_somebody_else_by_any_worker(database, tmp_path):
    worker = join(database)
    add(database, "mine@1", "db")
    admit(database)
    silence(database, worker, 10_000.0)
    refused = refusal(tmp_path)
    assert "for mine@1, which has not begun; nobody has that in hand" in str(refused)
    assert refused.hint == "`drillmark worker` frees the target"


def test_a_run_that_never_began_is_kept_from_it_and_lets_its_targets_go(database, tmp_path):
    (tmp_path / "drillmark.yaml").write_text("{}")
    worker = join(database)
    add(database, "mine@1", "db", attempts=2)
    admit(database)
    assert claim(database, "mine@1", worker, run=RUN) is not None
    done = file_drill.drillmark(tmp_path, "resume", RUN)
    assert (done.returncode, "in the hands of" in done.stderr) == (3, True), done.stdout + done.stderr
    silence(database, worker, 10_000.0)
    assert refusal(tmp_path).hint == FREED_BY
    done = file_drill.drillmark(tmp_path, "resume", RUN)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "had never begun, and cannot any more; the targets that it held are free" in done.stderr
    assert locked(database) == {}
    assert told(database, "mine@1") == ["started", "taken_over", "retried"]
    with pytest.raises(StaleEpochError):
        journal(tmp_path, Kind.RUN_STARTED)


def a_workers_run(database, tmp_path) -> tuple[Path, str]:
    """A workspace whose drill a worker on another machine has in hand, and that worker."""
    root = file_drill.make(tmp_path / "ws", ("http://127.0.0.1:9/", tmp_path / "served"))
    worker = join(database)
    add(database, "file-lost@1", "the-file", source=file_drill.DRILL)
    admit(database)
    assert claim(database, "file-lost@1", worker, run=RUN) is not None
    return root, worker


def test_where_the_runs_folder_is_elsewhere_resume_undoes_from_the_copy_as_a_worker_does(database, tmp_path):
    root, worker = a_workers_run(database, tmp_path)
    fault = tmp_path / "broken"
    fault.touch()
    mend = file_drill.activity("mend", "os", "remove", path=str(fault))
    experiment = {"title": "x", "description": "x", "method": [], "rollbacks": [mend]}
    started = {"drill": "file-lost", "plan_hash": digest(workspace.load_plan(root / file_drill.DRILL, root=root))}
    with closing(open_store(WorkspacePaths(root))) as store:
        store.create(RunRow(RUN, "file-lost", "the-file", f"reports/runs/{RUN}", 1, 0))
        store.keep_undo(RUN, 1, undo.to_text(UndoState(RUN, (Undoable("experiments/x.yaml", experiment),))))
        first = store.append(None, run=RUN, epoch=1, kind=Kind.RUN_STARTED, stamp=clock.now(), data=started)
        intent = {"effect": "inject", "key": "", "attempt": 1}
        store.append(first, run=RUN, epoch=1, kind=Kind.INTENT, stamp=clock.now(), data=intent)
    done = file_drill.drillmark(root, "resume", RUN)
    assert (done.returncode, fault.exists()) == (3, True), "who may live is not taken over\n" + done.stderr
    silence(database, worker, 10_000.0)
    done = file_drill.drillmark(root, "resume", RUN)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "every undo is done" in done.stdout, done.stdout + done.stderr
    assert "ABORTED (unknown)" in done.stdout, done.stdout + done.stderr
    assert not fault.exists()
    assert locked(database) == {}
    assert told(database, "file-lost@1") == ["started", "taken_over", "ended"]
    assert (root / "reports" / "runs" / RUN / "result.json").exists()


def test_a_run_that_had_ended_well_gets_no_gap_where_the_drill_is_another_one_by_now(database, tmp_path):
    root, worker = a_workers_run(database, tmp_path)
    with closing(open_store(WorkspacePaths(root))) as store:
        store.create(RunRow(RUN, "file-lost", "the-file", f"reports/runs/{RUN}", 1, 0))
        first = store.append(
            None, run=RUN, epoch=1, kind=Kind.RUN_STARTED, stamp=clock.now(), data={"plan_hash": "old"}
        )
        end = {"verdict": "passed", "exit_code": 0}
        store.append(first, run=RUN, epoch=1, kind=Kind.RUN_ENDED, stamp=clock.now(), data=end)
    silence(database, worker, 10_000.0)
    done = file_drill.drillmark(root, "resume", RUN)
    assert done.stdout.startswith("PASSED"), done.stdout + done.stderr
    listed = file_drill.drillmark(root, "gaps", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (0, []), listed.stderr
    assert locked(database) == {}


@pytest.mark.drill
def test_a_run_whose_process_was_killed_is_resumed_as_run_says_and_the_target_is_free(database, tmp_path):
    served, gate = tmp_path / "served", tmp_path / "gate"
    gate.touch()
    waits = {"type": "process", "path": "sh", "arguments": ["-c", f"while [ -e '{gate}' ]; do sleep 0.1; done"]}
    wait = {"name": "wait", "type": "probe", "tolerance": 0, "provider": waits | {"timeout": 600}}
    with file_drill.serving(served) as url:
        root = file_drill.make(tmp_path / "ws", (url, served))
        targets = yaml.safe_load((root / "targets.yaml").read_text())
        targets["targets"]["the-file"]["activities"].append(wait)
        targets["targets"]["the-file"]["preflight"] = ["wait"]
        (root / "targets.yaml").write_text(yaml.safe_dump(targets))
        with file_drill.start(root, "run", file_drill.DRILL) as first:
            deadline = time.monotonic() + WITHIN_SECONDS
            while not locked(database) and first.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            first.kill()
            said = first.communicate()[0]
        assert set(locked(database)) == {"the-file"}, said
        run = row(database, the_one(database))["run"]
        second = file_drill.drillmark(root, "run", file_drill.DRILL)
        assert second.returncode == 3, second.stdout + second.stderr
        assert "its process is gone" in second.stdout, second.stdout
        assert f"HINT: `drillmark resume {run}`" in second.stdout, second.stdout
        gate.unlink()
        resumed = file_drill.drillmark(root, "resume", run)
        assert resumed.returncode in {0, 1, 4}, resumed.stdout + resumed.stderr  # it came to its end, good or not
        assert locked(database) == {}
        verdict = row(database, the_one(database))["verdict"]
        # As if it had been lost in the moment before it let the target go.
        name = the_one(database)
        gone = {"target": "the-file", "holder": name, "worker": row(database, name)["worker"], "since_at": 1.0}
        with database.transaction() as connection:
            connection.execute(sa.update(tables.occurrences).values(state="running"))
            connection.execute(sa.insert(tables.locks).values(gone))
        again = file_drill.drillmark(root, "resume", run)
        assert again.returncode == 2, again.stdout + again.stderr
        assert f"run {run} has ended; the targets that it still held are let go" in again.stderr
        assert (locked(database), row(database, name)["verdict"]) == ({}, verdict)
