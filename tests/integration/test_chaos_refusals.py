"""What an experiment child refuses: before anything begins, or in the middle, what cannot be written down."""

from __future__ import annotations

import copy
import re

import pytest

from chaos_helpers import Followed, control, experiment, probe, python
from drillmark.chaos import What
from drillmark.chaos.preparing import UnfitError, prepare
from drillmark.chaos.redact import Redactor
from waiting import until


def _touch(name, path):
    return python(name, "note", path=str(path), text=name)


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
