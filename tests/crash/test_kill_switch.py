"""The kill switch and the guard: how soon a fault is gone once somebody wants it gone, or nobody is left to want it.

An undo takes its own time, which is measured beside, in the same test on the same machine: a bound is what the docs
promise plus three times that.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from drillmark import runs, undo
from drillmark.chaos.undo import perform
from drillmark.errors import DrillmarkError
from drillmark.model.entry import Effect, Kind
from exhaustive import EXHAUSTIVE, sample
from file_drill import DRILL, activity, drillmark, make, put_back, serving, start
from waiting import until
from workspaces import newest, processes_of

WAIT_SECONDS = 60
LEASE_SECONDS = 6
WITHIN_SECONDS = 10
SHORT = {"baseline": "1500ms", "soak": "2s", "hold": "1s", "recover": {"deadline": "2m"}}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


def sleep(seconds: float, name="wait") -> dict:
    return {
        "name": name,
        "type": "action",
        "provider": {"type": "process", "path": "sleep", "arguments": [str(seconds)]},
    }


def drill_in(phase: str, root: Path, service, **fields) -> Effect:
    """A drill that stays in a phase for long; returns the effect whose intent begins it."""
    served = service[1]
    lose = activity("lose", "shutil", "move", src=str(served), dst=str(served.with_name("aside")))
    without_recovery = {key: value for key, value in SHORT.items() if key != "recover"}
    changes, effect = {
        "baseline": ({"phases": SHORT | {"baseline": "90s"}}, Effect.BASELINE),
        "inject": ({"method": [lose, sleep(90)]}, Effect.INJECT),
        "fault": ({"recover": None, "phases": without_recovery | {"fault": "90s"}}, Effect.FAULT),
        "recover": ({"recover": [sleep(90)], "phases": SHORT}, Effect.RECOVER),
        "soak": ({"phases": SHORT | {"soak": "90s"}}, Effect.SOAK),
        "undo": ({"rollbacks": [sleep(6, "slow"), put_back(served)]}, Effect.UNDO),
    }[phase]
    make(root, service, **({"rollbacks": [put_back(served)]} | changes | fields))
    return effect


def begun(root: Path, effect: Effect, served: Path):
    """Whether that phase has begun, and the fault is in place where it should be."""

    def look() -> bool:
        try:
            entries = runs.read_entries(root, runs.find(root, "last"))
        except DrillmarkError:
            return False
        intended = any(entry.kind is Kind.INTENT and entry.effect is effect for entry in entries)
        return intended and (effect is Effect.BASELINE or served.with_name("aside").exists())

    return look


def gone(root: Path, served: Path):
    """Whether nothing of the fault is in place, and U or the guard's log says so."""

    def look() -> bool:
        if not served.exists() or served.with_name("aside").exists():
            return False
        state = undo.read(newest(root) / "undo.json")
        return state is None or not state.undoables or (newest(root) / "guard.jsonl").exists()

    return look


def own_seconds(root: Path) -> float:
    """How long the undo takes by itself, at this moment, on this machine. It has been done: this one changes nothing."""
    plan = runs.read_plan(newest(root))
    began = time.monotonic()
    (root / "beside").mkdir()
    perform(plan.fault.experiment, set(), run_dir=root / "beside")
    return time.monotonic() - began


def told(root: Path) -> dict[str, object]:
    lines = [
        newest(root).name,
        *((newest(root) / "guard.jsonl").read_text().splitlines() if (newest(root) / "guard.jsonl").exists() else []),
    ]
    return {"run": lines, "processes": processes_of(newest(root).name)}


def assert_clean(root: Path, service) -> None:
    assert service[1].exists()
    assert not service[1].with_name("aside").exists()
    run = newest(root).name
    until(lambda: not processes_of(run), lambda: told(root))


PHASES = ["baseline", "fault", "recover", "soak"]
MEANS = ["abort", "abort --all", "the file"]
SWITCHES = [(phase, means, stopped) for phase in PHASES for means in MEANS for stopped in (False, True)]
# In every run of the suite; `tests/integration/test_interruptions.py` has others with a runner that runs.
SOME = [("soak", "the file", False), ("fault", "abort --all", True), ("recover", "abort", True)]


@pytest.mark.parametrize(("phase", "means", "stopped"), SWITCHES if EXHAUSTIVE else SOME)
def test_the_kill_switch_undoes_within_ten_seconds_and_the_undos_own_time(tmp_path, service, phase, means, stopped):
    """In every phase, by every means, also while the runner is stopped: its guard acts then."""
    root = tmp_path / "ws"
    effect = drill_in(phase, root, service)
    process = start(root, "run", DRILL)
    until(begun(root, effect, service[1]), f"{phase} was never begun")
    if stopped:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        if means == "the file":
            (root / ".drillmark/abort").write_text("the building is on fire")
        else:
            asked = drillmark(root, *means.split(), "--reason", "the building is on fire")
            assert asked.returncode == 0, asked.stderr
        wanted = time.monotonic()
        until(gone(root, service[1]), lambda: told(root))
        took = time.monotonic() - wanted
    finally:
        if stopped:
            os.kill(process.pid, signal.SIGCONT)
    text, _ = process.communicate(timeout=2 * WAIT_SECONDS)
    own = own_seconds(root)
    print(f"{phase}, {means}, {'stopped' if stopped else 'running'}: {took:.1f} s; the undo's own {own:.1f} s")
    assert took <= WITHIN_SECONDS + 5 * own
    if stopped:
        # It was ended, as it held the run's lock or the journal's; else it found itself superseded.
        assert process.returncode in (-signal.SIGKILL, 3), text
        resumed = drillmark(root, "resume", "last", "--json")
        assert resumed.returncode == 3, resumed.stdout + resumed.stderr
    else:
        assert process.returncode == 3, text
    result = json.loads((newest(root) / "result.json").read_text())
    assert (result["aborted"], result["verdict"]) in ((True, "unknown"), (True, "failed"))
    assert_clean(root, service)


@pytest.mark.parametrize("phase", sample(["inject", "fault", "recover", "soak", "undo"], 1))
def test_a_runner_that_is_killed_and_never_taken_up_leaves_no_fault_after_its_lease(tmp_path, service, phase):
    root = tmp_path / "ws"
    effect = drill_in(phase, root, service, settings={"guard": {"lease": f"{LEASE_SECONDS}s"}})
    process = start(root, "run", DRILL)
    until(begun(root, effect, service[1]), f"{phase} was never begun")
    process.kill()
    killed = time.monotonic()
    process.communicate(timeout=2 * WAIT_SECONDS)
    until(gone(root, service[1]), lambda: told(root))
    took = time.monotonic() - killed
    own = own_seconds(root)
    print(f"{phase}: gone {took:.1f} s after the kill, with a lease of {LEASE_SECONDS} s; the undo's own {own:.1f} s")
    assert took <= LEASE_SECONDS + WITHIN_SECONDS + 5 * own
    # Nobody took the run up: the guard ends what observed, and itself.
    assert_clean(root, service)
    resumed = drillmark(root, "resume", "last", "--json")
    assert resumed.returncode in (1, 3, 4), resumed.stdout + resumed.stderr
    assert json.loads(resumed.stdout)["verdict"] != "passed"


@pytest.mark.parametrize("phase", sample(["baseline", "recover", "soak"], 1))
def test_a_runner_whose_guard_is_killed_notices_undoes_and_stops(tmp_path, service, phase):
    root = tmp_path / "ws"
    effect = drill_in(phase, root, service)
    process = start(root, "run", DRILL)
    until(begun(root, effect, service[1]), f"{phase} was never begun")
    os.kill(json.loads((newest(root) / "children/guard.json").read_text())["pid"], signal.SIGKILL)
    text, _ = process.communicate(timeout=2 * WAIT_SECONDS)
    assert process.returncode == 3, text
    assert "its guard is gone, and without one no fault may stay" in text
    assert_clean(root, service)


@pytest.mark.parametrize("phase", sample(["inject", "undo"], 1))
def test_a_runner_that_is_frozen_past_its_lease_while_it_holds_the_lock(tmp_path, service, phase):
    """In the middle of an injection, and of an undo: the guard ends it, and begins what is left of the undo itself."""
    root = tmp_path / "ws"
    effect = drill_in(phase, root, service, settings={"guard": {"lease": f"{LEASE_SECONDS}s"}})
    process = start(root, "run", DRILL)
    until(begun(root, effect, service[1]), f"{phase} was never begun")
    os.kill(process.pid, signal.SIGSTOP)
    try:
        until(gone(root, service[1]), lambda: told(root))
    finally:
        os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=2 * WAIT_SECONDS)
    # Where the machine was so slow that the lease had run out before, it finds itself superseded instead.
    assert process.returncode in (-signal.SIGKILL, 3)
    resumed = drillmark(root, "resume", "last", "--json")
    assert resumed.returncode in (1, 3, 4), resumed.stdout + resumed.stderr
    assert json.loads(resumed.stdout)["verdict"] != "passed"
    assert_clean(root, service)
