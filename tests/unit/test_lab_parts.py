"""The lab's parts that need no server: its record, its archive command, its retention, its sizes."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
import sys

import click
import pytest

from drillmark import postgres
from drillmark.cli.lab import Size
from drillmark.errors import LabError
from drillmark.lab import archive_wal, backups, create, remains, state
from drillmark.lab.layout import Layout
from drillmark.lab.state import Cluster, LabState, Service
from drillmark.processes import ProcessIdentity
from lab_helpers import shared_memory

IPC_SET, IPC_STAT = 1, 2


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    for folder in made.folders():
        folder.mkdir()
    return made


def test_a_record_reads_back_as_it_was_written(layout):
    lab = LabState(
        directory=str(layout.directory),
        short_directory="/tmp/drillmark-x",
        scale_bytes=5,
        primary="main",
        service=Service(1234, process=ProcessIdentity(3, "4")),
        clusters={"main": Cluster("main", "/x", 1, held=True, process=ProcessIdentity(1, "2"), shared_memory_ids=[7])},
        supervisor=ProcessIdentity(5, "6"),
    )
    state.write(lab)
    assert state.read(layout) == lab
    assert layout.record.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": "drillmark.lab/999"}'])
def test_a_broken_record_is_an_error_with_a_way_out(layout, text):
    layout.record.write_text(text)
    with pytest.raises(LabError, match="cannot read") as caught:
        state.read(layout)
    assert "lab down" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
def test_the_segment_that_another_users_server_left_is_removed(layout):
    """Where `unshare` is refused, root's PostgreSQL runs as another user, whose segments are not root's."""
    libc = ctypes.CDLL(None, use_errno=True)
    segment = libc.shmget(0, 56, 0o600)  # IPC_PRIVATE
    owner = (ctypes.c_char * 256)()
    try:
        assert segment >= 0
        assert libc.shmctl(segment, IPC_STAT, owner) == 0
        struct.pack_into("=II", owner, 4, 65534, 65534)  # after the key: uid and gid
        assert libc.shmctl(segment, IPC_SET, owner) == 0
        data = layout.clusters / "main"
        data.mkdir()
        (data / "PG_VERSION").write_text("18")
        (data / "postmaster.pid").write_text("\n" * 6 + f"  5432100 {segment}\n")
        remains.remove_shared_memory(layout, None)
        assert str(segment) in shared_memory(), "it was root's own data: not this server's segment"
        os.chown(data, 65534, 65534)
        remains.remove_shared_memory(layout, None)
        assert str(segment) not in shared_memory()
    finally:
        libc.shmctl(segment, 0, None)  # IPC_RMID


def test_wal_is_archived_whole_once_and_never_over_something_else(tmp_path):
    source, target = tmp_path / "a b", tmp_path / "archive" / "000000010000000000000001"
    target.parent.mkdir()
    source.write_bytes(b"x" * 3_000_000)
    command = [sys.executable, "-I", "-S", archive_wal.__file__, str(source), str(target)]
    for _ in range(2):
        assert subprocess.run(command, check=False).returncode == 0
        assert target.read_bytes() == source.read_bytes()
    source.write_bytes(b"y")
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (refused.returncode, target.stat().st_size) == (1, 3_000_000)
    assert "holds another" in refused.stderr
    assert names_in(target.parent) == [target.name]


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    (tmp_path / "source").write_bytes(b"x")

    def full(descriptor):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(archive_wal.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        archive_wal.archive(tmp_path / "source", tmp_path / "target")
    assert names_in(tmp_path) == ["source"]


def make_backup(layout, name, first_file):
    place = layout.backups / name
    place.mkdir()
    (place / "backup_label").write_text(f"START WAL LOCATION: 0/2000028 (file {first_file})\nCHECKPOINT ...\n")


def test_retention_keeps_the_newest_backups_and_all_wal_that_any_of_them_needs(layout):
    for number, name in enumerate(["20260101T000000Z", "20260101T000000Z-2", "20260102T000000Z", "20260103T000000Z"]):
        make_backup(layout, name, f"0000000100000000000000{number + 2:02X}")
    for name in (
        "000000010000000000000001",
        "000000010000000000000002",
        "000000010000000000000002.00000028.backup",
        "000000010000000000000003",
        "000000020000000000000002",
        "000000020000000000000003",
        "00000002.history",
        ".000000010000000000000009.1.tmp",
    ):
        (layout.archive / name).touch()
    os.utime(layout.archive / ".000000010000000000000009.1.tmp", (1, 1))
    backups.retain(layout)
    assert backups.names(layout) == ["20260101T000000Z-2", "20260102T000000Z", "20260103T000000Z"]
    assert names_in(layout.archive) == [
        "000000010000000000000003",
        "00000002.history",
        "000000020000000000000003",
    ]
    # A cluster made anew counts from the beginning: its WAL is low, and needed.
    make_backup(layout, "20260104T000000Z", "000000010000000000000001")
    (layout.archive / "000000010000000000000001").touch()
    backups.retain(layout)
    assert (layout.archive / "000000010000000000000001").exists()


def test_retention_without_a_readable_backup_removes_no_wal(layout):
    (layout.archive / "000000010000000000000001").touch()
    backups.retain(layout)
    (layout.backups / "20260101T000000Z").mkdir()
    (layout.backups / "20260101T000000Z" / "backup_label").write_text("nothing")
    with pytest.raises(LabError, match="does not say where its WAL begins"):
        backups.retain(layout)
    assert names_in(layout.archive) == ["000000010000000000000001"]


def test_old_clusters_go_but_for_those_in_use_and_the_two_newest(layout):
    for age, place in enumerate(["clusters/main", "clusters/a", "clusters/b", "aside/c", "clusters/d"]):
        path = layout.directory / place
        path.mkdir()
        os.utime(path, (1000 + age, 1000 + age))
    old = backups.old_clusters(layout, {(layout.clusters / "main").resolve()})
    assert [path.name for path in old] == ["a", "b"]
    (layout.clusters / "a.log").touch()
    backups.remove_cluster(old[0])
    assert names_in(layout.clusters) == ["b", "d", "main"]


def test_settings_survive_paths_with_every_kind_of_character(tmp_path):
    layout = Layout(tmp_path / 'it\'s 100% "odd" $HOME')
    layout.directory.mkdir()
    line = next(line for line in create.settings(layout).splitlines() if line.startswith("archive_command"))
    value = line.partition(" = ")[2][1:-1].replace("''", "'")
    # What PostgreSQL makes of it, and then the shell.
    shell = value.replace("%p", "pg_wal/0001").replace("%f", "0001").replace("%%", "%")
    script = "import sys, json; print(json.dumps(sys.argv[1:]))"
    (layout.directory / "archive_wal.py").write_text(script)
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["pg_wal/0001", f"{layout.archive}/0001"]
    assert postgres.binary("postgres").exists()


@pytest.mark.parametrize(("text", "size"), [("16MB", 16 << 20), ("1gb", 1 << 30), ("1.5 kB", 1536), ("7", 7)])
def test_sizes(text, size):
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "16 apples"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(click.BadParameter, match="not a size"):
        Size().convert(text, None, None)
