"""`kill -9` on the runner between undo file, intent, effect and outcome; then `resume`, or the guard.

Seeded: the points are drawn from those that an undisturbed run passed. `DRILLMARK_CRASH_SEED` and
`DRILLMARK_CRASH_RUNS` choose others; the seed is printed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from observer import Observer

import workspaces
from drillmark import undo

SEED = int(os.environ.get("DRILLMARK_CRASH_SEED", "20261120"))
RUNS = int(os.environ.get("DRILLMARK_CRASH_RUNS", "10"))
DYING = Path(__file__).with_name("dying_runner.py")
DRILL = "drills/quarterly/orders-db-lost.yaml"

pytestmark = [pytest.mark.lab, pytest.mark.drill]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = workspaces.make(tmp_path_factory.mktemp("crash") / "a workspace")
    # Without load: it takes the most time to start, and plays no part in what is proved here.
    workspaces.shorten(place, DRILL, without=["load"], lease="10s", objectives={"rto": "4h", "rpo": "1h"})
    yield place
    workspaces.drillmark(place, "lab", "down")


@pytest.fixture(scope="module")
def points(workspace):
    """The undisturbed run: it passes, and tells which points there are."""
    code, names = run_dying(workspace, 0)
    assert code == 0, workspaces.result(workspace)["verdict"]
    return names


def run_dying(workspace: Path, point: int) -> tuple[int, list[str]]:
    log = workspace / f"points-{point}-{time.monotonic_ns()}.txt"
    command = [sys.executable, str(DYING), str(workspace), "drills/short-orders-db-lost.yaml", str(point), str(log)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert log.exists(), done.stderr + done.stdout
    assert done.returncode in (-signal.SIGKILL, 0), done.stderr + done.stdout
    names = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    return done.returncode, names


def lab_environment(workspace: Path) -> dict[str, str]:
    return json.loads((workspace / ".drillmark/lab/lab.json").read_text())["environment"]


def assert_healthy(workspace: Path) -> None:
    """The service answers with the database behind it; nothing of the run is left."""
    url = lab_environment(workspace)["ORDERS_URL"] + "/health"
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                assert answer.status == 200
                break
        except OSError:
            assert time.monotonic() < deadline, "the service did not come back"
            time.sleep(0.2)
    state = undo.read(workspaces.newest(workspace) / "undo.json")
    assert state is None or not state.undoables
    left = processes_left(workspace)
    assert not left, left


def processes_left(workspace: Path) -> list[str]:
    """Processes of the newest run: the lab's own are not meant."""
    directory = str(workspaces.newest(workspace))
    deadline = time.monotonic() + 10
    while (left := workspaces.processes_of(directory)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def assert_true(result: dict, observer: Observer, entries: list[dict]) -> None:
    """The interval holds what the observer saw, or there is none."""
    observed = result["rto"]["observed_seconds"]
    begun = [e["stamp"]["monotonic_ns"] / 1e9 for e in entries if e["data"].get("effect") == "inject"]
    if observed is None or not begun:
        assert result["rto"]["verdict"] != "passed"
        return
    truth = observer.outage(begun[0])
    assert truth is not None
    lo, hi = observed["lo"], observed["hi"]
    # The recovery's own last step is part of the RTA, so that may be a little longer than the outage.
    assert hi is None or hi >= truth[0], (observed, truth)
    assert lo <= truth[1] + 1.0, (observed, truth)


def pytest_generate_tests(metafunc):
    if "draw" in metafunc.fixturenames:
        metafunc.parametrize("draw", range(RUNS))


def test_killed_anywhere_and_resumed(workspace, points, draw):
    chance = random.Random(f"{SEED}-{draw}")
    # One in each tenth of the way, so that a few draws cover every phase.
    share = len(points) / RUNS
    point = 1 + min(len(points) - 1, int(draw * share + chance.random() * share))
    print(f"seed {SEED}, draw {draw}: killed at {point} of {len(points)}, {points[point - 1]}")
    with Observer(lab_environment(workspace)["ORDERS_URL"] + "/health") as observer:
        code, _names = run_dying(workspace, point)
        assert code == -signal.SIGKILL
        resumed = workspaces.drillmark(workspace, "resume", "last", "--json")
        print(resumed.stderr)
        if "never began" in resumed.stderr or "has ended" in resumed.stderr:
            assert resumed.returncode == 2
        else:
            assert resumed.returncode in (0, 1, 3, 4), resumed.stderr
            result = workspaces.result(workspace)
            lines = (workspaces.newest(workspace) / "journal.jsonl").read_text().splitlines()
            entries = [json.loads(line) for line in lines]
            injections = [e for e in entries if e["kind"] == "intent" and e["data"]["effect"] == "inject"]
            assert len(injections) <= 1
            assert_true(result, observer, entries)
            checked = workspaces.drillmark(workspace, "verify", "last")
            assert checked.returncode == 0, checked.stdout + checked.stderr
    assert_healthy(workspace)


def test_killed_and_never_resumed_the_guard_undoes(workspace, points):
    point = 1 + points.index("after intent recover 1:restore-latest")
    began = time.monotonic()
    code, _names = run_dying(workspace, point)
    assert code == -signal.SIGKILL
    killed = time.monotonic()
    url = lab_environment(workspace)["ORDERS_URL"] + "/health"
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                break
        except OSError:
            # The lease is 10 s; the undo starts the old server again, which replays its log.
            assert time.monotonic() - killed < 10 + 2 + 15, "the guard did not undo the fault"
            time.sleep(0.1)
    assert time.monotonic() - began > 10
    deadline = time.monotonic() + 20
    while processes_left(workspace) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert_healthy(workspace)
    resumed = workspaces.drillmark(workspace, "resume", "last", "--json")
    assert resumed.returncode in (1, 3, 4), resumed.stderr
    result = workspaces.result(workspace)
    assert result["verdict"] != "passed"
