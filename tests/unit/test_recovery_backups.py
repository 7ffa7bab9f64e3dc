"""Backups: chosen by the target, verified against their manifest, every damage named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drillmark.errors import RecoveryError
from drillmark.postgres import int_to_lsn
from drillmark.recovery import backups, verification
from drillmark.recovery.progress import Progress
from drillmark.recovery.target import Target
from postgres_builders import SEGMENT, make_backup


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    place = tmp_path / "archive"
    place.mkdir()
    return place


def several(folder: Path) -> None:
    for day in (1, 2, 3):
        place = make_backup(folder / f"day-{day}", start=day * SEGMENT + 40, end=day * SEGMENT + 300)
        os.utime(place / "backup_manifest", (day * 86_400, day * 86_400))


def check(backup: backups.Backup) -> int:
    return verification.verify(backup, jobs=2, progress=Progress(None))


@pytest.fixture(autouse=True)
def by_the_manifest_itself(monkeypatch: pytest.MonkeyPatch):
    """As on machines whose pg_verifybackup does not run; where it does, an integration test uses it."""
    monkeypatch.setattr(verification, "pg_verifybackup", lambda: None)


@pytest.mark.parametrize(
    ("to", "chosen"),
    [
        ("latest", "day-3"),
        ("0/400000", "day-3"),
        ("0/300000", "day-2"),
        ("0/30012C", "day-3"),
        ("1970-01-03T00:00:00Z", "day-2"),
        ("1970-01-03T00:00:00+01:00", "day-1"),
    ],
)
def test_the_newest_not_after_the_target_is_chosen(tmp_path: Path, archive: Path, to: str, chosen: str):
    several(tmp_path / "b")

    assert backups.choose(tmp_path / "b", archive, Target.parse(to)).name == chosen


def test_a_target_before_all_backups_is_refused(tmp_path: Path, archive: Path):
    several(tmp_path / "b")

    with pytest.raises(RecoveryError, match=r"all 3 backups in .* end after the target 0/100000"):
        backups.choose(tmp_path / "b", archive, Target.parse("0/100000"))


def test_incomplete_and_hidden_backups_do_not_count(tmp_path: Path, archive: Path):
    several(tmp_path / "b")
    (tmp_path / "b" / "day-3" / "backup_manifest").unlink()
    (tmp_path / "b" / "day-2").rename(tmp_path / "b" / ".day-2")

    assert backups.choose(tmp_path / "b", archive, Target.parse("latest")).name == "day-1"


def test_no_backup_is_said(tmp_path: Path, archive: Path):
    with pytest.raises(RecoveryError, match="there is no complete backup in"):
        backups.choose(archive, archive, Target())
    with pytest.raises(RecoveryError, match="cannot read the backups in"):
        backups.choose(tmp_path / "nowhere", archive, Target())


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("2026-01-02 03:04:05 UTC", 1767323045),
        ("2026-01-02 03:04:05 +01", 1767323045 - 3600),
        ("2026-01-02 03:04:05 -03:30", 1767323045 + 12_600),
        ("2026-01-02 03:04:05 CET", 1_000_000),
    ],
)
def test_the_labels_time_is_read_where_its_zone_is_sure(tmp_path: Path, archive: Path, text: str, wall: int):
    place = make_backup(tmp_path / "b", started=text)
    os.utime(place / "backup_label", (1_000_000, 1_000_000))

    assert backups.read(place, archive).started_wall_ns == wall * 10**9


def test_the_stop_time_comes_from_the_archive(tmp_path: Path, archive: Path):
    place = make_backup(tmp_path / "b")
    (archive / "000000010000000000000005.00000028.backup").write_text(
        "START WAL LOCATION: 0/500028 (file 000000010000000000000005)\nSTOP TIME: 2026-01-02 03:04:09 UTC\n"
    )

    assert backups.read(place, archive).ended_wall_ns == 1767323049 * 10**9


def test_a_whole_backup_is_good(tmp_path: Path, archive: Path):
    place = make_backup(tmp_path / "b")
    (place / "postgresql.auto.conf").write_text("changed after the backup, as pg_basebackup -R does")
    (place / "pg_wal").mkdir()
    (place / "pg_wal" / "000000010000000000000005").write_bytes(b"looked at elsewhere")

    assert check(backups.read(place, archive)) > 5000


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda b: (b / "base/1/112").write_bytes(b"x" * 4999 + b"y"), "base/1/112 does not match its SHA256 checksum"),
        (lambda b: (b / "base/1/112").write_bytes(b"x" * 4999), "base/1/112 has 4999 bytes instead of 5000"),
        (lambda b: (b / "base/1/112").unlink(), "base/1/112: No such file"),
        (lambda b: (b / "base/1/113").write_bytes(b""), "base/1/113 is in no manifest"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, archive: Path, damage, said: str):
    place = make_backup(tmp_path / "b")
    damage(place)

    with pytest.raises(RecoveryError, match=said):
        check(backups.read(place, archive))


def test_a_changed_manifest_is_noticed(tmp_path: Path, archive: Path):
    place = make_backup(tmp_path / "b")
    manifest = place / "backup_manifest"
    manifest.write_text(manifest.read_text().replace("base/1/112", "base/1/113"))
    (place / "base/1/112").rename(place / "base/1/113")

    with pytest.raises(RecoveryError, match="backup_manifest is damaged: it does not match its own checksum"):
        check(backups.read(place, archive))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"WAL-Ranges": []}', '{"Files": []}', "\0" * 100])
def test_a_manifest_that_is_none_is_said(tmp_path: Path, archive: Path, text: str):
    place = make_backup(tmp_path / "b")
    (place / "backup_manifest").write_text(text)

    with pytest.raises(RecoveryError, match="backup_manifest is damaged"):
        backups.read(place, archive)


def test_without_checksums_nothing_is_called_good(tmp_path: Path, archive: Path):
    place = make_backup(tmp_path / "b", algorithm="NONE")

    with pytest.raises(RecoveryError, match="no SHA checksum"):
        check(backups.read(place, archive))


def test_a_manifest_cannot_lead_outside(tmp_path: Path, archive: Path):
    place = make_backup(tmp_path / "b", files={"../outside": b"x"})

    with pytest.raises(RecoveryError, match="names a file outside the backup"):
        check(backups.read(place, archive))


def test_tablespaces_are_refused(tmp_path: Path, archive: Path):
    place = make_backup(tmp_path / "b")
    (place / "pg_tblspc").mkdir()
    (place / "pg_tblspc" / "16400").symlink_to(tmp_path)
    with pytest.raises(RecoveryError, match="has tablespaces"):
        backups.read(place, archive)


def test_an_incremental_backup_brings_what_it_builds_on_the_full_one_first(tmp_path: Path, archive: Path):
    folder = tmp_path / "b"
    several(folder)
    incremental(folder / "day-2", on=SEGMENT + 40)
    incremental(folder / "day-3", on=2 * SEGMENT + 40)

    chosen = backups.choose(folder, archive, Target.parse("latest"))
    assert (chosen.name, [parent.name for parent in chosen.parents]) == ("day-3", ["day-1", "day-2"])
    assert "on top of day-1, day-2" in backups.describe(chosen)
    assert backups.choose(folder, archive, Target.parse("0/1F0000")).parents == ()


def test_an_incremental_backup_without_its_parent_is_refused(tmp_path: Path, archive: Path):
    folder = tmp_path / "b"
    several(folder)
    incremental(folder / "day-3", on=7 * SEGMENT)
    with pytest.raises(
        RecoveryError, match=r"day-3 is an incremental backup, and the one .* began at 0/700000, is not"
    ):
        backups.choose(folder, archive, Target.parse("latest"))

    # A circle would never end; a label that makes no sense is damage.
    incremental(folder / "day-2", on=3 * SEGMENT + 40)
    rewritten = (folder / "day-3" / "backup_label").read_text().replace("0/700000", "0/200028")
    (folder / "day-3" / "backup_label").write_text(rewritten)
    with pytest.raises(RecoveryError, match="is not there"):
        backups.choose(folder, archive, Target.parse("latest"))
    (folder / "day-3" / "backup_label").write_text(rewritten.replace("0/200028", "somewhere"))
    with pytest.raises(RecoveryError, match="is no log position"):
        backups.choose(folder, archive, Target.parse("latest"))


def incremental(place: Path, *, on: int) -> None:
    with (place / "backup_label").open("a") as label:
        label.write(f"INCREMENTAL FROM LSN: {int_to_lsn(on)}\nINCREMENTAL FROM TLI: 1\n")
