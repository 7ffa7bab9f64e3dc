"""Small files that are whole or absent."""

from __future__ import annotations

import os

from drillmark import files


def test_drafts_of_the_dead_go_and_all_else_stays(tmp_path):
    (tmp_path / "children").mkdir()
    dead = [tmp_path / "a.json.999999999.tmp", tmp_path / "children" / "b.json.999999999.tmp"]
    others = [tmp_path / "a.json", tmp_path / f"c.json.{os.getpid()}.tmp", tmp_path / "lease.tmp"]
    for path in (*dead, *others):
        path.touch()
    files.drop_drafts(tmp_path)
    assert not any(path.exists() for path in dead)
    assert all(path.exists() for path in others)
