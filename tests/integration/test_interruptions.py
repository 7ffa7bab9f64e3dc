"""A drill that is stopped, frozen, starved or met by another one: the fault is undone, and the numbers stay honest."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from drillmark import clock, runs, undo
from drillmark.model.entry import Effect, Kind
from file_drill import DRILL, drillmark, make, put_back, serving, start


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


@pytest.fixture
def root(tmp_path, service):
    """A drill whose recovery takes so long that there is time to stop it."""
    return make_slow(tmp_path / "ws", service)


def make_slow(root: Path, service, **fields) -> Path:
    wait = {
        "name": "wait",
        "type": "action",
        "provider": {"type": "process", "path": "sleep", "arguments": ["300"]},
    }
    defaults = {"rollbacks": [put_back(service[1])], "recover": [wait]}
    return make(root, service, **(defaults | fields))


def entries(root: Path):
    row = runs.find(root, "last")
    return runs.read_entries(root, row)


def wait_for(root: Path, effect: Effect, seconds: float = 60):
    """Wait until an effect is journalled as intended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (root / ".drillmark/journal.sqlite3").exists():
            try:
                if any(e.kind is Kind.INTENT and e.effect is effect for e in entries(root)):
                    return
            except Exception:
                pass
        time.sleep(0.05)
    raise AssertionError(f"{effect} was never begun")


def ended(process: subprocess.Popen[str], seconds: float = 120) -> str:
    text, _ = process.communicate(timeout=seconds)
    return text


def assert_undone(root: Path, service) -> None:
    assert service[1].exists()
    assert not service[1].with_name("aside").exists()
    directory = root / runs.find(root, "last").directory
    state = undo.read(directory / "undo.json")
    assert state is None or not state.undoables
    deadline = time.monotonic() + 60
    while left := left_of(directory):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def left_of(directory: Path) -> list[str]:
    from workspaces import processes_of

    return processes_of(str(directory))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_undoes_then_stops(root, service, number):
    process = start(root, "run", DRILL)
    wait_for(root, Effect.RECOVER)
    assert not service[1].exists()
    process.send_signal(number)
    text = ended(process)
    assert process.returncode == 3, text
    assert f"it received {number.name}" in text
    assert_undone(root, service)


def test_a_second_signal_cuts_no_undo_short_and_says_how_long_it_may_take(tmp_path, service):
    slow = {"name": "slow", "type": "action", "provider": {"type": "process", "path": "sleep", "arguments": ["3"]}}
    root = make_slow(tmp_path / "ws", service, rollbacks=[slow, put_back(service[1])])
    process = start(root, "run", DRILL)
    wait_for(root, Effect.RECOVER)
    process.send_signal(signal.SIGINT)
    wait_for(root, Effect.UNDO)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    text = ended(process)
    assert process.returncode == 3, text
    assert re.search(r"SIGINT again: the fault is being undone, which may take up to \d+ s", text), text
    assert_undone(root, service)


def test_another_process_aborts_it(root, service):
    process = start(root, "run", DRILL)
    wait_for(root, Effect.RECOVER)
    asked = drillmark(root, "abort", "last", "--reason", "it is lunch time")
    assert asked.returncode == 0, asked.stderr
    text = ended(process)
    assert process.returncode == 3, text
    assert "it is lunch time" in text
    assert_undone(root, service)
    again = drillmark(root, "abort", "last")
    assert again.returncode == 2
    assert "has ended already" in again.stderr


def test_the_kill_switch_stops_what_runs_and_refuses_what_would(root, service):
    process = start(root, "run", DRILL)
    wait_for(root, Effect.BASELINE)
    (root / ".drillmark/abort").write_text("the payment provider is down")
    text = ended(process)
    assert process.returncode == 3, text
    assert "the payment provider is down" in text
    assert not any(e.effect is Effect.INJECT for e in entries(root))
    assert_undone(root, service)
    refused = drillmark(root, "run", DRILL)
    assert refused.returncode == 3
    assert "the payment provider is down" in refused.stderr


def test_it_runs_out_of_its_time(root, service):
    process = start(root, "run", DRILL, "--timeout", "8s")
    text = ended(process)
    assert process.returncode == 3, text
    assert "ran out of its time" in text
    assert_undone(root, service)


def test_a_busy_target_is_refused_and_the_result_says_so_first(root, service):
    process = start(root, "run", DRILL)
    wait_for(root, Effect.BASELINE)
    second = drillmark(root, "run", DRILL, "--json")
    assert second.returncode == 3, second.stderr
    result = json.loads(second.stdout)
    assert result["refused"] is True
    assert result["reasons"][0].startswith("refused: runner: target the-file is busy: run ")
    assert result["stamps"]["I"] is None
    process.send_signal(signal.SIGINT)
    ended(process)
    assert_undone(root, service)


def test_a_runner_that_lives_is_not_resumed_over(root, service):
    process = start(root, "run", DRILL)
    wait_for(root, Effect.RECOVER)
    resumed = drillmark(root, "resume", "last")
    assert resumed.returncode == 3
    assert f"driven by process {process.pid}" in resumed.stderr
    process.send_signal(signal.SIGINT)
    ended(process)
    assert_undone(root, service)


def test_a_resume_tells_how_long_nobody_was_there(root, service):
    runner = start(root, "run", DRILL)
    wait_for(root, Effect.RECOVER)
    runner.kill()
    runner.communicate()
    dead_ns = clock.monotonic_ns()
    time.sleep(4)
    done = drillmark(root, "resume", "last")
    assert done.returncode in (1, 3, 4), done.stdout + done.stderr
    assert service[1].exists()
    (resumed,) = [entry for entry in entries(root) if entry.kind is Kind.RESUMED]
    begin, end = (resumed.data[name]["monotonic_ns"] for name in ("absent_from", "absent_to"))
    assert begin <= dead_ns <= dead_ns + 4 * 10**9 <= end, "measured from the lease of the runner that took it up"


def test_frozen_past_its_lease_the_guard_undoes_and_the_runner_touches_nothing_more(tmp_path, service):
    root = make_slow(tmp_path / "ws", service, settings={"guard": {"lease": "8s"}})
    process = start(root, "run", DRILL)
    wait_for(root, Effect.RECOVER)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 60
        while not service[1].exists():
            assert time.monotonic() < deadline, "the guard did not undo the fault"
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    ended(process)
    # It was ended, as it held the run's lock; had it not, it would find itself superseded.
    assert process.returncode in (-signal.SIGKILL, 3)
    before = len(entries(root))
    resumed = drillmark(root, "resume", "last", "--json")
    assert resumed.returncode in (1, 3, 4), resumed.stderr
    assert json.loads(resumed.stdout)["verdict"] != "passed"
    assert any(e.kind is Kind.GUARD and e.data["what"] == "undone" for e in entries(root)[before:])
    assert_undone(root, service)


def test_frozen_outside_its_lock_it_lives_and_stops(tmp_path, service):
    root = make_slow(
        tmp_path / "ws", service, settings={"guard": {"lease": "8s"}}, recover=None,
        phases={"baseline": "1500ms", "soak": "2s", "hold": "1s", "fault": "300s"},
    )  # fmt: skip
    process = start(root, "run", DRILL)
    wait_for(root, Effect.FAULT)
    os.kill(process.pid, signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while not service[1].exists():
        assert time.monotonic() < deadline, "the guard did not undo the fault"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGCONT)
    text = ended(process)
    assert process.returncode == 3, text
    assert "was taken over" in text
    resumed = drillmark(root, "resume", "last", "--json")
    assert resumed.returncode in (1, 3, 4), resumed.stderr
    assert_undone(root, service)


def test_a_journal_that_cannot_be_read_is_no_reason_to_leave_a_fault(root, service):
    process = start(root, "run", DRILL)
    wait_for(root, Effect.RECOVER)
    process.kill()
    ended(process)
    row = runs.find(root, "last")
    journal = root / ".drillmark/journal.sqlite3"
    whole = journal.read_bytes()
    for name in ("journal.sqlite3-wal", "journal.sqlite3-shm"):
        (root / ".drillmark" / name).unlink(missing_ok=True)
    journal.write_bytes(whole[:4096] + os.urandom(max(0, len(whole) - 4096)))
    resumed = drillmark(root, "resume", row.run)
    assert resumed.returncode == 5, resumed.stderr
    assert "journal" in resumed.stderr
    assert service[1].exists()
    deadline = time.monotonic() + 60
    while left := left_of(root / row.directory):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_an_unwritable_folder_injects_nothing(tmp_path, service):
    """A file stands where the folder of all runs should be."""
    root = make_slow(tmp_path / "ws", service)
    (root / "reports").mkdir()
    (root / "reports/runs").write_text("not a folder")
    done = drillmark(root, "run", DRILL)
    assert done.returncode == 5
    assert "nothing was injected" in done.stderr
    assert service[1].exists()
