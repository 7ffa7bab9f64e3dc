"""How an attempt ended, by what its run says and by what its undo file may still have in effect."""

from __future__ import annotations

import pytest

from drillmark import undo
from drillmark.engine.paths import RunPaths
from drillmark.engine.start import RunEnded
from drillmark.fleet import endings
from drillmark.undo import Undoable, UndoState


@pytest.mark.parametrize(
    ("verdict", "refused", "again"),
    [("unknown", False, True), ("unknown", True, False), ("failed", False, False), ("passed", False, False)],
)
def test_only_what_nobody_knows_and_no_rule_refused_is_run_again(tmp_path, verdict, refused, again):
    ended = RunEnded("r1", tmp_path, verdict, 4, ("because",), refused)
    assert endings.of_run(ended, "first") == endings.Ending(verdict, "first; because", again=again, settled=True)


def test_while_something_may_be_in_effect_it_is_not_settled(tmp_path):
    undo.write(RunPaths(tmp_path).undo, UndoState("r1", (Undoable("experiments/x.yaml", {"title": "x"}),)))
    ending = endings.of_run(RunEnded("r1", tmp_path, "passed", 0))
    assert (ending.settled, ending.reason) == (False, "its fault is not known to be undone")
    undo.write(RunPaths(tmp_path).undo, UndoState("r1"))
    assert endings.of_run(RunEnded("r1", tmp_path, "passed", 0)).settled
