"""The archive as files: every way in which the log a restore needs may not be there, named."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillmark.errors import RecoveryError
from drillmark.recovery.wal import Archive, Log, log_from, segment_name
from postgres_builders import SEGMENT, make_history, make_segment


def log(archive: Path, *, start: int = 5, end: int = 5, timeline: int = 1, until: int | None = None) -> Log:
    """Segments in the place of positions: the backup's log begins and ends within them."""
    return log_from(
        Archive.read(archive),
        start * SEGMENT + 40,
        timeline,
        end=end * SEGMENT + 300,
        until=until,
        own=archive.parent / "no pg_wal",
    )


def test_segment_names_are_postgresqls_own():
    assert segment_name(1, 7, 16 << 20) == "000000010000000000000007"
    assert segment_name(2, 256, 16 << 20) == "000000020000000100000000"
    assert segment_name(1, 4096, 1 << 20) == "000000010000000100000000"


def test_log_goes_to_the_end_of_the_archive(tmp_path: Path):
    for number in range(3, 10):
        make_segment(tmp_path / "a", 1, number)
    (tmp_path / "a" / "00000001000000000000000A.partial").write_bytes(b"")

    found = log(tmp_path / "a")

    assert [path.name[-1] for path in found.files] == ["5", "6", "7", "8", "9"]
    assert found.end == 10 * SEGMENT


def test_a_hole_is_named(tmp_path: Path):
    for number in (5, 6, 8, 9):
        make_segment(tmp_path / "a", 1, number)

    with pytest.raises(RecoveryError, match=r"hole: .* lacks 000000010000000000000007"):
        log(tmp_path / "a")


def test_a_hole_behind_the_target_does_no_harm(tmp_path: Path):
    for number in (5, 6, 8, 9):
        make_segment(tmp_path / "a", 1, number)

    assert len(log(tmp_path / "a", until=6 * SEGMENT + 100).files) == 2


def test_a_target_beyond_the_archive_is_refused(tmp_path: Path):
    make_segment(tmp_path / "a", 1, 5)

    with pytest.raises(RecoveryError, match="ends at 0/600000, before the target 0/600064"):
        log(tmp_path / "a", until=6 * SEGMENT + 100)


@pytest.mark.parametrize("missing", [5, 6])
def test_log_that_the_backup_itself_needs_is_named(tmp_path: Path, missing: int):
    for number in {5, 6} - {missing}:
        make_segment(tmp_path / "a", 1, number)

    with pytest.raises(RecoveryError, match=f"00000001000000000000000{missing}"):
        log(tmp_path / "a", end=6)


def test_the_backups_own_log_stands_in_for_the_archive(tmp_path: Path):
    own = tmp_path / "backup" / "pg_wal"
    make_segment(own, 1, 5)
    make_segment(tmp_path / "a", 1, 6)

    found = log_from(Archive.read(tmp_path / "a"), 5 * SEGMENT + 40, 1, end=5 * SEGMENT + 300, until=None, own=own)

    assert [path.parent.name for path in found.files] == ["pg_wal", "a"]


def test_the_newest_timeline_is_followed_through_its_own_files(tmp_path: Path):
    archive = tmp_path / "a"
    for number in (5, 6, 7, 8):
        make_segment(archive, 1, number)
    # Timeline 1 was left within segment 7: that one, and what comes, is read from timeline 2.
    make_segment(archive, 2, 7, header_timeline=1)
    make_segment(archive, 2, 8)
    make_history(archive, 2, (1, 7 * SEGMENT + 500))

    found = log(archive)

    assert [path.name[7] + path.name[-1] for path in found.files] == ["15", "16", "27", "28"]


def test_a_timeline_without_its_first_segment_is_a_hole(tmp_path: Path):
    archive = tmp_path / "a"
    for number in (5, 6, 7):
        make_segment(archive, 1, number)
    make_history(archive, 2, (1, 7 * SEGMENT + 500))

    with pytest.raises(RecoveryError, match="lacks its first segment 000000020000000000000007"):
        log(archive)


def test_a_backup_of_a_server_that_was_left_behind_is_refused(tmp_path: Path):
    archive = tmp_path / "a"
    for number in (5, 6, 7, 8):
        make_segment(archive, 1, number)
    make_segment(archive, 2, 6)
    make_history(archive, 2, (1, 6 * SEGMENT + 500))

    with pytest.raises(RecoveryError, match="not on the way to timeline 2"):
        log(archive, start=7, end=7)


def test_a_foreign_history_is_refused(tmp_path: Path):
    archive = tmp_path / "a"
    make_segment(archive, 2, 5)
    make_history(archive, 3, (1, 4 * SEGMENT))

    with pytest.raises(RecoveryError, match=r"timeline 3, the newest .* does not descend from timeline 2"):
        log(archive, timeline=2)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(b"\0" * SEGMENT), "does not begin like one"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "has 1000 bytes instead of 1048576"),
        (lambda path: make_segment(path.parent, 1, 7).replace(path), "holds another place's log"),
        (lambda path: make_segment(path.parent, 1, 6, system="7999"), "is of another system"),
        (lambda path: path.write_bytes(b""), "does not begin like one"),
    ],
)
def test_a_damaged_segment_is_named(tmp_path: Path, damage, said: str):
    archive = tmp_path / "a"
    for number in (5, 6, 8):
        make_segment(archive, 1, number)
    damage(archive / "000000010000000000000006")
    make_segment(archive, 1, 7)

    with pytest.raises(RecoveryError, match=f"000000010000000000000006 {said}"):
        log(archive)


def test_an_empty_or_absent_archive_is_said(tmp_path: Path):
    (tmp_path / "a").mkdir()
    with pytest.raises(RecoveryError, match="there is no log in"):
        log(tmp_path / "a")
    with pytest.raises(RecoveryError, match="cannot read the log archive"):
        log(tmp_path / "b")
