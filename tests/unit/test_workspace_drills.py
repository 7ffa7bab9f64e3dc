"""Where a drill stands by now: moved, renamed, deleted, or in a file that nobody can read at this moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillmark.workspace_drills import standing

DRILL = "title: x\nowner: team\ntarget: db\nmode: check\nfault: experiments/x.yaml\n"
SHOP = {"shop": "drills/shop.yaml"}


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "drills" / "sub").mkdir(parents=True)
    return tmp_path


def write(root: Path, source: str, id_line: str) -> None:
    (root / source).write_text(f"{id_line}\n{DRILL}")


@pytest.mark.parametrize("id_line", ["id: shop", "id: 'shop'  # ours", '"id": shop', 'id: "sh\\u006fp"'])
def test_one_that_stands_where_it_was_is_there_however_its_id_is_written(root, id_line):
    write(root, "drills/shop.yaml", id_line)
    assert standing(root, SHOP) == SHOP


def test_one_that_was_moved_is_found_and_one_whose_id_became_another_is_gone(root):
    write(root, "drills/shop.yaml", "id: shop-db")
    assert standing(root, SHOP) == {}
    write(root, "drills/sub/elsewhere.yaml", "id: shop")
    assert standing(root, SHOP | {"gone": "drills/gone.yaml"}) == {"shop": "drills/sub/elsewhere.yaml"}


@pytest.mark.parametrize("text", ["", "id: shop-db\ntitle: [", "colour: blue\n"])
def test_a_file_that_cannot_be_read_may_still_be_it(root, monkeypatch, text):
    (root / "drills" / "shop.yaml").write_text(text)
    assert standing(root, SHOP) == SHOP
    write(root, "drills/shop.yaml", "id: shop-db")
    monkeypatch.setattr("drillmark.workspace_files.BYTES_LIMIT", 1)
    assert standing(root, SHOP) == SHOP


def test_a_workspace_that_is_not_there_says_nothing_of_its_drills(tmp_path):
    assert standing(tmp_path / "not-mounted", SHOP) == SHOP
    (tmp_path / "drills").mkdir()
    assert standing(tmp_path, SHOP) == {}
