"""The watcher of a drill's guards: what it makes of answers, and what its silence means."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from drillmark import clock
from drillmark.engine.drill_guards import SILENT_SECONDS, DrillGuards
from drillmark.engine.paths import RunPaths
from drillmark.model.entry import Kind
from drillmark.observe.answer import Answer
from drillmark.observe.watch import Watched, answer_seconds
from file_drill import activity
from observe_children import Child
from waiting import until

SECOND = 10**9
GOOD, BAD = Answer(ok=True, detail="ok"), Answer(ok=False, detail="503")


def answers(fails_for, *given):
    """What changed, answer by answer: each is (sent, received, answer) in seconds."""
    guard = Watched("g", fails_for * SECOND)
    return [guard.answered(int(sent * SECOND), int(received * SECOND), answer) for sent, received, answer in given]


@pytest.mark.parametrize(
    ("fails_for", "given", "changed"),
    [
        (2, [(0, 0, GOOD), (1, 1, BAD), (2, 2, BAD), (3, 3, BAD), (4, 4, BAD)], ["", "failing", "", "tripped", ""]),
        (2, [(0, 0, BAD), (1, 1, BAD), (2, 2, GOOD), (3, 3, BAD), (4, 4, BAD)], ["failing", "", "good", "failing", ""]),
        (0, [(0, 0, BAD)], ["tripped"]),
        # It counts from the send: an answer that never came had failed by then.
        (2, [(0, 0, GOOD), (1, 3, BAD)], ["", "tripped"]),
    ],
)
def test_it_trips_only_where_no_good_answer_lies_between(fails_for, given, changed):
    assert answers(fails_for, *given) == changed


@pytest.mark.parametrize(
    ("fails_for", "declared", "seconds"), [(10, None, 5), (10, 2, 2), (3, None, 3), (0, None, 1), (60, 30, 30)]
)
def test_an_answer_may_not_take_much_longer_than_the_guard_may_fail(fails_for, declared, seconds):
    assert answer_seconds(fails_for, declared) == seconds


def watcher(directory, *guards) -> Child:
    return Child("drillmark.observe.watch", "guards", directory, {"guards": list(guards)})


def lines(directory):
    path = directory / "watch.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_probe_that_hangs_one_that_raises_and_one_whose_target_is_not_there(tmp_path):
    """Each of them is a failure, none holds up another, and each is named with its reason."""
    guards = {
        "hangs": activity("p", "signal", "pause", tolerance=True),
        "raises": activity("p", "os", "listdir", tolerance=[], path=str(tmp_path / "nowhere")),
        "unreachable": {"name": "p", "type": "probe", "tolerance": 200,
                        "provider": {"type": "http", "url": "http://127.0.0.1:9/", "timeout": 1}},
        "good": activity("p", "os.path", "exists", tolerance=True, path=str(tmp_path)),
    }  # fmt: skip
    listed = [{"name": name, "activity": probe, "timeout_seconds": None, "fails_for_seconds": 1.0}
              for name, probe in guards.items()]  # fmt: skip
    child = watcher(tmp_path, *listed)
    try:
        child.go(60)
        bad = {"hangs", "raises", "unreachable"}
        until(
            lambda: {line["guard"] for line in lines(tmp_path) if line["what"] == "tripped"} == bad,
            lambda: (lines(tmp_path), child.log()),
        )
        assert child.status()["state"] == "ready"
    finally:
        child.end()
    errors = {line["guard"]: line["error"] for line in lines(tmp_path)}
    assert errors["hangs"] == "no answer within 1 s"
    assert errors["unreachable"] == "refused"
    wanted = json.loads((tmp_path / "abort").read_text())
    assert wanted["by"] == "guard"
    assert wanted["reason"].startswith(f"guard {wanted['guard']} has failed for ")


def guards_of(directory, entries=()):
    told = []
    context = SimpleNamespace(
        paths=RunPaths(directory), entries=list(entries), event=lambda what, **more: told.append((what, more["guard"]))
    )
    (directory / "children").mkdir(exist_ok=True)
    return DrillGuards(context), told


def test_silence_is_a_reason_to_stop_and_a_word_is_none(tmp_path):
    guards, _told = guards_of(tmp_path)
    now = clock.monotonic_ns()
    late = now + round((SILENT_SECONDS + 1) * SECOND)
    assert guards.silence(now) == ""
    assert "said nothing for" in guards.silence(late)
    seen = {"at_ns": late, "boot": clock.boot_id(), "guards": []}
    (tmp_path / "children/guards.seen.json").write_text(json.dumps(seen))
    assert guards.silence(late) == ""
    # A word of another boot says nothing about this one.
    (tmp_path / "children/guards.seen.json").write_text(json.dumps(seen | {"boot": "another"}))
    assert "said nothing for" in guards.silence(late)


def test_what_is_failing_before_the_fault_is_named(tmp_path):
    guards, _told = guards_of(tmp_path)
    assert "said nothing" in guards.failing()
    seen = {
        "at_ns": 1,
        "boot": "b",
        "guards": [{"name": "a", "failing_ns": None}, {"name": "b", "failing_ns": 0, "error": "503"}],
    }
    (tmp_path / "children/guards.seen.json").write_text(json.dumps(seen))
    assert guards.failing() == "guard b fails before anything was injected: 503"


def test_each_change_is_journalled_once_also_by_another_runner(tmp_path):
    changes = [{"what": what, "guard": "g", "error": "503"} for what in ("failing", "good", "failing", "tripped")]
    log = tmp_path / "watch.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in changes[:2]))
    guards, told = guards_of(tmp_path)
    guards.journal_changes()
    guards.journal_changes()
    assert [what for what, _guard in told] == ["guard_failing", "guard_good_again"]
    log.write_text("".join(json.dumps(line) + "\n" for line in changes))
    before = [SimpleNamespace(kind=Kind.EVENT, data={"what": what}) for what, _guard in told]
    resumed, told = guards_of(tmp_path, before)
    resumed.journal_changes()
    assert [what for what, _guard in told] == ["guard_failing", "guard_failed"]
