"""When the guard acts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from drillmark import files, processes
from drillmark.engine import bare, early
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.guard.__main__ import Config
from drillmark.guard.watching import Lookout, Watch, reason_to_act
from waiting import until

SECOND = 10**9


def reason(*, silent=0.0, abort=None, in_effect=True, lost="undo", now=1000.0, deadline=2000.0, stopping=False):
    watch = Watch(
        now_ns=int(now * SECOND),
        renewed_ns=int((now - silent) * SECOND),
        abort_since_ns=None if abort is None else int((now - abort) * SECOND),
        something_in_effect=in_effect,
        stopping=stopping,
    )
    return reason_to_act(watch, lease_seconds=30.0, runner_lost=lost, deadline_ns=int(deadline * SECOND))


@pytest.mark.parametrize(
    ("saw", "words"),
    [
        ({"silent": 1}, ""),
        ({"silent": 29.9}, ""),
        ({"silent": 30.1}, "the runner's lease of 30 s ran out"),
        ({"silent": 3000, "lost": "hold"}, ""),
        ({"silent": 3000, "lost": "hold", "in_effect": False}, "the runner's lease of 30 s ran out"),
        ({"abort": 4}, ""),
        ({"abort": 6}, "an abort was asked for and not obeyed"),
        ({"now": 2031, "lost": "hold"}, "the run's deadline has passed"),
        ({"now": 2001}, ""),
        # It obeys; its undo takes its time.
        ({"abort": 600, "stopping": True}, ""),
        ({"now": 2500, "stopping": True}, ""),
        # It said so, and then it was stopped itself.
        ({"abort": 600, "stopping": True, "silent": 31}, "an abort was asked for and not obeyed"),
    ],
)
def test_the_rule(saw, words):
    assert reason(**saw) == words


def test_what_it_looks_at(tmp_path):
    paths, workspace = RunPaths(tmp_path / "run"), WorkspacePaths(tmp_path)
    paths.directory.mkdir()
    lookout = Lookout(paths, workspace, "boot", 7)
    look = lambda: lookout.look(50)  # noqa: E731
    assert look() == Watch(50, 7, None, False)
    paths.lease.write_text(json.dumps({"renewed_ns": 40, "boot": "boot"}))
    assert look().renewed_ns == 40
    paths.lease.write_text(json.dumps({"renewed_ns": 40, "boot": "another boot"}))
    assert look().renewed_ns == 7
    paths.undo.write_text(json.dumps({"undoables": [{}]}))
    assert look().something_in_effect
    # An undo file that cannot be read may hold anything.
    paths.undo.write_text("torn {")
    assert look().something_in_effect
    paths.abort.touch()
    assert look().abort_since_ns == 50


def test_it_waits_longer_for_its_go_than_an_experiment_may_take_to_load(tmp_path):
    paths = RunPaths(tmp_path)
    early.make_directory(paths)
    early.write_guard_config(
        paths, WorkspacePaths(tmp_path), "r", 1, lease_seconds=30.0, runner_lost="undo", hold_seconds=0.0
    )
    assert Config.read(paths.guard_config).go_within_seconds > bare.READY_SECONDS


def test_it_does_not_wait_for_a_runner_that_ended_before_it_said_go(tmp_path):
    script = """
import sys, time
from pathlib import Path
from drillmark import files, processes
from drillmark.engine import early
from drillmark.engine.paths import RunPaths, WorkspacePaths

workspace, paths = WorkspacePaths(Path(sys.argv[1])), RunPaths(Path(sys.argv[1]) / "run")
early.make_directory(paths)
early.write_guard_config(paths, workspace, "r", 1, lease_seconds=30.0, runner_lost="undo", hold_seconds=0.0)
guard = early.start_process(workspace, paths, "r", "guard", "drillmark.guard", paths.guard_config)
time.sleep(3)
print(guard.pid, processes.identify(guard.pid).start, guard.poll(), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    pid, start, code = done.stdout.split()
    assert code == "None"
    until(lambda: not processes.is_alive(processes.ProcessIdentity(int(pid), start)), seconds=60.0)


def test_a_word_to_go_that_names_another_process_is_not_for_this_one(tmp_path):
    workspace, paths = WorkspacePaths(tmp_path), RunPaths(tmp_path / "run")
    early.make_directory(paths)
    early.write_guard_config(paths, workspace, "r", 1, lease_seconds=30.0, runner_lost="undo", hold_seconds=0.0)
    guard = early.start_process(workspace, paths, "r", "guard", "drillmark.guard", paths.guard_config)
    files.write_whole(paths.child("guard", "go"), str(guard.pid + 1))
    assert guard.wait(60) == 3
    assert not paths.child("guard", "json").exists()
