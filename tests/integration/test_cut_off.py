"""A runner and its journal in PostgreSQL: cut off from it, taken over, come back."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from drillmark import clock, runs, undo
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import JournalError
from drillmark.journal.entries import first_break
from drillmark.journal.opening import open_store
from drillmark.model.entry import Effect, Kind
from drillmark.undo import UndoState
from file_drill import DRILL, drillmark, make, put_back, serving, start
from own_database import running

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("own") / "a server") as server:
        yield server


@pytest.fixture
def service(tmp_path):
    with serving(tmp_path / "served") as url:
        yield url, tmp_path / "served"


@pytest.fixture
def root(tmp_path, service, server, monkeypatch):
    """A check whose fault stays for longer than any test waits; its runner has time to notice, before its guard does."""
    monkeypatch.setenv("DRILLMARK_DATABASE_URL", server.fresh())
    return make(
        tmp_path / "ws", service, settings={"guard": {"lease": "60s"}}, rollbacks=[put_back(service[1])], mode="check",
        recover=None, objectives={"slo": {"availability": "90%"}},
        phases={"baseline": "1500ms", "fault": "10m", "soak": "2s", "hold": "1s"},
    )  # fmt: skip


def entries_of(root):
    row = runs.find(root, "last")
    return row, runs.read_entries(root, row)


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while True:
        try:
            said = condition()
        except (JournalError, IndexError):
            said = None
        if said:
            return said
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def wait_for_fault(root, process):
    def holding():
        assert process.poll() is None, process.communicate()[0]
        store = open_store(WorkspacePaths(root))
        try:
            rows = store.newest(1)
            found = store.read(rows[0].run) if rows else ()
        finally:
            store.close()
        return any(entry.effect is Effect.FAULT and entry.kind is Kind.INTENT for entry in found)

    wait_until(holding)


def test_a_runner_that_is_cut_off_undoes_and_hands_in_later_what_it_recorded(root, service, server):
    process = start(root, "run", DRILL)
    wait_for_fault(root, process)
    row, before = entries_of(root)
    assert not service[1].exists()
    copy = kept(root, row)
    assert [one.path for one in copy.undoables] == ["experiments/file-lost.yaml"]
    server.stop("immediate")
    try:
        wait_until(service[1].exists)
        text, _ = process.communicate(timeout=120)
        # Its guard may have been quicker than the runner itself.
        assert process.returncode in (3, 5), text
    finally:
        server.start()
    paths = RunPaths(root / row.directory)
    assert entries_of(root)[1][: len(before)] == before
    assert not any(entry.kind is Kind.RUN_ENDED for entry in entries_of(root)[1])
    recorded = [json.loads(line)["data"] for line in paths.unsent.read_text().splitlines()]
    assert locked(server) == [("the-file",)], "nobody else may have it before that"
    resumed = drillmark(root, "resume", "last", "--json")
    assert resumed.returncode in (3, 4), resumed.stderr
    assert json.loads(resumed.stdout)["verdict"] in ("unknown", "failed")
    after = entries_of(root)[1]
    assert first_break(after) == ""
    handed = [entry.data["recorded"] for entry in after if entry.data.get("what") == "handed_in"]
    assert handed
    assert all(one in recorded for one in handed)
    assert kept(root, row).undoables == ()
    assert locked(server) == []
    assert drillmark(root, "verify", "last").returncode == 0
    # Once is enough.
    assert drillmark(root, "resume", "last").returncode == 2
    assert entries_of(root)[1] == after


def test_a_runner_that_was_taken_over_and_comes_back_touches_nothing(root, service):
    process = start(root, "run", DRILL)
    wait_for_fault(root, process)
    row, before = entries_of(root)
    paths = RunPaths(root / row.directory)
    state = undo.read(paths.undo)
    # The machine is gone, its guard with it.
    for pid in (state.child("guard").pid, process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    # Another worker undoes from the copy, and ends the run; by now the target is in another drill's hands.
    store = open_store(WorkspacePaths(root))
    store.raise_epoch(row.run, 2)
    previous = before[-1]
    told = (
        (Kind.RESUMED, {"epoch": 2}),
        (Kind.ABORT, {"by": "runner", "reason": "its worker was lost"}),
        (Kind.UNDONE, {"experiment": "all"}),
        (Kind.RUN_ENDED, {"verdict": "unknown", "exit_code": 4}),
    )
    for kind, data in told:
        previous = store.append(previous, run=row.run, epoch=2, kind=kind, stamp=clock.now(), data=data)
    store.keep_undo(row.run, 2, undo.to_text(UndoState(row.run)))
    store.close()
    aside = service[1].with_name("aside")
    assert aside.exists()
    paths.unsent.write_text(
        json.dumps({"kind": "event", "epoch": 1, "stamp": clock.now().as_json(), "data": {"what": "seen"}}) + "\n"
    )
    back = drillmark(root, "resume", row.run)
    assert back.returncode in (3, 4), back.stdout + back.stderr
    assert aside.exists()
    assert not service[1].exists()
    assert undo.read(paths.undo).undoables == ()
    after = entries_of(root)[1]
    assert after[: len(before) + len(told)] == (*before, *(after[len(before) :][: len(told)]))
    assert [entry.data["recorded"] for entry in after if entry.data.get("what") == "handed_in"] == [{"what": "seen"}]
    for child in state.children:
        try:
            os.kill(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def locked(server):
    """The targets that a run holds on all machines."""
    name = os.environ["DRILLMARK_DATABASE_URL"].rpartition("/")[2]
    return server.execute("select target from drillmark.fleet_locks", name=name)


def kept(root, row):
    store = open_store(WorkspacePaths(root))
    try:
        return undo.from_text(store.kept_undo(row.run))
    finally:
        store.close()
