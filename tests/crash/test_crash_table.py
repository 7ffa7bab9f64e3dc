"""The crash table row by row, on a system that is a file: killed at one named boundary, then resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from drillmark import undo
from file_drill import DRILL, activity, drillmark, make, put_back, serving
from workspaces import newest, processes_of

DYING = Path(__file__).with_name("dying_runner.py")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


@pytest.fixture
def root(tmp_path, service):
    return make(
        tmp_path / "ws",
        service,
        settings={"guard": {"lease": "2m"}},  # a busy machine may take its time to resume
        rollbacks=[marking(tmp_path), put_back(service[1])],
        verify=[activity("exists", "os.path", "exists", tolerance=True, path=str(service[1]))] * 2,
    )


def marking(folder: Path) -> dict:
    """A rollback that leaves a line for each time that it ran."""
    script = f"echo ran >> '{folder}/rollbacks'"
    return {
        "name": "mark",
        "type": "action",
        "provider": {"type": "process", "path": "sh", "arguments": ["-c", script]},
    }


def rollbacks_run(root: Path) -> int:
    mark = root.parent / "rollbacks"
    return len(mark.read_text().splitlines()) if mark.exists() else 0


def recover_first(root: Path, step: dict) -> None:
    """Put a step before the drill's own recovery."""
    drill = yaml.safe_load((root / DRILL).read_text())
    drill["recover"].insert(0, step)
    (root / DRILL).write_text(yaml.safe_dump(drill))


def die_at(root: Path, name: str) -> None:
    """Run the drill in a runner that kills itself at the first point of this name."""
    log = root / "points.txt"
    done = subprocess.run(
        [sys.executable, str(DYING), str(root), DRILL, name, str(log)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, (log.read_text(), done.stdout, done.stderr)


def resume(root: Path) -> tuple[int, list[dict]]:
    done = drillmark(root, "resume", "last", "--json")
    assert done.returncode in (0, 1, 3, 4), done.stderr
    assert drillmark(root, "verify", "last").returncode == 0
    entries = [json.loads(line) for line in (newest(root) / "journal.jsonl").read_text().splitlines()]
    return done.returncode, entries


def effects(entries: list[dict]) -> list[str]:
    return [e["data"]["effect"] for e in entries if e["kind"] == "intent"]


def assert_clean(root: Path, service) -> None:
    assert service[1].exists()
    assert undo.read(newest(root) / "undo.json").undoables == ()
    deadline = time.monotonic() + 60
    while left := processes_of(str(newest(root))):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


# Point, exit code, how often the fault is injected in all, how often each rollback runs in all, recoveries begun.
ROWS = [
    ("after intent baseline", 0, 1, 1, 1),  # begins anew
    ("after outcome prepare_fault", 0, 1, 1, 1),  # U written, no intent: nothing began
    ("before go", 4, 1, 1, 0),  # fault intent, no outcome, nothing in E: undone, unknown
    ("after intent recover 0:copy-back", 4, 1, 1, 1),  # not said to be repeatable: undone, unknown
    ("after outcome recover 0:copy-back", 0, 1, 1, 1),  # goes on
    ("after outcome verify 0:exists", 0, 1, 1, 1),  # all verifications again
    ("after intent soak", 0, 1, 1, 1),  # soak goes on
    ("after intent undo", 0, 1, 1, 1),  # the undo is run, once
    ("after outcome prove_undone", 0, 1, 1, 1),  # undone, still in U: proved again, taken out
    ("after intent conclude", 0, 1, 1, 1),  # measured again
    ("after outcome conclude", 0, 1, 1, 1),
]


@pytest.mark.parametrize(("point", "code", "injections", "rollbacks", "recoveries"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row(root, service, point, code, injections, rollbacks, recoveries):
    die_at(root, point)
    found, entries = resume(root)
    assert found == code, entries[-3:]
    done = effects(entries)
    assert done.count("inject") == injections
    assert rollbacks_run(root) == rollbacks
    assert done.count("recover") == recoveries
    if "verify 0" in point:
        assert done.count("verify") == 3
    assert_clean(root, service)


@pytest.mark.parametrize("point", ["before file plan.json", "after file plan.json", "before run_started"])
def test_a_run_that_never_began_is_listed_and_resume_takes_away_what_it_left(root, service, point):
    die_at(root, point)
    (row,) = json.loads(drillmark(root, "list", "--json").stdout)
    assert row["state"] == "lost"
    resumed = drillmark(root, "resume", "last")
    assert resumed.returncode == 2
    assert f"run {row['run']} never began" in resumed.stderr
    assert json.loads(drillmark(root, "list", "--json").stdout) == []
    assert list((root / "reports/runs").glob("*")) == []
    assert service[1].exists()


@pytest.mark.parametrize("point", ["after run_ended", "before file journal.jsonl"])
def test_a_run_killed_after_its_last_entry_gets_the_file_that_holds_them_all(root, service, point):
    die_at(root, point)
    exported, draft = newest(root) / "journal.jsonl", newest(root) / "children" / "prober.json.999999999.tmp"
    assert not exported.exists()
    draft.touch()  # of an observer that was killed while it wrote
    resumed = drillmark(root, "resume", "last")
    assert resumed.returncode == 2
    assert "has ended" in resumed.stderr
    assert drillmark(root, "verify", "last").returncode == 0
    assert not draft.exists()
    # What stands there is evidence, and is not written over.
    exported.write_text(exported.read_text() + "changed")
    assert drillmark(root, "resume", "last").returncode == 2
    assert drillmark(root, "verify", "last").returncode == 1
    assert_clean(root, service)


def test_an_injection_whose_end_is_on_record_is_adopted(root, service):
    """The runner dies while the child waits after its method: the effect is probed, and the drill goes on."""
    die_at(root, "before outcome inject")
    found, entries = resume(root)
    assert found in (0, 4)
    assert effects(entries).count("inject") == 1
    assert "recover" in effects(entries)
    assert_clean(root, service)


def test_a_repeatable_recovery_runs_again_as_the_second_attempt(root, service):
    drill = root / DRILL
    drill.write_text(drill.read_text().replace("- name: copy-back", "- repeatable: true\n  name: copy-back"))
    die_at(root, "after intent recover 0:copy-back")
    found, entries = resume(root)
    assert found == 0
    attempts = [e["data"]["attempt"] for e in entries if e["kind"] == "intent" and e["data"]["effect"] == "recover"]
    assert attempts == [1, 2]
    assert_clean(root, service)


def test_after_a_reboot_the_fault_is_undone_and_nothing_else(root, service):
    """Another boot id: what the clocks of before and after say cannot be subtracted."""
    die_at(root, "after outcome recover 0:copy-back")
    directory = newest(root)
    for role in ("guard", "prober"):
        os.kill(json.loads((directory / "children" / f"{role}.json").read_text())["pid"], signal.SIGKILL)
    script = (
        "import sys; from drillmark import clock; clock.boot_id = lambda: 'another-boot';"
        "from drillmark.cli import main; sys.argv[1:] = ['resume', 'last', '--json']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 3, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["verdict"] != "passed"
    assert any("restarted" in reason for reason in result["reasons"])
    assert rollbacks_run(root) == 1
    assert_clean(root, service)


def test_nobody_resumes_a_drill_that_had_not_begun_and_the_guard_undoes_nothing(root, service):
    (root / "drillmark.yaml").write_text("guard: {lease: 6s}\n")
    die_at(root, "after intent baseline")
    deadline = time.monotonic() + 60
    while processes_of(str(newest(root))):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    log = [json.loads(line)["what"] for line in (newest(root) / "guard.jsonl").read_text().splitlines()]
    assert log == ["nothing_in_effect"]
    assert rollbacks_run(root) == 0
    found, entries = resume(root)
    assert (found, effects(entries).count("inject")) == (0, 1)
    assert_clean(root, service)


def test_a_gate_that_fails_leaves_nothing_to_undo(root, service):
    experiment = root / "experiments/file-lost.yaml"
    probe = {"name": "never", "type": "probe", "tolerance": 418, "provider": {"type": "http", "url": service[0]}}
    body = json.dumps({"title": "never", "probes": [probe]})
    experiment.write_text(experiment.read_text() + f"\nsteady-state-hypothesis: {body}\n")
    done = drillmark(root, "run", DRILL, "--json")
    assert done.returncode == 1, done.stderr
    assert "steady_state" in " ".join(json.loads(done.stdout)["reasons"])
    assert rollbacks_run(root) == 0
    assert_clean(root, service)


def test_a_hypothesis_that_deviates_after_the_recovery_fails_the_run(root, service, tmp_path):
    """It is met before the method and missed after the recovery, though users are served."""
    flag = tmp_path / "flag"
    flag.write_text("")
    experiment = root / "experiments/file-lost.yaml"
    probe = activity("flag-is-there", "os.path", "exists", tolerance=True, path=str(flag))
    body = json.dumps({"title": "flag", "probes": [probe]})
    experiment.write_text(experiment.read_text() + f"\nsteady-state-hypothesis: {body}\n")
    recover_first(root, activity("lower-the-flag", "os", "remove", path=str(flag)))
    done = drillmark(root, "run", DRILL, "--json")
    assert done.returncode == 1, done.stderr
    assert any("deviated" in reason for reason in json.loads(done.stdout)["reasons"])


def test_an_undo_that_lets_go_nothing_is_none(root, service):
    """The steady state holds while the fault is there as well: what is still true of the fault tells."""
    path = root / "experiments/file-lost.yaml"
    experiment = yaml.safe_load(path.read_text())
    always = activity("always", "os.path", "exists", tolerance=True, path="/")
    experiment["steady-state-hypothesis"] = {"title": "always", "probes": [always]}
    put_back = experiment["rollbacks"].pop()
    path.write_text(yaml.safe_dump(experiment))
    done = drillmark(root, "run", DRILL, "--json")
    assert done.returncode == 1, done.stderr
    told = {one["name"]: one for one in json.loads(done.stdout)["objectives"]}
    assert told["undo"]["verdict"] == "failed"
    assert "not proved gone: is-gone is still true" in told["undo"]["reason"]
    # What may be in effect stays on record, until somebody gives it an undo that is one.
    undo_file = newest(root) / "undo.json"
    state = json.loads(undo_file.read_text())
    state["undoables"][0]["experiment"]["rollbacks"].append(put_back)
    undo_file.write_text(json.dumps(state))
    assert drillmark(root, "resume", "last").returncode == 1
    assert_clean(root, service)


def test_an_abort_whose_undo_takes_its_time_is_not_cut_short_by_the_guard(root, service):
    slow = {"name": "slow", "type": "action", "provider": {"type": "process", "path": "sleep", "arguments": ["8"]}}
    experiment = root / "experiments/file-lost.yaml"
    experiment.write_text(experiment.read_text().replace("rollbacks:\n", f"rollbacks:\n- {json.dumps(slow)}\n", 1))
    wait = {"name": "wait", "type": "action", "provider": {"type": "process", "path": "sleep", "arguments": ["90"]}}
    recover_first(root, wait)
    process = subprocess.Popen(
        [sys.executable, "-m", "drillmark", "run", DRILL, "--json"], cwd=root, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while service[1].exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert drillmark(root, "abort", "last", "--reason", "enough").returncode == 0
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 3, text
    assert not (newest(root) / "guard.jsonl").exists()
    assert rollbacks_run(root) == 1
    assert_clean(root, service)
