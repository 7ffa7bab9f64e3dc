"""An effect probe that cannot be asked says neither yes nor no: it proves no fault, and least of all that one is gone.

On a system that is a file. The probe is a program that ends with a status other than 0 while it cannot be asked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drillmark import runs, undo
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
    root, done = ran(tmp_path, service, f"touch {ONCE}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert not (tmp_path / ONCE).exists(), "nobody asked after the undo"
    assert aside.exists()
    assert told(root, "undo")["reason"] == "the fault is not proved gone: is-lost is still true"
    # It stays on record, until somebody gives it an undo that is one.
    undo_file = newest(root) / "undo.json"
    state = json.loads(undo_file.read_text())
    state["undoables"][0]["experiment"]["rollbacks"] = [shell("put-back", f"mv '{aside}' '{service[1]}'")]
    undo_file.write_text(json.dumps(state))
    assert drillmark(root, "resume", "last").returncode == 1
    assert undo.read(undo_file).undoables == ()
    undone = [entry.data for entry in runs.read_entries(root, runs.find(root, "last")) if entry.kind is Kind.UNDONE]
    assert [one["proved"] for one in undone] == [False], "nobody asked, but for the rollback itself"


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
