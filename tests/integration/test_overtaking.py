"""A run whose machine is lost is ended on another one: undone from the copy, unknown, and never gone on with."""

from __future__ import annotations

import pytest

from drillmark import clock, undo
from drillmark.engine.overtaking import NO_COPY, bar, overtake
from drillmark.errors import JournalError, StaleEpochError, UndoFileError
from drillmark.journal.store import JournalStore, RunRow
from drillmark.model.entry import Kind
from drillmark.undo import Child, Undoable, UndoState

RUN = RunRow("20260101T000000Z-x-abcdef", "x", "db", "reports/runs/20260101T000000Z-x-abcdef", 1, 0)


@pytest.fixture
def store(tmp_path):
    made = JournalStore(tmp_path / "journal.sqlite3")
    yield made
    made.close()


def begin(store: JournalStore, *, injected: bool = True):
    """As the lost worker left it."""
    store.create(RUN)
    last = store.append(None, run=RUN.run, epoch=1, kind=Kind.RUN_STARTED, stamp=clock.now(), data={"drill": "x"})
    if injected:
        data = {"effect": "inject", "key": "", "attempt": 1}
        last = store.append(last, run=RUN.run, epoch=1, kind=Kind.INTENT, stamp=clock.now(), data=data)
    return last


def copy_of(fault, func: str = "remove") -> str:
    provider = {"type": "python", "module": "os", "func": func, "arguments": {"path": str(fault)}}
    experiment = {
        "title": "x",
        "description": "x",
        "method": [],
        "rollbacks": [{"name": "mend", "type": "action", "provider": provider}],
    }
    # Its children lived on another machine: whoever has that pid here is nobody's business.
    state = UndoState(RUN.run, (Undoable("experiments/x.yaml", experiment),), (Child("chaos", 1, "never"),))
    return undo.to_text(state)


def test_it_is_undone_from_the_copy_and_ends_unknown(tmp_path, store):
    fault = tmp_path / "broken"
    fault.touch()
    last = begin(store)
    ended = overtake(tmp_path, store, RUN, worker="other", copy=copy_of(fault))
    assert ended is not None
    assert ended.verdict == "unknown"
    assert not fault.exists()
    entries = store.read(RUN.run)
    kinds = [entry.kind for entry in entries[2:]]
    assert kinds == [Kind.RESUMED, Kind.ABORT, Kind.INTENT, Kind.OUTCOME, Kind.UNDONE, Kind.RUN_ENDED]
    assert entries[2].data["taken_over_by"] == "other"
    # The lost worker comes back: nothing it wants to do can be written, so nothing is done.
    with pytest.raises(StaleEpochError):
        store.append(last, run=RUN.run, epoch=1, kind=Kind.EVENT, stamp=clock.now(), data={"what": "back"})
    # Asked again, it finds the end.
    again = overtake(tmp_path, store, RUN, worker="third", copy=copy_of(fault))
    assert again is not None
    assert "had ended" in again.reasons[0]
    assert store.read(RUN.run) == entries


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
