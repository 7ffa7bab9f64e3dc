"""Experiments in real child processes that are cut short: by their parent, by signals, by their own activities."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from chaos_helpers import FUNCTIONS, Followed, experiment, lives, python, shell
from drillmark.chaos import What, read_events, undo
from drillmark.model.entry import Status
from drillmark.processes import is_alive
from waiting import until


def _touch(name, path):
    return python(name, "note", path=str(path), text=name)


@pytest.mark.parametrize("activity", ["process", "python", "busy"])
def test_the_parents_death_kills_the_group_at_once(tmp_path, activity):
    mark = tmp_path / "mark"
    slow = {
        "process": shell("slow", f"echo $$ > '{mark}'; sleep 600; touch '{tmp_path}/late'"),
        "python": python("slow", "rest", seconds=600, mark=str(mark)),
        "busy": python("slow", "spin", seconds=600, mark=str(mark)),
    }[activity]
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import json, sys, time
            sys.path.insert(0, {str(Path(__file__).parents[1])!r})
            from pathlib import Path
            from chaos_helpers import Followed, experiment, python
            from drillmark.chaos import What
            run = Followed(Path({str(tmp_path)!r}), experiment(
                [{slow!r}, python("next", "note", path={str(tmp_path / "next")!r})],
                [python("mend", "note", path={str(tmp_path / "mend")!r})]))
            run.until(What.READY)
            run.child.send("go")
            print(run.child.identity.pid, flush=True)
            time.sleep(600)
            """
        )
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    until(lambda: mark.exists() and mark.read_text().strip())
    below = int(mark.read_text())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not lives(child))
    until(lambda: not lives(below))
    time.sleep(0.3)
    assert not (tmp_path / "next").exists()
    assert not (tmp_path / "mend").exists()
    assert not (tmp_path / "late").exists()
    events = read_events(tmp_path / "chaos" / "events.jsonl")
    assert events[-1].event == What.ACTIVITY_STARTED
    assert events[-1].name == "slow"


def test_signals_are_the_parents_business(tmp_path):
    mark = tmp_path / "mark"
    method = [
        python("slow", "rest", seconds=1.0, mark=str(mark)),
        # What activities start must have its signals as usual.
        shell("below", "sleep 30 & kill -TERM $!; wait $!; echo $?"),
    ]
    with Followed(tmp_path, experiment(method, [python("mend", "give")])) as run:
        run.until(What.READY)
        run.child.send("go")
        until(mark.exists)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(run.child.identity.pid, number)
        held = run.until(What.METHOD_COMPLETED)
        assert held.status == "completed"
        assert run.ended("method") == {"slow": "succeeded", "below": "succeeded"}
        assert run.events[-2].output["stdout"].strip() == str(128 + signal.SIGTERM)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(run.child.identity.pid, number)
        time.sleep(0.2)
        assert run.child.alive
        run.child.send("finish")
        assert run.until(What.FINISHED).status == "completed"


@pytest.mark.parametrize("how", ["exit_gracefully", "exit_ungracefully", "leave"])
def test_an_activity_that_leaves_ends_the_method_and_is_undone(tmp_path, how):
    with Followed(
        tmp_path, experiment([python("out", how), _touch("next", tmp_path / "next")], [python("mend", "give")])
    ) as run:
        run.hold()
        assert run.events[-1].status == "interrupted"
        assert not (tmp_path / "next").exists()
        assert run.ended("method") == {"out": "indeterminate"}
        run.child.send("finish")
        assert run.until(What.FINISHED).status == "interrupted"
        assert run.ended() == {"mend": "succeeded"}


def test_a_background_activity_that_crashes_is_indeterminate(tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    gone = {"type": "action", "name": "gone", "provider": {"type": "process", "path": str(tool)}, "background": True}
    with Followed(tmp_path, experiment([shell("remove", f"rm '{tool}'"), gone], [])) as run:
        run.play()
        assert run.ended("method") == {"remove": "succeeded", "gone": "indeterminate"}
        # What chaoslib itself makes of it: a green run, in which the action has no status.
        assert run.journal["status"] == "completed"
        assert "status" not in run.journal["run"][1]


def test_activities_cannot_read_the_commands(tmp_path):
    with Followed(tmp_path, experiment([shell("read", "cat; echo end")], [])) as run:
        run.until(What.READY)
        run.child.send("go")
        run.child.send("finish")
        assert run.until(What.FINISHED).status == "completed"
        assert next(e.output["stdout"] for e in run.events if e.name == "read" and e.status) == "end\n"


def test_a_killed_child_leaves_its_events_and_its_undo_to_others(tmp_path):
    whole = experiment(
        [_touch("break", tmp_path / "fault"), python("slow", "rest", seconds=600)],
        [
            _touch("one", tmp_path / "undo"),
            python("bad", "crash"),
            {"ref": "nope"},
            {**shell("hangs", "sleep 600"), "timeout": 1},
            _touch("two", tmp_path / "undo"),
        ],
    )
    whole["rollbacks"].pop(2)
    with Followed(tmp_path, whole) as run:
        run.until(What.READY)
        run.child.send("go")
        until(lambda: run.poll() is not None and any(e.name == "slow" for e in run.events))
        assert [event.name for event in run.child.running] == ["slow"]
        os.kill(run.child.identity.pid, signal.SIGKILL)
        run.until_dead()
        assert not is_alive(run.child.identity)
        run.child.kill()
    # The last line is cut short, as by a power loss.
    with run.event_log.open("ab") as file:
        file.write(b'{"n": 99, "event": "activi')
    events = read_events(run.event_log)
    assert [event.event for event in events][-1] == What.ACTIVITY_STARTED
    whole["rollbacks"].insert(2, {"ref": "nope"})
    seen = []
    begun = []
    os.environ["PYTHONPATH"], before = FUNCTIONS["PYTHONPATH"], os.environ.get("PYTHONPATH")
    try:
        outcomes = undo.perform(
            whole,
            {0},
            run_dir=tmp_path,
            timeout_seconds_each=1.0,
            on_outcome=lambda index, outcome: seen.append((index, outcome.status)),
            on_begin=lambda _, name: begun.append(name),
        )
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    assert seen == [(1, Status.FAILED), (2, Status.FAILED), (3, Status.TIMED_OUT), (4, Status.SUCCEEDED)]
    assert begun == ["bad", "nope", "hangs", "two"]
    assert [outcome.name for outcome in outcomes] == begun
    assert (tmp_path / "undo").read_text() == "two\n"


def test_undo_does_without_what_it_cannot_load(tmp_path):
    whole = experiment(
        [],
        [_touch("${x}", tmp_path / "undo")],
        configuration={"x": "y", "lost": {"type": "env", "key": "NO_SUCH_VARIABLE"}},
        secrets={"s": {"p": {"type": "env", "key": "NO_SUCH_VARIABLE"}}},
        controls=[{"name": "c", "provider": {"type": "python", "module": "no_such_module"}}],
    )
    outcomes = undo.perform(whole, set(), run_dir=tmp_path, environment=FUNCTIONS)
    assert [outcome.status for outcome in outcomes] == [Status.SUCCEEDED]
    assert (tmp_path / "undo").read_text() == "y\n"


def test_two_children_at_once(tmp_path):
    def whole(name):
        return experiment([_touch(name, tmp_path / f"{name}.txt")], [python("mend", "give")])

    with Followed(tmp_path / "one", whole("one")) as one, Followed(tmp_path / "two", whole("two")) as two:
        one.hold()
        two.hold()
        one.child.send("finish")
        two.child.send("undo")
        one.until(What.FINISHED)
        two.until(What.FINISHED)
        assert one.ended("method") == {"one": "succeeded"}
        assert two.ended("method") == {"two": "succeeded"}


def test_an_activity_that_takes_too_long_is_told_and_can_be_killed(tmp_path):
    slow = python("slow", "rest", seconds=600, mark=str(tmp_path / "mark"))
    slow["provider"]["timeout"] = 2
    with Followed(tmp_path, experiment([slow], [python("mend", "give")])) as run:
        run.until(What.READY)
        run.child.send("go")
        run.until(What.ACTIVITY_STARTED)
        assert run.child.overdue() == []
        until(lambda: run.child.overdue() != [])
        assert [event.name for event in run.child.overdue()] == ["slow"]
        run.child.kill()
        assert not run.child.alive


def test_a_server_that_a_rollback_started_lives_on(tmp_path):
    mark = tmp_path / "mark"
    with Followed(tmp_path, experiment([], [python("start it again", "start_server", mark=str(mark))])) as run:
        run.play()
    run.child.kill()
    pid = int(mark.read_text())
    try:
        time.sleep(0.5)
        assert lives(pid), "our end killed what the undo had brought back"
    finally:
        os.kill(pid, signal.SIGKILL)
