"""The undo file: whole or absent, never with a secret's value, and nothing begins where it cannot be written."""

from __future__ import annotations

import os
import stat

import pytest

from drillmark import files, undo
from drillmark.errors import UndoFileError
from drillmark.undo import Child, Undoable, UndoState

STATE = UndoState(
    "run-1",
    (Undoable("experiments/x.yaml", {"title": "ä", "rollbacks": [{"name": "back"}]}, {"drillmark_run": "run-1"}),),
    (Child("chaos", 4711, "99"),),
)


def test_it_reads_as_it_was_written(tmp_path):
    undo.write(tmp_path / "undo.json", STATE)
    assert undo.read(tmp_path / "undo.json") == STATE
    assert stat.S_IMODE((tmp_path / "undo.json").stat().st_mode) == 0o600


def test_no_file_is_no_state(tmp_path):
    assert undo.read(tmp_path / "undo.json") is None


def test_a_child_takes_the_place_of_its_predecessor():
    state = STATE.with_child(Child("chaos", 1, "1")).with_child(Child("guard", 2, "2"))
    assert [child.pid for child in state.children] == [1, 2]
    assert state.child("guard") == Child("guard", 2, "2")


def test_a_folder_that_is_gone_is_a_clear_error_and_leaves_nothing(tmp_path):
    with pytest.raises(UndoFileError, match="cannot write the undo file"):
        undo.write(tmp_path / "gone" / "undo.json", STATE)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "undo.json"
    undo.write(path, STATE)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UndoFileError, match="No space left"):
        undo.write(path, UndoState("other"))
    assert undo.read(path) == STATE
    assert [entry.name for entry in tmp_path.iterdir()] == ["undo.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format":"other/9"}', '{"format":"drillmark.undo/1"}', "\x00" * 50])
def test_a_damaged_file_is_never_taken_for_an_empty_one(tmp_path, text):
    path = tmp_path / "undo.json"
    path.write_text(text)
    with pytest.raises(UndoFileError):
        undo.read(path)


def test_the_epoch(tmp_path):
    path = tmp_path / "epoch"
    with pytest.raises(UndoFileError):
        undo.read_epoch(path)
    undo.write_epoch(path, 3)
    assert undo.read_epoch(path) == 3
    path.write_text("nonsense")
    with pytest.raises(UndoFileError):
        undo.read_epoch(path)


def test_json_lines_without_their_torn_end(tmp_path):
    path = tmp_path / "lines.jsonl"
    files.append_line_durably(path, '{"a": 1}')
    files.append_line_durably(path, '{"b": 2}')
    with path.open("a") as file:
        file.write('{"c": ')
    assert files.read_json_lines(path) == [{"a": 1}, {"b": 2}]
