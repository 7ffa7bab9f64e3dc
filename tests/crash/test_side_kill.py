"""`kill -9` on the runner of a simulated disaster, at its own boundaries; then `resume`, or the guard.

Whatever the point: production was never touched, no copy is left, and the numbers hold or there are none. All points
with the exhaustive switch; two in every run.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import workspaces
from exhaustive import EXHAUSTIVE

DYING = Path(__file__).with_name("dying_runner.py")
SIDE = "drills/quarterly/orders-side-restore.yaml"
POINTS = [
    "after intent inject",
    "in restore-to-the-side",
    "in backup-store",
    "after intent start_side",
    "before intent inject",
    "after outcome inject",
    "after intent recover 0:restore-to-the-side",
    "before outcome recover 0:restore-to-the-side",
    "after outcome recover 0:restore-to-the-side",
    "after intent verify 0:copy-matches-orders",
    "after intent soak",
    "after intent read_back",
    "after intent undo",
    "before outcome undo",
    "after outcome undo",
    "after intent prove_undone",
    "before undone",
    "after undone",
]
pytestmark = [pytest.mark.lab, pytest.mark.drill]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = workspaces.make(tmp_path_factory.mktemp("side-crash") / "a workspace")
    objectives = {"rto": "4h", "rpo": "1h", "slo": {"availability": "50%"}}
    workspaces.shorten(place, SIDE, without=["load"], lease="120s", objectives=objectives)
    yield place
    workspaces.drillmark(place, "lab", "down")


def die_at(workspace: Path, point: str) -> None:
    log = workspace / f"points-{time.monotonic_ns()}.txt"
    command = [sys.executable, str(DYING), str(workspace), "drills/short-orders-side-restore.yaml", point, str(log)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr + done.stdout


def assert_nothing_left(workspace: Path) -> None:
    side = workspace / ".drillmark/lab/side"
    deadline = time.monotonic() + 60
    while left := [*(side.iterdir() if side.is_dir() else []), *workspaces.processes_of(f"{side}/restored-")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
    assert json.loads((workspaces.newest(workspace) / "undo.json").read_text())["undoables"] == []
    lab = json.loads((workspace / ".drillmark/lab/lab.json").read_text())
    assert (lab["primary"], list(lab["clusters"])) == ("main", ["main"])


@pytest.mark.parametrize("point", POINTS if EXHAUSTIVE else POINTS[:2])
def test_killed_and_resumed(workspace, point):
    die_at(workspace, point)
    resumed = workspaces.drillmark(workspace, "resume", "last", "--json")
    assert resumed.returncode in (0, 1, 4), resumed.stderr
    assert_nothing_left(workspace)
    result = workspaces.result(workspace)
    lines = (workspaces.newest(workspace) / "journal.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    declared = [one for one in entries if one["kind"] == "intent" and one["data"]["effect"] == "inject"]
    assert len(declared) == 1, "a disaster is declared once"
    assert result["writes"]["unexpected"] == 0
    source = next(one for one in result["objectives"] if one["name"] == "source")
    assert source["verdict"] == "passed", source
    assert result["rto"]["observed_seconds"]["hi"] is not None, result["reasons"]
    restored = result["stamps"]["t_data_restored"]
    assert restored["lo"] <= result["rto"]["observed_seconds"]["hi"]
    assert workspaces.drillmark(workspace, "verify", "last").returncode == 0


@pytest.mark.skipif(not EXHAUSTIVE, reason="the guard's undo is the same as after a real fault; make test-exhaustive")
def test_killed_and_never_resumed_the_guard_takes_the_copy_away(workspace):
    settings = workspace / "drillmark.yaml"
    settings.write_text(settings.read_text().replace("120s", "10s"))
    die_at(workspace, "after intent soak")
    deadline = time.monotonic() + 120
    side = workspace / ".drillmark/lab/side"
    while any(side.iterdir()):
        assert time.monotonic() < deadline, list(side.iterdir())
        time.sleep(0.2)
    resumed = workspaces.drillmark(workspace, "resume", "last", "--json")
    assert resumed.returncode in (1, 3, 4), resumed.stderr
    assert_nothing_left(workspace)
