"""A backup store frozen at one moment: what is listed, what the view of it holds, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drillmark.errors import RecoveryError
from drillmark.recovery import frozen, listing, wal
from postgres_builders import SEGMENT, make_backup, make_history, make_segment


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRILLMARK_RUN", "run-1")
    make_backup(tmp_path / "backups" / "b1")
    for number in (5, 6):
        make_segment(tmp_path / "archive", 1, number)
    return tmp_path


def listed(store: Path) -> frozen.Frozen:
    frozen.write(store / "source.json", store / "backups", store / "archive", cache=store / "cache.json")
    return frozen.read(store / "source.json")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_came_after_the_listing_is_not_in_the_view(store: Path):
    found = listed(store)
    make_segment(store / "archive", 1, 7)
    make_backup(store / "backups" / "b2")
    view = frozen.lay_out(found, store / "side")
    assert names(view / "backups") == ["b1"]
    assert names(view / "archive") == names(store / "archive")[:2]
    assert wal.Archive.read(view / "archive").last_number(1, SEGMENT) == 6


def test_log_that_is_another_by_now_is_refused_by_name(store: Path):
    found = listed(store)
    view = frozen.lay_out(found, store / "side")
    used = tuple(sorted((view / "archive").iterdir()))
    frozen.check_log(found, view, used)
    victim = used[1].resolve()
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    with pytest.raises(RecoveryError, match=f"{victim.name} is another one"):
        frozen.check_log(found, view, used)
    frozen.check_log(found, view, used[:1])


def test_a_backup_and_a_history_that_are_others_by_now_are_refused(store: Path):
    history = make_history(store / "archive", 2, (1, 6 * SEGMENT))
    found = listed(store)
    history.write_text("1\t0/1\tno reason\n")
    with pytest.raises(RecoveryError, match=r"00000002\.history is another one"):
        frozen.lay_out(found, store / "side")
    history.unlink()
    make_backup(store / "backups" / "b1", system="7000000000000000002")
    with pytest.raises(RecoveryError, match="backup b1 is another one"):
        frozen.lay_out(found, store / "side")


def test_the_view_goes_and_the_store_stays(store: Path):
    before = names(store / "archive"), names(store / "backups" / "b1")
    view = frozen.lay_out(listed(store), store / "side")
    view = frozen.lay_out(listed(store), store / "side")
    frozen.remove(view)
    frozen.remove(view)
    assert not view.exists()
    assert (names(store / "archive"), names(store / "backups" / "b1")) == before


def test_a_view_with_something_else_in_it_is_left_alone(store: Path):
    view = frozen.lay_out(listed(store), store / "side")
    (view / "archive" / "mine").write_text("x")
    with pytest.raises(RecoveryError, match="is no link"):
        frozen.remove(view)
    assert (view / "archive" / "mine").exists()


def test_the_second_listing_reads_only_what_is_new(store: Path, monkeypatch: pytest.MonkeyPatch):
    first = listed(store)
    read: list[str] = []
    real = listing.sha256
    monkeypatch.setattr(listing, "sha256", lambda path: read.append(path.name) or real(path))
    new = make_segment(store / "archive", 1, 7)
    second = listed(store)
    assert read == [new.name]
    assert first.log.items() < second.log.items()
    assert first.sha256 != second.sha256


@pytest.mark.parametrize(
    "body", ["", "[]", '{"format": "other"}', '{"format": "drillmark.source/1"}', '{"format": "drillmark.source/1", "backups": "/b", "archive": "/a", "manifests": [], "log": {}}']
)  # fmt: skip
def test_what_is_no_listing_is_refused(store: Path, body: str):
    (store / "source.json").write_text(body)
    with pytest.raises(RecoveryError, match="is no listing"):
        frozen.read(store / "source.json")
    with pytest.raises(RecoveryError, match="cannot read the listing"):
        frozen.read(store / "nowhere.json")


def test_a_listing_that_leads_out_of_the_store_is_refused(store: Path):
    listed(store)
    body = json.loads((store / "source.json").read_text())
    body["log"]["../backups/b1/backup_label"] = "0"
    (store / "source.json").write_text(json.dumps(body))
    with pytest.raises(RecoveryError, match="outside the store"):
        frozen.lay_out(frozen.read(store / "source.json"), store / "side")
