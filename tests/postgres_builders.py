"""Builders for recovery's tests: log segments and backups that look real from outside, and a real small server."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from drillmark import postgres
from drillmark.postgres import int_to_lsn
from drillmark.recovery.launching import bring_up
from drillmark.recovery.wal import segment_name
from waiting import until

SEGMENT = 1 << 20
SYSTEM = "7000000000000000001"


def make_segment(
    folder: Path,
    timeline: int,
    number: int,
    *,
    system: str = SYSTEM,
    size: int = SEGMENT,
    header_timeline: int | None = None,
) -> Path:
    """A log segment whose first page is right and whose rest is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    head = struct.pack(
        "=HHIQI4xQII", 0xD118, 2, header_timeline or timeline, number * SEGMENT, 0, int(system), SEGMENT, 8192
    )
    path = folder / segment_name(timeline, number, SEGMENT)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def make_history(folder: Path, timeline: int, *parents: tuple[int, int]) -> Path:
    """`parents`: (timeline, position at which it was left)."""
    path = folder / f"{timeline:08X}.history"
    path.write_text(
        "".join(f"{parent}\t{int_to_lsn(left)}\tno recovery target specified\n\n" for parent, left in parents)
    )
    return path


def make_backup(
    folder: Path,
    *,
    start: int = 5 * SEGMENT + 40,
    end: int = 5 * SEGMENT + 300,
    timeline: int = 1,
    started: str = "2026-01-02 03:04:05 UTC",
    files: dict[str, bytes] | None = None,
    algorithm: str = "SHA256",
    system: str = SYSTEM,
) -> Path:
    """A base backup in plain format with a true manifest."""
    name = f"{timeline:08X}{0:08X}{start // SEGMENT:08X}"
    label = (
        f"START WAL LOCATION: {int_to_lsn(start)} (file {name})\nCHECKPOINT LOCATION: {int_to_lsn(start)}\n"
        f"BACKUP METHOD: streamed\nSTART TIME: {started}\nSTART TIMELINE: {timeline}\n"
    )
    content = {"backup_label": label.encode(), "postgresql.conf": b"", "base/1/112": b"x" * 5000} | (files or {})
    entries = []
    for path, data in content.items():
        there = folder / path
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(data)
        entry = {"Path": path, "Size": len(data), "Last-Modified": "2026-01-02 03:04:05 GMT"}
        if algorithm != "NONE":
            entry |= {"Checksum-Algorithm": algorithm, "Checksum": hashlib.sha256(data).hexdigest()}
        entries.append(entry)
    ranges = [{"Timeline": timeline, "Start-LSN": int_to_lsn(start), "End-LSN": int_to_lsn(end)}]
    head = json.dumps(
        {
            "PostgreSQL-Backup-Manifest-Version": 2,
            "System-Identifier": int(system),
            "Files": entries,
            "WAL-Ranges": ranges,
        }
    )
    body = head[:-1] + ",\n"
    digest = hashlib.sha256(body.encode()).hexdigest()
    (folder / "backup_manifest").write_text(body + f'"Manifest-Checksum": "{digest}"}}\n')
    return folder


@dataclass
class Server:
    """A real server with an archive, as somebody might have one: not the lab's."""

    root: Path
    port: int

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def archive(self) -> Path:
        return self.root / "log archive"

    @property
    def backups(self) -> Path:
        return self.root / "base backups"

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def execute(self, statement: str, *values: object) -> list[tuple]:
        with psycopg.connect(self.dsn, autocommit=True, client_encoding="UTF8") as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def back_up(self, name: str, *, seconds: float = 60) -> Path:
        place = self.backups / name
        argv = [
            postgres.binary("pg_basebackup"),
            "-D",
            place,
            "-d",
            self.dsn,
            "-c",
            "fast",
            "--manifest-checksums=SHA256",
        ]
        postgres.run(argv, timeout_seconds=seconds)
        return place

    def archive_all(self, *, seconds: float = 20.0) -> None:
        """Switch the log, and wait until what was written until now is archived."""
        # With nothing written since the last switch there would be nothing to archive.
        self.execute("select pg_logical_emit_message(false, 'test', 'more')")
        name = self.execute("select pg_walfile_name(pg_current_wal_lsn())")[0][0]
        self.execute("select pg_switch_wal()")
        until((self.archive / name).exists, seconds=seconds)


@contextmanager
def running_server(root: Path, *, segment_megabytes: int = 1) -> Iterator[Server]:
    server = Server(root, postgres.free_port())
    for folder in (root, server.archive, server.backups):
        folder.mkdir(parents=True, exist_ok=True)
    postgres.hand_over(root)
    argv = [postgres.binary("initdb"), "-D", server.data, "-U", "postgres", "-A", "trust", "-N"]
    argv += ["--wal-segsize", str(segment_megabytes)]
    postgres.run(argv, timeout_seconds=60)
    archive = f"{server.archive}/%f"
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "port": str(server.port),
        "archive_mode": "on",
        "archive_command": f'cp "%p" "{archive}.part" && mv "{archive}.part" "{archive}"',
        "shared_buffers": "16MB",
        "dynamic_shared_memory_type": "mmap",
        "max_wal_size": f"{32 * segment_megabytes}MB",
        "min_wal_size": f"{4 * segment_megabytes}MB",
        "log_line_prefix": "%m [%p] ",
        "log_timezone": "UTC",
    }
    with (server.data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    # Nobody's child: killed, it must leave no zombie, whose pid PostgreSQL would take for a living server.
    bring_up(server.data, port=None, log=root / "server.log", timeout_seconds=60)
    try:
        yield server
    finally:
        for place in root.rglob("PG_VERSION"):
            if (place.parent / "global").is_dir():
                postgres.stop(place.parent, "kill")
