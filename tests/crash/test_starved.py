"""Frozen and starved: what a drill needs is taken away at one boundary, and it must leave no fault and no false number.

After each: the fault is gone, no process is left, the exit code is right, and the verdict is no better than it may be,
also after `resume`. `sample` draws some of the boundaries; `make test-exhaustive` takes all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_disk import SmallDisk

import clocks
from drillmark import runs, undo
from exhaustive import sample
from file_drill import DRILL, activity, make, put_back, serving, start
from file_drill import drillmark as drillmark_in
from waiting import until
from workspaces import newest, processes_of

STARVING = Path(__file__).with_name("starving_runner.py")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


@pytest.fixture
def root(tmp_path, service):
    return make(tmp_path / "ws", service, rollbacks=[put_back(service[1])])


def starve(root: Path, point: str, starvation: str, *, within=lambda command: command, environment=None, **options):
    """Run the drill in a runner that is starved at a point."""
    command = [sys.executable, str(STARVING), str(root), point, starvation, json.dumps(options)]
    return subprocess.run(
        within(command), capture_output=True, text=True, timeout=240, check=False, env=environment
    )  # fmt: skip


def assert_gone(root: Path, service) -> None:
    """The fault, and every process of the run; `root` as it is seen from here."""
    assert service[1].exists()
    assert not service[1].with_name("aside").exists()
    run = newest(root).name
    until(lambda: not processes_of(run), lambda: processes_of(run))
    state = undo.read(newest(root) / "undo.json")
    assert state is None or not state.undoables


def effects(root: Path) -> list[str]:
    lines = (newest(root) / "journal.jsonl").read_text().splitlines()
    return [e["data"]["effect"] for e in map(json.loads, lines) if e["kind"] == "intent"]


def begun(root: Path, effect: str) -> bool:
    entries = runs.read_entries(root, runs.find(root, "last"))
    return any(entry.kind == "intent" and entry.effect == effect for entry in entries)


# Every write of U, J, E and the report in an undisturbed run, as `starving_runner.py ... list` names them.
BEFORE = [
    "file plan.json", "file epoch", "U 0 of 0", "J run_started", "J intent start_guard", "file guard.config.json",
    "U 0 of 1", "file prober.config.json", "U 0 of 4", "J outcome start_guard", "J intent start_observers",
    "J outcome start_observers", "J intent prepare_fault", "U 1 of 4", "J outcome prepare_fault", "J intent baseline",
    "J outcome baseline", "J intent inject",
]  # fmt: skip
DURING = [
    "E go", "J outcome inject", "J intent prove_effect", "J outcome prove_effect", "J intent await_detection",
    "J outcome await_detection", "J intent recover 0:copy-back", "J outcome recover 0:copy-back", "J intent soak",
    "J outcome soak", "J intent undo", "E finish", "J outcome undo",
]  # fmt: skip
AFTER = [
    "J intent prove_undone", "J outcome prove_undone", "J undone", "J intent stop_observers", "J event samples_closed",
    "J outcome stop_observers", "J intent conclude", "file result.json", "file junit.xml", "file report.md",
    "J outcome conclude", "J run_ended", "file journal.jsonl",
]  # fmt: skip


def test_the_boundaries_are_those_of_an_undisturbed_run(root, service):
    done = starve(root, "list", "nothing")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = (root / "points.txt").read_text().splitlines()
    assert not set(passed) - {*BEFORE, *DURING, *AFTER, "U 0 of 2", "U 0 of 3"}
    assert not {*BEFORE, *DURING, *AFTER} - set(passed)
    assert_gone(root, service)


@pytest.mark.parametrize("point", [*sample(BEFORE, 1), *sample(DURING, 2), *sample(AFTER, 1)])
def test_a_disk_that_is_full_at_a_write_leaves_no_fault_and_no_false_number(tmp_path, service, point):
    disk = SmallDisk(tmp_path / "tiny")
    try:
        make(disk.seen, service, rollbacks=[put_back(service[1])])
        starvation = "disk"
        if disk.why_not:
            print(f"no small file system ({disk.why_not}): no file may grow instead")
            starvation = "file-size"
        done = starve(disk.place, point, starvation, within=disk.command)
        assert done.returncode == 5, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert service[1].exists()
        assert not service[1].with_name("aside").exists()
        assert not (disk.seen / "filler").exists() or (disk.seen / "filler").stat().st_size > 2**20
        (disk.seen / "filler").unlink(missing_ok=True)
        if not (disk.seen / "reports/runs").exists():
            return
        resumed = disk.drillmark("resume", "last")
        print(resumed.stdout, resumed.stderr)
        # What was cut short before the fault may begin anew and pass; what had its fault undone unseen may not.
        assert resumed.returncode in ((1, 3, 4) if point in DURING else (0, 1, 2, 3, 4)), (
            resumed.stdout + resumed.stderr
        )
        if "never began" in resumed.stderr:
            assert list((disk.seen / "reports/runs").iterdir()) == [], "what it left is taken away"
            return
        assert_gone(disk.seen, service)
    finally:
        disk.close()


def test_samples_that_cannot_be_written_are_no_good_beats(root, service):
    """The prober alone can write nothing more; the drill goes on, and its numbers are gone, not good."""
    done = starve(root, "J intent soak", "samples")
    # Its last block goes too: where that holds beats of the baseline, the steady state is no longer proved either.
    assert done.returncode in (1, 4), done.stdout + done.stderr
    assert "prober died" in done.stdout
    assert_gone(root, service)


@pytest.mark.parametrize("point", sample(["E go", "E finish"], 1))
def test_an_event_log_that_cannot_be_written(root, service, point):
    """The experiment's child begins nothing that it cannot write down; what is left of the undo the runner does."""
    done = starve(root, point, "event-log")
    assert done.returncode in ((1, 4) if point == "E go" else (0, 1, 4)), done.stdout + done.stderr
    assert "recover" not in effects(root) or point == "E finish"
    assert effects(root).count("inject") == 1
    assert_gone(root, service)


def test_a_journal_that_another_process_locks_for_a_moment_is_waited_for(root, service):
    done = starve(root, "J intent soak", "locked-shortly")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_gone(root, service)


@pytest.mark.parametrize("point", sample(["J outcome baseline", "J intent soak", "J outcome undo"], 1))
def test_a_journal_that_stays_locked_ends_the_drill_without_a_fault(root, service, point):
    done = starve(root, point, "locked-long")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "journal" in done.stderr
    assert service[1].exists()
    assert not service[1].with_name("aside").exists()
    resumed = drillmark_in(root, "resume", "last")
    assert resumed.returncode in ((0, 1, 3, 4) if point == "J outcome baseline" else (1, 3, 4)), resumed.stderr
    assert_gone(root, service)


def test_a_journal_that_is_damaged_under_a_running_drill_leaves_no_fault(root, service):
    done = starve(root, "J intent recover 0:copy-back", "damaged")
    assert done.returncode == 5, done.stdout + done.stderr
    assert_gone(root, service)
    resumed = drillmark_in(root, "resume", "last")
    assert resumed.returncode in (2, 5), resumed.stdout + resumed.stderr


@pytest.mark.parametrize("step", sample(["hour-forward", "hour-back"], 1))
def test_a_clock_that_is_stepped_by_an_hour_changes_no_duration(root, service, step):
    """Injected into the runner and all its children. (Under Debian's faketime, which leaves the monotonic clock alone
    only if told so, Python's own sleep fails with EINVAL.) Never the machine's own clock."""
    done = starve(root, "J intent soak", step, environment=clocks.environment(wall_offset=str(root / "wall-offset")))
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((newest(root) / "result.json").read_text())
    observed = result["rto"]["observed_seconds"]
    assert 0 <= observed["lo"] <= observed["hi"] < 60
    assert all(step["to_seconds"] < 120 for step in result["timeline"])
    stamps = [json.loads(line)["stamp"] for line in (newest(root) / "journal.jsonl").read_text().splitlines()]
    stepped = abs(stamps[-1]["wall_ns"] - stamps[0]["wall_ns"]) / 1e9
    assert 3300 < stepped < 3900  # the step was there to be seen
    assert_gone(root, service)


@pytest.mark.parametrize("point", sample(["J intent baseline", "J intent recover 0:copy-back", "J intent undo"], 1))
def test_no_descriptors_left(root, service, point):
    (root / "drillmark.yaml").write_text("guard: {lease: 5s}\n")
    done = starve(root, point, "descriptors")
    assert done.returncode in (1, 3, 4, 5), done.stdout + done.stderr
    # Where the runner could not undo, its guard did once the lease had run out.
    until(service[1].exists, lambda: done.stdout + done.stderr)
    until(lambda: not service[1].with_name("aside").exists(), lambda: done.stdout + done.stderr)
    drillmark_in(root, "resume", "last")
    assert_gone(root, service)


def test_no_memory_left_in_the_child(tmp_path, service):
    served = service[1]
    lose = activity("lose", "shutil", "move", src=str(served), dst=str(served.with_name("aside")))
    eat = activity("eat", "numpy", "ones", shape=2**28)
    root = make(tmp_path / "ws", service, method=[lose, eat], rollbacks=[put_back(served)])
    done = starve(root, "J intent inject", "memory")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "eat" in done.stdout
    assert not any(effect == "recover" for effect in effects(root))
    assert_gone(root, service)


def test_a_target_that_cannot_be_reached_lets_nothing_be_injected(tmp_path, service):
    root = make(tmp_path / "ws", ("http://127.0.0.1:9/", service[1]), rollbacks=[put_back(service[1])])
    done = drillmark_in(root, "run", DRILL)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "inject" not in effects(root)
    assert_gone(root, service)


def test_an_effect_probe_that_never_returns_proves_neither_a_fault_nor_its_end(tmp_path, service):
    root = make(
        tmp_path / "ws", service, rollbacks=[put_back(service[1])],
        fault={"experiment": "experiments/file-lost.yaml", "effect": activity("hangs", "signal", "pause", tolerance=True)},
    )  # fmt: skip
    done = drillmark_in(root, "run", DRILL)
    assert done.returncode == 1, done.stdout + done.stderr
    told = {one["name"]: one["reason"] for one in json.loads((newest(root) / "result.json").read_text())["objectives"]}
    assert told["fault"].startswith("fault not proved: hangs could not be asked: it took longer than")
    assert told["undo"].startswith("the fault is not proved gone: hangs could not be asked: it took longer than")
    assert undo.read(newest(root) / "undo.json").undoables
    asked = drillmark_in(root, "resume", "last")
    assert asked.returncode == 3, asked.stdout + asked.stderr
    assert undo.read(newest(root) / "undo.json").undoables, "nobody knows, so it stays"
    assert "--undone-by-hand NAME" in asked.stderr
    assert drillmark_in(root, "resume", "last", "--undone-by-hand", "Ada").returncode == 1
    assert_gone(root, service)


def counting(folder: Path, served: Path, then: str) -> dict:
    """A rollback that counts its calls, and does as it is told at each."""
    aside = served.with_name("aside")
    script = f"echo >> '{folder}/calls'; n=$(wc -l < '{folder}/calls'); {then}; [ ! -e '{aside}' ] || mv '{aside}' '{served}'"
    return activity("put-back", "subprocess", "check_call", args=["sh", "-c", script])


def test_an_undo_that_fails_twice_and_then_succeeds_is_told_and_leaves_nothing(tmp_path, service):
    root = make(
        tmp_path / "ws", service, rollbacks=[counting(tmp_path, service[1], 'if [ "$n" -lt 3 ]; then exit 1; fi')]
    )
    done = drillmark_in(root, "run", DRILL)
    print(done.stdout)
    assert_gone(root, service)


def test_an_undo_that_hangs_is_ended_fails_the_run_and_can_be_taken_up(tmp_path, service):
    flag = tmp_path / "flag"
    flag.write_text("")
    undoing = counting(tmp_path, service[1], f"[ ! -e '{flag}' ] || sleep 600")
    root = make(tmp_path / "ws", service, rollbacks=[undoing], settings={"guard": {"lease": "10m"}})
    done = starve(root, "nowhere", "nothing", rollback_seconds=2)
    assert done.returncode == 1, done.stdout + done.stderr
    assert service[1].with_name("aside").exists()  # it is still in effect, and everything says so
    assert undo.read(newest(root) / "undo.json").undoables
    assert "check the system by hand now" in done.stdout
    flag.unlink()
    resumed = drillmark_in(root, "resume", "last")
    assert resumed.returncode == 1, resumed.stdout + resumed.stderr
    assert_gone(root, service)


def test_an_undo_that_a_person_did_already_is_done_again_and_voids_what_was_measured(tmp_path, service):
    served, aside = service[1], service[1].with_name("aside")
    phases = {"baseline": "1500ms", "soak": "2s", "hold": "1s", "fault": "5s"}
    root = make(tmp_path / "ws", service, rollbacks=[put_back(served)], recover=None, phases=phases)
    process = start(root, "run", DRILL)
    until(aside.exists, "the fault was never injected")
    until(lambda: begun(root, "hold_fault"), "the fault was never held")
    aside.rename(served)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 3, text
    assert "somebody undid the fault: is-gone was not true any more" in text
    assert_gone(root, service)


def test_of_two_runs_at_once_one_is_refused(root, service):
    both = [start(root, "run", DRILL) for _ in range(2)]
    texts = [process.communicate(timeout=120)[0] for process in both]
    assert sorted(process.returncode for process in both) == [0, 3], texts
    refused = texts[0] if both[0].returncode == 3 else texts[1]
    assert "target the-file is busy" in refused
    assert_gone(root, service)


def test_of_two_resumes_at_once_one_drives_and_the_other_touches_nothing(tmp_path, service):
    # A busy machine may take its time to resume: the guard is not to be first.
    wait = {"name": "wait", "type": "action", "provider": {"type": "process", "path": "sleep", "arguments": ["300"]}}
    root = make(
        tmp_path / "ws", service, rollbacks=[put_back(service[1])], recover=[wait], settings={"guard": {"lease": "2m"}}
    )
    process = start(root, "run", DRILL)
    # The recovery stays in its first step: however late this looks, the fault is there.
    until(lambda: not service[1].exists(), "the fault was never injected")
    until(lambda: begun(root, "recover"), "the recovery was never begun")
    process.kill()
    process.communicate()
    both = [start(root, "resume", "last") for _ in range(2)]
    texts = [process.communicate(timeout=120)[0] for process in both]
    codes = sorted(process.returncode for process in both)
    assert [code for code in codes if code in (2, 3)], texts  # "is being driven", or "has ended"
    assert [code for code in codes if code in (0, 1, 4)], texts
    assert effects(root).count("undo") == 1
    assert_gone(root, service)
