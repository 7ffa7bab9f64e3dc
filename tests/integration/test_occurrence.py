"""What a worker's child does for one drill, and what it says of it to the worker and to people."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

import file_drill
from drillmark import artifacts, clock, undo
from drillmark.cli import occurrence
from drillmark.engine.paths import WorkspacePaths
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind
from drillmark.undo import Undoable, UndoState
from receivers import receiving

RUN = "20260101T000000Z-x-abcdef"
BODY = {"occurrence": "x@2026-01-01T00:00Z", "drill": "x", "source": file_drill.DRILL, "worker": "w2", "epoch": 2,
        "attempt": 1, "run": RUN, "taking_over": True}  # fmt: skip


def test_who_takes_over_a_run_of_another_machine_tells_channels_and_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv(artifacts.VARIABLE, str(tmp_path))
    fault = tmp_path / "broken"
    fault.touch()
    provider = {"type": "python", "module": "os", "func": "remove", "arguments": {"path": str(fault)}}
    experiment = {"title": "x", "description": "x", "method": [],
                  "rollbacks": [{"name": "mend", "type": "action", "provider": provider}]}  # fmt: skip
    root = tmp_path / "ws"
    root.mkdir()
    with receiving() as ear:
        channel = {"name": "ops", "url": f"json://127.0.0.1:{ear.port}/"}
        (root / "drillmark.yaml").write_text(yaml.safe_dump({"notifications": {"channels": [channel]}}))
        store = open_store(WorkspacePaths(root))
        store.create(RunRow(RUN, "x", "db", f"reports/runs/{RUN}", 1, 0))
        started = {"drill": "x", "target": "db"}
        first = store.append(None, run=RUN, epoch=1, kind=Kind.RUN_STARTED, stamp=clock.now(), data=started)
        intent = {"effect": "inject", "key": "", "attempt": 1}
        store.append(first, run=RUN, epoch=1, kind=Kind.INTENT, stamp=clock.now(), data=intent)
        copy = undo.to_text(UndoState(RUN, (Undoable("experiments/x.yaml", experiment),)))
        monkeypatch.setattr(type(store), "kept_undo", lambda _store, _run: copy)
        told = occurrence._take_over(root, BODY)
        store.close()
        ear.wait(lambda: len(ear.received) >= 3, "three messages")
        assert ear.titles() == ["x was taken up again by another runner", "x is aborted", "x: unknown"]
    assert (told["verdict"], told["again"]) == ("unknown", True)
    assert not fault.exists()
    # Its files are on the machine that is lost: a mark for them here would be complained of for ever.
    place = artifacts.configured(root)
    assert place is not None
    assert artifacts.keep(root, place, driven=lambda _directory: False) == artifacts.Kept()
    assert not list((root / ".drillmark" / "artifacts" / "waiting").iterdir())


def child(root, run: str) -> dict:
    """As a worker has it perform a drill; its stdin stays open until it has ended."""
    command = [sys.executable, "-m", "drillmark.cli.occurrence"]
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(BODY | {"drill": "file-lost", "run": run, "taking_over": False}) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.read())
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


@pytest.mark.drill
def test_what_a_rule_refuses_is_not_tried_again(tmp_path):
    served = tmp_path / "served"
    with file_drill.serving(served) as url:
        root = file_drill.make(
            tmp_path / "ws",
            (url, served),
            settings={"approvers": ["Ada"]},
            schedule={"every": "quarter", "window": {"from": "00:00", "to": "23:59"}, "retry": {"times": 3}},
        )
        targets = yaml.safe_load((root / "targets.yaml").read_text())
        targets["targets"]["the-file"]["environment"] = "production"
        (root / "targets.yaml").write_text(yaml.safe_dump(targets))
        told = child(root, "20260101T000000Z-file-lost-00000a")
        assert "approv" in told["reason"], told
        assert (told["verdict"], told["again"], told["settled"]) == ("unknown", False, True), told
        stopped = file_drill.drillmark(root, "stop", "--by", "Lin", "--reason", "incident 7")
        assert stopped.returncode == 0, stopped.stderr
        told = child(root, "20260101T000001Z-file-lost-00000b")
        assert "incident 7" in told["reason"], told
        assert (told["again"], told["settled"]) == (False, True), told
        assert served.exists()
