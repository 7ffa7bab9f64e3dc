"""A drill's guards: probes that abort the run when they fail for so long, watched by a process of its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from drillmark import runs, undo
from drillmark.model.entry import Effect, Kind
from file_drill import DRILL, activity, drillmark, make, put_back, serving, start
from waiting import until
from workspaces import newest, processes_of

WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


@pytest.fixture
def flag(tmp_path):
    """What the guards watch: as long as it is there, all is well elsewhere."""
    path = tmp_path / "all is well"
    path.write_text("")
    return path


def guard(flag: Path, name="elsewhere-untouched", fails_for="3s") -> dict:
    probe = activity(f"probe-of-{name}", "os.path", "exists", tolerance=True, path=str(flag))
    return {"name": name, "probe": probe, "fails_for": fails_for, "then": "abort"}


def make_slow(root: Path, service, guards, **fields) -> Path:
    wait = {"name": "wait", "type": "action", "provider": {"type": "process", "path": "sleep", "arguments": ["90"]}}
    defaults = {"rollbacks": [put_back(service[1])], "recover": [wait], "guards": guards}
    return make(root, service, **(defaults | fields))


def lost(service):
    return lambda: not service[1].exists()


def child(root: Path, role: str) -> int:
    return json.loads((newest(root) / "children" / f"{role}.json").read_text())["pid"]


def ended(process) -> str:
    text, _ = process.communicate(timeout=WAIT_SECONDS)
    return text


def journal(root: Path):
    return runs.read_exported(newest(root))


def assert_undone(root: Path, service) -> None:
    assert service[1].exists()
    assert not service[1].with_name("aside").exists()
    state = undo.read(newest(root) / "undo.json")
    assert state is None or not state.undoables
    until(lambda: not processes_of(str(newest(root))), lambda: processes_of(str(newest(root))))


def test_a_guard_that_fails_for_so_long_aborts_and_is_named_everywhere(tmp_path, service, flag):
    root = make_slow(tmp_path / "ws", service, [guard(flag), guard(tmp_path, "always-true")])
    process = start(root, "run", DRILL)
    until(lost(service), "the fault was never injected")
    flag.unlink()
    text = ended(process)
    assert process.returncode == 3, text
    assert "guard failing: elsewhere-untouched" in text
    assert "abort asked for by a guard: guard elsewhere-untouched has failed for" in text
    assert_undone(root, service)
    entries = journal(root)
    (aborted,) = [entry.data for entry in entries if entry.kind is Kind.ABORT]
    assert aborted["by"] == "guard"
    assert aborted["reason"].startswith("guard elsewhere-untouched has failed for ")
    assert aborted["reason"].endswith("tolerance")
    failed = [entry.data for entry in entries if entry.data.get("what") == "guard_failed"]
    assert [one["guard"] for one in failed] == ["elsewhere-untouched"]
    result = json.loads((newest(root) / "result.json").read_text())
    assert (result["aborted"], result["verdict"]) == (True, "unknown")
    assert any("guard elsewhere-untouched has failed" in reason for reason in result["reasons"])
    assert "guard elsewhere-untouched has failed" in (newest(root) / "report.md").read_text()


def test_a_guard_that_fails_and_recovers_in_time_aborts_nothing_and_the_journal_tells_it(tmp_path, service, flag):
    script = f"rm '{flag}'; sleep 3; touch '{flag}'"
    mend = {
        "name": "mend",
        "type": "action",
        "provider": {"type": "process", "path": "sh", "arguments": ["-c", script]},
    }
    copy = activity("copy-back", "shutil", "copyfile", src=str(service[1].with_name("aside")), dst=str(service[1]))
    root = make(
        tmp_path / "ws", service, rollbacks=[put_back(service[1])], recover=[mend, copy],
        guards=[guard(flag, fails_for="40s")],
    )  # fmt: skip
    done = drillmark(root, "run", DRILL)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [entry.data["what"] for entry in journal(root) if str(entry.data.get("what")).startswith("guard_")]
    assert told == ["guard_failing", "guard_good_again"]
    assert_undone(root, service)


def test_a_guard_that_fails_before_the_fault_lets_nothing_be_injected(tmp_path, service, flag):
    flag.unlink()
    root = make(tmp_path / "ws", service, guards=[guard(flag, fails_for="10m")])
    done = drillmark(root, "run", DRILL, "--json")
    assert done.returncode == 3, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["stamps"]["I"] is None
    assert any("guard elsewhere-untouched" in reason for reason in result["reasons"])
    assert not any(entry.effect is Effect.INJECT for entry in journal(root))
    assert service[1].exists()
    assert not processes_of(str(newest(root)))


def test_guards_that_nobody_watches_are_a_reason_to_abort(tmp_path, service, flag):
    """Their watcher was killed: that is no sign that all is well."""
    root = make_slow(tmp_path / "ws", service, [guard(flag)])
    process = start(root, "run", DRILL)
    until(lost(service), "the fault was never injected")
    os.kill(child(root, "guards"), signal.SIGKILL)
    text = ended(process)
    assert process.returncode == 3, text
    assert "guards are not watched" in text
    assert_undone(root, service)


def test_a_guard_that_fails_while_the_runner_is_stopped_is_heard_by_the_dead_mans_switch(tmp_path, service, flag):
    root = make_slow(tmp_path / "ws", service, [guard(flag)], settings={"guard": {"lease": "10m"}})
    process = start(root, "run", DRILL)
    until(lost(service), "the fault was never injected")
    os.kill(process.pid, signal.SIGSTOP)
    try:
        flag.unlink()
        until(service[1].exists, "nobody undid the fault")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    ended(process)
    resumed = drillmark(root, "resume", "last", "--json")
    assert resumed.returncode == 3, resumed.stdout + resumed.stderr
    assert_undone(root, service)


def test_a_runner_that_is_taken_up_again_adopts_the_watcher(tmp_path, service, flag):
    repeatable = {"name": "wait", "type": "action", "repeatable": True}
    repeatable["provider"] = {"type": "process", "path": "sleep", "arguments": ["90"]}
    root = make_slow(
        tmp_path / "ws", service, [guard(flag)], recover=[repeatable], settings={"guard": {"lease": "10m"}}
    )
    process = start(root, "run", DRILL)
    until(lost(service), "the fault was never injected")
    watcher = child(root, "guards")
    process.kill()
    ended(process)
    resumed = start(root, "resume", "last")
    until(lambda: "resumed" in [e.kind for e in runs.read_entries(root, runs.find(root, "last"))], "never resumed")
    assert child(root, "guards") == watcher
    flag.unlink()
    text = ended(resumed)
    assert resumed.returncode == 3, text
    assert "guard elsewhere-untouched has failed" in text
    assert_undone(root, service)
