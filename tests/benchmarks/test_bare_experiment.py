"""A bare experiment through `drillmark experiment` beside `chaos run`, in turn, medians of the wall time.

The aims are 1.25 on a trivial one and 1.02 on one of 30 s. The first is missed: on two cores with little else to do it
is 1.8 to 2.6 (0.8 s to 0.3 to 0.5 s, medians of 7), as Drillmark's own process, the child and the guard take 0.9 s of processor
time to start, and `chaos run` 0.3 s. The second is met there: 1.010 and 1.015 (30.9 s to 30.5 s). On a machine that is
busy with other work 3 was seen on the trivial one. The gates hold against its getting worse.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos_helpers import experiment, python, shell
from exhaustive import how_many

TRIVIAL_AIM, TRIVIAL_GATE = 1.25, 3.5
LONG_AIM, LONG_GATE = 1.02, 1.2

pytestmark = pytest.mark.benchmark


def _seconds(folder: Path, command: list[str]) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "DRILLMARK_WORKSPACE"}
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment | {"HOME": str(folder)}, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stdout + done.stderr
    return seconds


def _ratio(folder: Path, what: dict, rounds: int) -> tuple[float, float, float]:
    (folder / "x.json").write_text(json.dumps(what))
    chaos = Path(sys.executable).with_name("chaos")
    # Asking for a newer version goes over the network.
    theirs = [str(chaos), "--no-version-check", "--no-log-file", "run", "--rollback-strategy=always", "x.json"]
    ours = [sys.executable, "-m", "drillmark", "experiment", "x.json"]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for found, command in zip(times, (theirs, ours), strict=True):
            found.append(_seconds(folder, command))
    one, other = map(statistics.median, times)
    return other / one, one, other


def test_a_trivial_experiment(tmp_path, capsys):
    what = experiment([python("do", "getcwd")], [python("undo", "getcwd")])
    for activity in (*what["method"], *what["rollbacks"]):
        activity["provider"]["module"] = "os"
    ratio, one, other = _ratio(tmp_path, what, how_many(5, 15))
    with capsys.disabled():
        print(f"\ntrivial experiment: {ratio:.2f} times chaos run ({other:.2f} s to {one:.2f} s), aim {TRIVIAL_AIM}")
    assert ratio <= TRIVIAL_GATE


def test_an_experiment_of_thirty_seconds(tmp_path, capsys):
    what = experiment([shell("do", "sleep 30")], [shell("undo", "true")])
    ratio, one, other = _ratio(tmp_path, what, how_many(1, 3))
    with capsys.disabled():
        print(f"\nexperiment of 30 s: {ratio:.3f} times chaos run ({other:.2f} s to {one:.2f} s), aim {LONG_AIM}")
    assert ratio <= LONG_GATE
