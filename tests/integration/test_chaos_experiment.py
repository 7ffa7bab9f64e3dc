"""Experiments in real child processes: the hold, the undo, and what may go wrong around them."""

from __future__ import annotations

import copy
import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from chaos_helpers import FUNCTIONS, Followed, control, experiment, lives, probe, python, shell
from drillmark.chaos import What, read_events, undo
from drillmark.chaos.preparing import UnfitError, prepare
from drillmark.chaos.redact import Redactor
from drillmark.model.entry import Status
from drillmark.processes import is_alive
from waiting import until


def _touch(name, path):
    return python(name, "note", path=str(path), text=name)


def test_it_waits_after_the_method_and_finishes_when_told(tmp_path):
    fault, undone = tmp_path / "fault", tmp_path / "undone"
    with Followed(
        tmp_path,
        experiment([_touch("break", fault)], [_touch("mend", undone)], probes=[probe("steady", value=True)]),
    ) as run:
        run.until(What.READY)
        time.sleep(0.3)
        assert not fault.exists(), "it began before it was told to go"
        run.child.send("go")
        run.until(What.METHOD_COMPLETED)
        assert fault.exists()
        time.sleep(0.5)
        assert run.poll() == []
        assert run.child.alive
        assert not undone.exists()
        run.child.send("finish")
        end = run.until(What.FINISHED)
        run.until_dead()
        assert (end.status, end.deviated) == ("completed", False)
        assert undone.exists()
        assert run.story == [
            "ready t",
            "started default",
            "activity_started steady",
            "activity_ended steady succeeded",
            "hypothesis_completed met",
            "activity_started break",
            "activity_ended break succeeded",
            "method_completed completed",
            "activity_started steady",
            "activity_ended steady succeeded",
            "hypothesis_completed met",
            "rollbacks_started",
            "activity_started mend",
            "activity_ended mend succeeded",
            "rollbacks_completed",
            "finished completed",
        ]
        assert [event.number for event in run.events] == list(range(1, len(run.events) + 1))
        assert run.journal["status"] == "completed"
        assert [entry["activity"]["name"] for entry in run.journal["rollbacks"]] == ["mend"]
        for path in (run.event_log, run.journal_path, run.log_path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_undo_skips_the_hypothesis_after(tmp_path):
    with Followed(
        tmp_path,
        experiment([_touch("break", tmp_path / "x")], [python("mend", "give")], probes=[probe("s", value=True)]),
    ) as run:
        run.play("undo")
        assert run.ended("hypothesis_after") == {}
        assert run.ended() == {"mend": "succeeded"}


@pytest.mark.parametrize("method", [[], [python("break", "give")]], ids=["empty", "action"])
def test_it_waits_also_without_a_hypothesis(tmp_path, method):
    with Followed(tmp_path, experiment(method, [python("mend", "give")])) as run:
        run.hold()
        time.sleep(0.2)
        assert run.child.alive
        assert run.ended() == {}
        run.child.send("finish")
        run.until(What.FINISHED)
        assert run.ended() == {"mend": "succeeded"}


def test_a_failed_gate_runs_neither_method_nor_rollbacks(tmp_path):
    with Followed(
        tmp_path,
        experiment(
            [_touch("break", tmp_path / "fault")],
            [_touch("mend", tmp_path / "undone")],
            probes=[probe("steady", value=False)],
        ),
    ) as run:
        run.until(What.READY)
        run.child.send("go")
        failed = run.until(What.GATE_FAILED)
        run.until_dead()
        assert failed.error == "the steady state probe 'steady' is not within its tolerance: false"
        assert run.events[-1].event == What.FINISHED
        assert not (tmp_path / "fault").exists()
        assert not (tmp_path / "undone").exists()
        assert What.ROLLBACKS_STARTED not in [event.event for event in run.events]


def test_every_rollback_runs_whatever_happened_to_the_others(tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    rollbacks = [
        {"type": "action", "name": "no program", "provider": {"type": "process", "path": str(tool)}},
        {"type": "action", "name": "bad address", "provider": {"type": "http", "url": "${nowhere}"}},
        {"type": "action", "name": "no answer", "provider": {"type": "http", "url": "http://127.0.0.1:9/"}},
        python("fails", "fail"),
        python("crashes", "crash"),
        python("leaves", "leave"),
        python("interrupts", "interrupt"),
        shell("exits with 1", "echo sorry >&2; exit 1"),
        {**python("in background", "crash"), "background": True},
        {"ref": "break"},
        _touch("last", tmp_path / "undone"),
    ]
    with Followed(tmp_path, experiment([shell("break", f"rm -f '{tool}'")], rollbacks)) as run:
        end = run.play()
        assert end.event == What.FINISHED
        assert (tmp_path / "undone").exists()
        assert run.ended() == {
            "no program": "failed",
            "bad address": "failed",
            "no answer": "failed",
            "fails": "failed",
            "crashes": "failed",
            "leaves": "failed",
            "interrupts": "failed",
            "exits with 1": "failed",
            "in background": "failed",
            "break": "succeeded",
            "last": "succeeded",
        }
        errors = {event.name: event.error for event in run.events if event.event == What.ACTIVITY_ENDED}
        assert errors["exits with 1"] == "the process ended with the status 1: sorry"
        assert errors["fails"].endswith("as asked")
        assert errors["bad address"].startswith("MissingSchema: ")
        assert [one["activity"].get("name") for one in run.journal["rollbacks"]].count("last") == 1
        assert all("status" in one for one in run.journal["rollbacks"])
        indexes = [
            event.index for event in run.events if event.event == What.ACTIVITY_ENDED and event.phase == "rollbacks"
        ]
        assert sorted(indexes) == list(range(len(rollbacks)))


def test_a_refused_action_has_failed(tmp_path):
    with Followed(tmp_path, experiment([shell("break", "exit 7"), shell("look", "exit 7", kind="probe")], [])) as run:
        run.play()
        assert run.ended("method") == {"break": "failed", "look": "succeeded"}


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


def test_a_broken_hypothesis_after_does_not_skip_the_rollbacks(tmp_path):
    number = tmp_path / "number"
    look = {**probe("steady", "give", tolerance=[1, 2]), "provider": shell("", "")["provider"]}
    look["provider"] = {"type": "process", "path": str(tmp_path / "look")}
    look["tolerance"] = 0
    (tmp_path / "look").write_text("#!/bin/sh\n")
    (tmp_path / "look").chmod(0o755)
    with Followed(
        tmp_path,
        experiment([shell("break", f"rm '{tmp_path}/look'")], [_touch("mend", number)], probes=[look]),
    ) as run:
        end = run.play()
        assert end.event == What.FINISHED
        assert number.exists()
        checked = [event for event in run.events if event.event == What.HYPOTHESIS_COMPLETED]
        assert [event.status for event in checked] == ["met", "indeterminate"]
        assert run.journal["status"] == "aborted"


def test_a_deviation_is_told(tmp_path):
    there = tmp_path / "there"
    there.touch()
    with Followed(
        tmp_path,
        experiment(
            [shell("break", f"rm '{there}'")],
            [python("mend", "give")],
            probes=[probe("s", "is_there", path=str(there))],
        ),
    ) as run:
        end = run.play()
        assert (end.status, end.deviated) == ("completed", True)
        assert run.journal["deviated"] is True


@pytest.mark.parametrize(
    ("controls", "reason"),
    [
        (
            [{"name": "c", "provider": {"type": "python", "module": "no_such_module"}}],
            "the control 'c' cannot be loaded",
        ),
        ([control(refuse=True)], "the control 'c' cannot be configured"),
        ([{"name": "c", "provider": {"type": "other"}}], "the control 'c' has no python provider"),
        ([control(veto="experiment")], "a control interrupted the experiment before its method"),
    ],
    ids=["missing", "raising", "foreign", "veto"],
)
def test_a_control_that_cannot_load_refuses_the_run(tmp_path, controls, reason):
    with Followed(
        tmp_path, experiment([_touch("break", tmp_path / "x")], [_touch("mend", tmp_path / "y")], controls=controls)
    ) as run:
        if run.until(What.READY, What.FAILED).event == What.READY:
            run.child.send("go")
        failed = run.until(What.FAILED)
        run.until_dead()
        assert reason in failed.error
        assert not (tmp_path / "x").exists()
        assert not (tmp_path / "y").exists()


def test_controls_run_around_activities(tmp_path):
    told = tmp_path / "told"
    with Followed(
        tmp_path,
        experiment([python("break", "give")], [python("mend", "give")], controls=[control(path=str(told))]),
    ) as run:
        run.play()
        assert told.read_text().split("\n")[:-1] == ["before break", "after break", "before mend", "after mend"]


@pytest.mark.parametrize("veto", ["mend", "all rollbacks"])
def test_a_control_cannot_veto_an_undo(tmp_path, veto):
    with Followed(
        tmp_path,
        experiment(
            [python("break", "give")],
            [_touch("mend", tmp_path / "one"), _touch("more", tmp_path / "two")],
            controls=[control(veto=veto)],
        ),
    ) as run:
        run.play()
        assert (tmp_path / "one").read_text() == "mend\n"
        assert (tmp_path / "two").read_text() == "more\n"
        assert run.ended() == {"mend": "succeeded", "more": "succeeded"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"method": [python("a", "nowhere")]}, "does not expose a function called 'nowhere'"),
        ({"rollbacks": [{"ref": "nope"}]}, "the rollbacks refers to an activity 'nope' that does not exist"),
        ({"dry": "actions"}, "never dry"),
        ({"method": [{**python("a", "give"), "dry": "actions"}]}, "never dry"),
        ({"method": "x"}, "method is a list"),
        ({"runtime": {"hypothesis": {"strategy": "other"}}}, "Unknown strategy"),
        ({"configuration": {"k": {"type": "env", "key": "NO_SUCH_VARIABLE"}}}, "NO_SUCH_VARIABLE"),
        ({"configuration": {"k": probe("p", "crash")}}, "the configuration 'k' could not be loaded: its probe failed"),
        ({"secrets": {"s": {"type": "vault", "path": "x"}}}, "the secret 's' could not be"),
    ],
)
def test_what_chaos_toolkit_rejects_is_refused_before_anything(tmp_path, wrong, reason):
    whole = {**experiment([python("a", "give")]), **wrong}
    with pytest.raises(UnfitError, match=re.escape(reason)):
        prepare({"experiment": copy.deepcopy(whole), "journal_path": str(tmp_path / "j")}, Redactor())


def test_a_refusal_stands_in_the_event_log(tmp_path):
    with Followed(tmp_path, experiment([python("a", "give")], dry="actions")) as run:
        failed = run.until(What.FAILED)
        run.until_dead()
        assert "never dry" in failed.error


def test_no_effect_begins_that_cannot_be_written_down(tmp_path):
    with Followed(
        tmp_path,
        experiment(
            [python("fill the disk", "no_more_writing"), python("next", "make_directory", path=str(tmp_path / "next"))],
            [python("mend", "make_directory", path=str(tmp_path / "undone"))],
        ),
    ) as run:
        run.until(What.READY)
        run.child.send("go")
        run.until_dead()
        assert not (tmp_path / "next").exists()
        assert (tmp_path / "undone").exists()
        assert run.events[-1].name == "fill the disk"


def test_nothing_begins_where_the_event_log_cannot_be_opened(tmp_path):
    (tmp_path / "chaos" / "events.jsonl").mkdir(parents=True)
    with Followed(tmp_path, experiment([_touch("break", tmp_path / "x")])) as run:
        run.child.send("go")
        until(lambda: not run.child.alive)
        assert not (tmp_path / "x").exists()
        assert "the event log cannot be opened" in run.log


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


def test_continuous_hypothesis_stops_before_the_hold(tmp_path):
    whole = experiment(
        [python("break", "rest", seconds=0.3)],
        [python("mend", "give")],
        probes=[probe("steady", value=True)],
        runtime={"hypothesis": {"strategy": "continuously"}},
    )
    with Followed(tmp_path, whole) as run:
        run.hold()
        assert "hypothesis_during" in {event.phase for event in run.events}
        time.sleep(1.5)
        assert run.poll() == []
        run.child.send("finish")
        run.until(What.FINISHED)
        assert len(run.journal["steady_states"]["during"]) >= 1


def test_activities_know_the_run(tmp_path):
    with Followed(
        tmp_path,
        experiment(
            [python("env", "drillmark_environment"), python("conf", "configuration_of", key="drillmark_run")],
            [],
            configuration={"x": {"type": "env", "key": "NO_SUCH_VARIABLE"}},
        ),
        configuration_resolved={"x": 1},
        variables={"drillmark_run": "r1", "drillmark_fault_begin": None},
    ) as run:
        run.play()
        outputs = {event.name: event.output for event in run.events if event.event == What.ACTIVITY_ENDED}
        assert outputs["env"] == {
            "DRILLMARK_RUN": "r1",
            "DRILLMARK_RUN_DIR": str(tmp_path),
            "DRILLMARK_PROGRESS": str(tmp_path / "progress.jsonl"),
            "DRILLMARK_ATTEMPT": "1",
        }
        assert outputs["conf"] == "r1"
