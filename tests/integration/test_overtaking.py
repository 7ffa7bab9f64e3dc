"""A run whose machine is lost is ended on another one: undone from the copy, unknown, and never gone on with."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

import builders
from drillmark import artifacts, clock, processes, undo
from drillmark.cli import states
from drillmark.engine import late_guard
from drillmark.engine.overtaking import NO_COPY, bar, overtake
from drillmark.engine.paths import WorkspacePaths
from drillmark.engine.view import SilentView
from drillmark.errors import JournalError, RefusedError, StaleEpochError, UndoFileError
from drillmark.journal.store import JournalStore, RunRow
from drillmark.model.entry import Kind
from drillmark.undo import Child, Undoable, UndoState

RUN = RunRow("20260101T000000Z-x-abcdef", "x", "db", "reports/runs/20260101T000000Z-x-abcdef", 1, 0)


@pytest.fixture
def store(tmp_path):
    made = JournalStore(WorkspacePaths(tmp_path).journal)
    yield made
    made.close()


def begin(store: JournalStore, *, injected: bool = True, **guard: object):
    """As the lost worker left it. `guard`: what it wrote of its guard, if it had one."""
    store.create(RUN)
    last = store.append(
        None,
        run=RUN.run,
        epoch=1,
        kind=Kind.RUN_STARTED,
        stamp=clock.now(),
        data={"drill": "x", "deadline_seconds": 3600.0},
    )
    if guard:
        data = {"effect": "start_guard", "key": "", "attempt": 1} | guard
        last = store.append(last, run=RUN.run, epoch=1, kind=Kind.INTENT, stamp=clock.now(), data=data)
    if injected:
        data = {"effect": "inject", "key": "", "attempt": 1}
        last = store.append(last, run=RUN.run, epoch=1, kind=Kind.INTENT, stamp=clock.now(), data=data)
    return last


def copy_of(fault, func: str = "remove", guard: Child | None = None) -> str:
    provider = {"type": "python", "module": "os", "func": func, "arguments": {"path": str(fault)}}
    experiment = {
        "title": "x",
        "description": "x",
        "method": [],
        "rollbacks": [{"name": "mend", "type": "action", "provider": provider}],
    }
    # Its children lived on another machine: whoever has that pid here is nobody's business.
    state = UndoState(RUN.run, (Undoable("experiments/x.yaml", experiment),), (Child("chaos", 1, "never"),))
    state = state if guard is None else state.with_child(guard)
    return undo.to_text(state)


def test_it_is_undone_from_the_copy_and_ends_unknown(tmp_path, store):
    fault = tmp_path / "broken"
    fault.touch()
    last = begin(store)
    ended = overtake(tmp_path, store, RUN, worker="other", copy=copy_of(fault))
    assert ended is not None
    assert (ended.verdict, ended.exit_code) == ("unknown", 3)
    assert not fault.exists()
    entries = store.read(RUN.run)
    kinds = [entry.kind for entry in entries[2:]]
    assert kinds == [Kind.RESUMED, Kind.ABORT, Kind.INTENT, Kind.OUTCOME, Kind.UNDONE, Kind.RUN_ENDED]
    assert entries[2].data["taken_over_by"] == "other"
    # The lost worker comes back: nothing it wants to do can be written, so nothing is done.
    with pytest.raises(StaleEpochError):
        store.append(last, run=RUN.run, epoch=1, kind=Kind.EVENT, stamp=clock.now(), data={"what": "back"})
    # Asked again, it finds the end.
    again = overtake(tmp_path, store, RUN, worker="third", copy=store.kept_undo(RUN.run))
    assert again is not None
    assert "had ended" in again.reasons[0]
    assert store.read(RUN.run) == entries


def test_how_a_run_ended_is_handed_on_as_it_stands_in_its_journal(tmp_path, store):
    last = begin(store)
    data = {"verdict": "failed", "exit_code": 1}
    store.append(last, run=RUN.run, epoch=1, kind=Kind.RUN_ENDED, stamp=clock.now(), data=data)
    ended = overtake(tmp_path, store, RUN, worker="other", copy=None)
    assert ended is not None
    assert (ended.verdict, ended.exit_code) == ("failed", 1)


@pytest.mark.parametrize("func", ["remove", "rmdir"])
def test_what_a_run_left_that_had_ended_is_undone_before_anybody_has_its_target(tmp_path, store, func):
    fault = tmp_path / "broken"
    fault.touch()
    last = begin(store)
    data = {"verdict": "failed", "exit_code": 1}
    store.append(last, run=RUN.run, epoch=1, kind=Kind.RUN_ENDED, stamp=clock.now(), data=data)
    copy = copy_of(fault, func)
    if func == "rmdir":  # which removes no file: still it is there
        for worker in ("other", "third"):
            with pytest.raises(UndoFileError, match="cannot be undone from here"):
                overtake(tmp_path, store, store.find(RUN.run)[0], worker=worker, copy=copy)
        assert fault.exists()
        return
    ended = overtake(tmp_path, store, RUN, worker="other", copy=copy)
    assert ended is not None
    assert (ended.verdict, ended.exit_code) == ("failed", 1)
    assert not fault.exists()
    entries = store.read(RUN.run)
    assert entries[-1].kind is Kind.UNDONE
    assert overtake(tmp_path, store, store.find(RUN.run)[0], worker="third", copy=store.kept_undo(RUN.run)) is not None
    assert store.read(RUN.run) == entries


def test_what_was_not_proved_gone_when_a_run_ended_needs_more_than_its_rollbacks(tmp_path, store):
    fault = tmp_path / "broken"
    fault.touch()
    last = begin(store)
    copy = copy_of(fault, "stat")  # succeeds, and mends nothing
    with pytest.raises(RefusedError, match="has not ended"):
        overtake(tmp_path, store, store.find(RUN.run)[0], worker="other", copy=copy, by_hand="Ada")
    asked = {"effect": "prove_undone", "key": "", "attempt": 1}
    for kind, data in (
        (Kind.INTENT, asked),
        (Kind.OUTCOME, asked | {"status": "failed", "error": "is-lost is still true"}),
        (Kind.RUN_ENDED, {"verdict": "failed", "exit_code": 1}),
    ):
        last = store.append(last, run=RUN.run, epoch=1, kind=kind, stamp=clock.now(), data=data)
    with pytest.raises(
        UndoFileError, match="not proved gone, and cannot be from here: is-lost is still true"
    ) as refused:
        overtake(tmp_path, store, store.find(RUN.run)[0], worker="other", copy=copy)
    assert "--undone-by-hand NAME" in refused.value.hint
    assert store.read(RUN.run)[-1].kind is Kind.RUN_ENDED
    fault.unlink()
    ended = overtake(tmp_path, store, store.find(RUN.run)[0], worker="other", copy=copy, by_hand="Ada")
    assert ended is not None
    assert (ended.verdict, ended.exit_code) == ("failed", 1)
    assert store.read(RUN.run)[-1].data["by_hand"] == "Ada"


def test_what_cannot_be_undone_has_not_ended(tmp_path, store):
    begin(store)
    fault = tmp_path / "broken"
    fault.mkdir()
    (fault / "kept").touch()
    with pytest.raises(UndoFileError, match="cannot be undone from here"):
        overtake(tmp_path, store, RUN, worker="other", copy=copy_of(fault, "rmdir"))
    assert not any(entry.kind is Kind.RUN_ENDED for entry in store.read(RUN.run))
    (fault / "kept").unlink()
    row = store.find(RUN.run)[0]
    ended = overtake(tmp_path, store, row, worker="third", copy=copy_of(fault, "rmdir"))
    assert ended is not None
    assert not fault.exists()


def test_a_run_without_a_first_entry_never_began_and_cannot_any_more(tmp_path, store):
    store.create(RUN)
    assert overtake(tmp_path, store, RUN, worker="other", copy=None) is None
    assert store.runs() == []


def test_without_a_copy_it_says_who_alone_can_have_undone_it(tmp_path, store):
    begin(store)
    ended = overtake(tmp_path, store, RUN, worker="other", copy=None)
    assert ended is not None
    assert NO_COPY in ended.reasons[0]


def test_a_run_that_was_not_registered_in_time_never_can_be(tmp_path, store):
    bar(store, RUN.run, RUN.drill)
    with pytest.raises(JournalError):
        store.create(RUN)
    with pytest.raises(StaleEpochError):
        store.append(None, run=RUN.run, epoch=1, kind=Kind.RUN_STARTED, stamp=clock.now(), data={"drill": "x"})


def test_it_has_result_reports_and_gap_as_any_other_run(tmp_path, store):
    (tmp_path / "drillmark.yaml").write_text("{}")
    fault = tmp_path / "broken"
    fault.touch()
    begin(store)
    kept: list[artifacts.Kept] = []
    place = artifacts.Place(folder=tmp_path / "kept")
    (tmp_path / "kept").mkdir()

    class Listening(SilentView):
        """Beside it, a worker looks at every moment for what is to be kept."""

        def entry(self, entry, sentence):
            del sentence
            if not kept:
                artifacts.mark(tmp_path, entry.run)
            kept.append(artifacts.keep(tmp_path, place, driven=states.is_driven))

    plan = builders.plan(drill="x")
    ended = overtake(tmp_path, store, RUN, worker="other", copy=copy_of(fault), view=Listening(), plan=plan)
    assert ended is not None
    kept.append(artifacts.keep(tmp_path, place, driven=lambda _directory: False))
    assert [one.runs for one in kept if one.runs] == [[RUN.run]]
    assert {"result.json", "report.html", "journal.jsonl"} <= {
        path.name for path in (tmp_path / "kept" / RUN.run).iterdir()
    }
    assert ended.verdict == "unknown"
    result = json.loads((ended.directory / "result.json").read_text())
    assert (result["run"], result["verdict"], result["exit_code"]) == (RUN.run, "unknown", 3)
    assert "another took over" in json.dumps(result["reasons"])
    entries = store.read(RUN.run)
    assert [entry.kind for entry in entries[-3:]] == [Kind.INTENT, Kind.OUTCOME, Kind.RUN_ENDED]
    filed = {path.name for path in (tmp_path / "reports" / "gaps").glob("GAP-*.yaml") if RUN.run in path.read_text()}
    assert filed
    assert len(filed) == len(entries[-2].data["gaps"])
    for name in ("report.md", "junit.xml", "plan.json", "journal.jsonl", "report.html"):
        assert (ended.directory / name).exists(), name
    # Not as if the run's own machine were here: what is there to be resumed is over there.
    assert not (ended.directory / "epoch").exists()


def test_what_cannot_be_concluded_has_ended_all_the_same_and_says_why(tmp_path, store):
    begin(store, injected=False)
    (tmp_path / "reports").write_text("no folder")
    ended = overtake(tmp_path, store, RUN, worker="other", copy=None, plan=builders.plan(drill="x"))
    assert ended is not None
    assert ended.verdict == "unknown"
    assert "its result could not be written" in "; ".join(ended.reasons)
    assert store.read(RUN.run)[-1].kind is Kind.RUN_ENDED


def test_the_target_is_held_for_as_long_as_the_lost_guard_lives(tmp_path, store):
    """Else it could undo the next attempt's fault."""
    fault = tmp_path / "broken"
    fault.touch()
    begin(store, lease_seconds=30.0, runner_lost="undo")
    with subprocess.Popen(["sleep", "3"]) as guard:
        identity = processes.identify(guard.pid)
        assert identity is not None
        copy = copy_of(fault, guard=Child("guard", identity.pid, identity.start))
        assert overtake(tmp_path, store, RUN, worker="other", copy=copy) is not None
        assert not processes.is_alive(identity)
    assert not fault.exists()
    held = next(entry for entry in store.read(RUN.run) if entry.data.get("what") == late_guard.WHAT)
    assert 30.0 + 60.0 < held.data["seconds"] < 600.0


def test_a_guard_that_is_not_seen_is_given_its_time_and_no_more(tmp_path, store):
    begin(store, lease_seconds=30.0, runner_lost="undo")
    entries = store.read(RUN.run)
    state = undo.from_text(copy_of(tmp_path / "x"))
    now = clock.now()
    usual = late_guard.may_act_for_seconds(entries, state, now)
    assert late_guard.may_act_for_seconds(entries, None, now) == usual
    assert late_guard.may_act_for_seconds(entries, UndoState(RUN.run), now) == 0.0
    assert late_guard.may_act_for_seconds(entries[:2], None, now) == 0.0
    holds = {"effect": "start_guard", "key": "", "attempt": 2, "lease_seconds": 30.0, "runner_lost": "hold"}
    store.append(entries[-1], run=RUN.run, epoch=1, kind=Kind.INTENT, stamp=clock.now(), data=holds)
    entries = store.read(RUN.run)
    assert usual + 3500 < late_guard.may_act_for_seconds(entries, state, now) <= usual + 3600
    # Held to the moment that was written down, whoever waits.
    until = {"what": late_guard.WHAT, "seconds": 2.0, "until_wall_ns": clock.now().wall_ns + 2_000_000_000}
    store.append(entries[-1], run=RUN.run, epoch=1, kind=Kind.EVENT, stamp=clock.now(), data=until)
    began = time.monotonic()
    late_guard.wait(store.read(RUN.run), state)
    assert 1.5 < time.monotonic() - began < 60
