"""An effect probe that cannot be asked says neither yes nor no: it proves no fault, and least of all that one is gone.

On a system that is a file. The probe is a program that ends with a status other than 0 while it cannot be asked.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from drillmark import files, processes, runs, undo
from drillmark.engine.paths import RunPaths
from drillmark.model.entry import Kind
from file_drill import DRILL, drillmark, make, serving
from workspaces import newest

MUTE, ONCE = "mute", "mute-once"  # files: it cannot be asked while that is there; cannot be asked the next time


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


def shell(name: str, script: str) -> dict[str, Any]:
    provider = {"type": "process", "path": "sh", "arguments": ["-c", script]}
    return {"name": name, "type": "action", "provider": provider}


def ran(folder: Path, service: tuple[str, Path], undoing: str, *, after_yes: str = ":", **fields: Any):
    """The drill with such a probe; `undoing` is what its rollback runs in `folder`."""
    aside = service[1].with_name("aside")
    script = f"""cd '{folder}'
[ ! -e {MUTE} ] || exit 2
[ ! -e {ONCE} ] || {{ rm {ONCE}; exit 2; }}
[ -e '{aside}' ] || {{ echo there; exit; }}
echo lost
{after_yes}"""
    tolerance = {"type": "regex", "target": "stdout", "pattern": "lost"}
    probe = shell("is-lost", script) | {"type": "probe", "tolerance": tolerance}
    rollback = shell("undo", f"cd '{folder}'; {undoing}")
    fault = {"experiment": "experiments/file-lost.yaml", "effect": probe}
    root = make(folder / "ws", service, rollbacks=[rollback], fault=fault, **fields)
    return root, drillmark(root, "run", DRILL)


def told(root: Path, objective: str) -> dict[str, Any]:
    result = json.loads((newest(root) / "result.json").read_text())
    return next(one for one in result["objectives"] if one["name"] == objective)


def test_a_fault_that_is_left_is_not_gone_because_its_probe_was_refused_once(tmp_path, service):
    aside = service[1].with_name("aside")
    root, done = ran(tmp_path, service, f"touch {ONCE}; echo ran >> rollbacks")
    assert done.returncode == 1, done.stdout + done.stderr
    assert not (tmp_path / ONCE).exists(), "nobody asked after the undo"
    assert aside.exists()
    assert told(root, "undo")["reason"] == "the fault is not proved gone: is-lost is still true"
    # A rollback that only says that it succeeded empties no undo file: it is run again, and the probe is asked.
    undo_file = newest(root) / "undo.json"
    runs_before = len((tmp_path / "rollbacks").read_text().splitlines())
    again = drillmark(root, "resume", "last")
    assert again.returncode == 3, again.stdout + again.stderr
    assert "is still not proved gone: is-lost is still true" in again.stderr
    assert "--undone-by-hand NAME" in again.stderr
    assert len((tmp_path / "rollbacks").read_text().splitlines()) == runs_before + 1
    left = undo.read(undo_file)
    assert left is not None
    assert len(left.undoables) == 1
    # It stays on record, until somebody gives it an undo that is one.
    text = undo_file.read_text()
    state = json.loads(text)
    state["undoables"][0]["experiment"]["rollbacks"] = [shell("put-back", f"mv '{aside}' '{service[1]}'")]
    undo_file.write_text(json.dumps(state))
    assert drillmark(root, "resume", "last").returncode == 1
    assert service[1].exists()
    assert not aside.exists()
    assert undo.read(undo_file).undoables == ()
    # Or until somebody answers for it: nothing is run or asked then.
    undo_file.write_text(text)
    (tmp_path / MUTE).touch()
    nobody = drillmark(root, "resume", "last", "--undone-by-hand", "")
    assert (nobody.returncode, "names nobody" in nobody.stderr) == (2, True), nobody.stderr
    plan_file = newest(root) / "plan.json"
    plan = plan_file.read_text()
    plan_file.unlink()
    unread = drillmark(root, "resume", "last", "--undone-by-hand", "Ada")
    assert unread.returncode == 2, unread.stdout + unread.stderr
    assert undo.read(undo_file).undoables
    plan_file.write_text(plan)
    assert drillmark(root, "resume", "last", "--undone-by-hand", "Ada").returncode == 1
    assert undo.read(undo_file).undoables == ()
    assert len((tmp_path / "rollbacks").read_text().splitlines()) == runs_before + 1
    undone = [entry.data for entry in runs.read_entries(root, runs.find(root, "last")) if entry.kind is Kind.UNDONE]
    assert [(one["proved"], one.get("by_hand")) for one in undone] == [(True, None), (False, "Ada")]


def test_a_guard_takes_nothing_off_the_undo_file_that_its_run_could_not_prove_gone(tmp_path, service):
    """After the end of the run its lease runs out: what succeeded is no proof, and the guard cannot ask."""
    settings = {"guard": {"lease": "2s"}}
    root, done = ran(tmp_path, service, ":", settings=settings)
    assert done.returncode == 1, done.stdout + done.stderr
    paths = RunPaths(newest(root))
    guard = undo.read(paths.undo).child("guard")
    deadline = time.monotonic() + 60
    while guard is not None and processes.is_alive(guard.identity) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [line["what"] for line in files.read_json_lines(paths.guard_log)][:1] == ["acting"]
    assert len(undo.read(paths.undo).undoables) == 1
    assert service[1].with_name("aside").exists()


def test_nobody_knows_whether_a_fault_lasted_whose_probe_is_silent_at_its_undo(tmp_path, service):
    """Silent until the rollback, and refused once more after it: then it says no, and only then the fault is gone."""
    undoing = f"rm {MUTE}; touch {ONCE}; mv '{service[1].with_name('aside')}' '{service[1]}'"
    phases = {"baseline": "1500ms", "soak": "2s", "hold": "1s", "fault": "3s"}
    fields = {"recover": None, "phases": phases, "objectives": {"after_undo": "1m"}}
    root, done = ran(tmp_path, service, undoing, after_yes=f"touch {MUTE}", **fields)
    assert done.returncode == 4, done.stdout + done.stderr
    assert told(root, "fault")["verdict"] == "unknown"
    assert told(root, "fault")["reason"] == (
        "whether the fault lasted until its undo is not known: "
        "is-lost could not be asked: the process ended with the status 2"
    )
    assert not (tmp_path / ONCE).exists(), "nobody asked after the undo"
    assert told(root, "undo")["verdict"] == "passed"
    assert undo.read(newest(root) / "undo.json").undoables == ()
