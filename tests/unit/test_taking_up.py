"""Taking a run up again: who is watched still, and what only the undo file knows of."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drillmark import undo
from drillmark.engine import children, injecting, taking_up
from drillmark.engine.paths import RunPaths
from drillmark.errors import RefusedError
from drillmark.model.entry import Effect, Kind
from drillmark.undo import Child, Undoable, UndoState
from rig.journal import Journal

ROLES = ("guards", "prober", "side", "markers-orders", "positions", "load", "alerts")


def watched(journal: Journal) -> set[str]:
    state = UndoState("run", children=tuple(Child(role, 1, "x") for role in ROLES))
    context: Any = SimpleNamespace(entries=journal.entries, undo_state=state)
    return taking_up._still_observing(context)


def test_every_observer_has_a_word_for_its_death_and_an_end():
    assert undo.DIED.keys() == taking_up.OVER.keys() == set(undo.OBSERVERS) - {"read_back"}
    assert undo.DIED.keys() | {"guard", "read_back"} == children.MODULES.keys()
    assert watched(Journal()) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_what_is_known_to_be_dead_is_not_noticed_again(role: str):
    journal = Journal()
    kind, _, name = role.partition("-")
    journal.add_event(1.0, undo.DIED[kind], **({"writer": name} if name else {}))
    if role == "guards":
        assert watched(journal) == set(ROLES), "nothing has stopped the run yet: its guards are unwatched"
        journal.add(Kind.ABORT, 1.1, by="guard", reason="its guards are not watched any more")
    assert watched(journal) == set(ROLES) - {role}


def test_guards_are_over_when_the_undo_begins():
    journal = Journal()
    journal.intent(Effect.UNDO, 1.0)
    assert watched(journal) == set(ROLES) - {"guards"}


class Pulse:
    def shielded(self):
        return nullcontext()

    def wait(self, seconds: float | None, until: Callable[[], bool]) -> bool:
        del seconds
        deadline = time.monotonic() + 60
        while not until():
            assert time.monotonic() < deadline, "the undo did not end"
            time.sleep(0.05)
        return True


def unlogged(tmp_path: Path, folder: Path) -> Any:
    """A run that restored a copy (a folder), and whose journal lost that its disaster was declared."""
    paths = RunPaths(tmp_path)
    for name in ("chaos", "samples"):
        (tmp_path / name).mkdir()
    discard = {
        "name": "discard-copy",
        "type": "action",
        "provider": {"type": "python", "module": "os", "func": "rmdir", "arguments": {"path": str(folder)}},
    }
    experiment = {"title": "x", "description": "x", "method": [], "rollbacks": [discard]}
    journal = Journal()
    journal.start(-1.0)
    context = SimpleNamespace(
        run="run", paths=paths, epoch=2, entries=journal.entries, deadline_ns=0,
        undo_state=UndoState("run", (Undoable("simulated disaster", experiment, {}, unlogged=True),)),
        event=lambda what, **more: journal.add_event(0.0, what, **more),
    )  # fmt: skip

    def write_undo(state: UndoState) -> None:
        undo.write(paths.undo, state)
        context.undo_state = state

    context.write_undo = write_undo
    write_undo(context.undo_state)
    return SimpleNamespace(context=context, pulse=Pulse(), child=None)


def test_a_copy_that_the_journal_lost_is_taken_away_before_the_run_begins_anew(tmp_path: Path):
    copy = tmp_path / "copy"
    copy.mkdir()
    hands = unlogged(tmp_path, copy)
    taking_up._begin_anew(hands)
    assert not copy.exists()
    assert hands.context.undo_state.undoables == ()
    assert hands.context.entries[-1].data["what"] == "begun_anew"


def test_a_copy_that_cannot_be_taken_away_stays_in_the_undo_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "in the way").touch()
    hands = unlogged(tmp_path, copy)
    dropped: list[Any] = []
    monkeypatch.setattr(injecting, "drop_prepared", dropped.append)
    with pytest.raises(RefusedError, match="cannot be undone"):
        taking_up._begin_anew(hands)
    assert not dropped
    left = undo.read(hands.context.paths.undo)
    assert left is not None
    assert len(left.undoables) == 1
