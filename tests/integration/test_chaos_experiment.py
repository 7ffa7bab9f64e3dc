"""Experiments in real child processes: the hold, the undo, and what they tell."""

from __future__ import annotations

import stat
import time

import pytest

from chaos_helpers import Followed, experiment, probe, python, shell
from drillmark.chaos import What


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
