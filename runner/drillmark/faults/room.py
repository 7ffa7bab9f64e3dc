"""Ways to leave a server no room: a ballast file on a small file system, or a quota on the files of its processes.

The ballast goes beside the data directory, never into it, and never onto a file system that is larger than said:
others may live there. The quota is RLIMIT_FSIZE, whose soft limit Linux lets a user lower and raise again for
processes of the same user. Must never touch a process that does not work in the data directory named.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from drillmark import postgres
from drillmark.errors import RecoveryError
from drillmark.recovery.activity import logger
from drillmark.recovery.connecting import connect, store
from drillmark.recovery.marker import this_run

_CHUNK_BYTES, _LEAST_BYTES = 16 << 20, 4096
_BLOCK_BYTES = 8192


def ballast_for(data_directory: Path, small_bytes: int) -> Path | None:
    """Where ballast would go; None where the file system is larger than that, or not that of the folder above."""
    folder, size = data_directory.parent, os.statvfs(data_directory)
    same = folder.stat().st_dev == data_directory.stat().st_dev
    small = same and size.f_blocks * size.f_frsize <= small_bytes
    return folder / f"drillmark-ballast-{this_run() or 'by-hand'}" if small else None


def fill_up(ballast: Path) -> int:
    """Let the ballast take all that is free. Returns its size. Raises RecoveryError."""
    chunk = _CHUNK_BYTES
    with ballast.open("xb") as file:
        while chunk >= _LEAST_BYTES:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), chunk)
            except OSError as error:
                if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                    raise RecoveryError(f"cannot fill the disk by {ballast}: {error}") from error
                chunk //= 2
        return file.seek(0, os.SEEK_END)


def has_ballast(ballast: Path) -> bool:
    """Whether it is there and takes room."""
    return ballast.exists() and ballast.stat().st_size > 0


def no_quota_because(data_directory: Path) -> str:
    """Why this machine lets nobody set a quota on that server; empty where it does."""
    if not hasattr(resource, "prlimit"):
        return "only Linux can limit the files of a running process"
    head = postgres.postmaster(data_directory)
    if head is None:
        return f"no server runs in {data_directory}"
    try:
        now = resource.prlimit(head.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(head.pid, resource.RLIMIT_FSIZE, now)
    except (OSError, ValueError) as error:
        return f"the limit of process {head.pid} cannot be set: {error}"
    return ""


def quota(data_directory: Path) -> int:
    """The quota that the server has now (-1: none). Raises RecoveryError where no server runs."""
    found = _quotas(data_directory)
    if not found:
        raise RecoveryError(f"no server runs in {data_directory}")
    return found[0]


def largest_file_bytes(data_directory: Path) -> int:
    """The size of its largest file, in whole blocks: all that is there may still be written at that quota."""
    sizes: list[int] = [_BLOCK_BYTES]
    for path in data_directory.rglob("*"):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size if path.is_file() else 0)
    return -(-max(sizes) // _BLOCK_BYTES) * _BLOCK_BYTES


def put_quota(data_directory: Path, limit_bytes: int) -> None:
    """Give every process of the server that quota, the postmaster first: what it starts after that has its own.

    Raises RecoveryError where one keeps another.
    """
    for process in postgres.server_processes(data_directory):
        with contextlib.suppress(ProcessLookupError):
            hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit_bytes, hard))
    if not has_quota(data_directory, limit_bytes) and postgres.server_processes(data_directory):
        raise RecoveryError(f"processes of the server in {data_directory} do not take the limit {limit_bytes}")


def has_quota(data_directory: Path, limit_bytes: int) -> bool:
    """Whether a server runs, and every process of it has that quota."""
    found = _quotas(data_directory)
    return bool(found) and all(limit == limit_bytes for limit in found)


def _quotas(data_directory: Path) -> list[int]:
    found: list[int] = []
    for process in postgres.server_processes(data_directory):
        with contextlib.suppress(ProcessLookupError):
            found.append(resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[0])
    return found


def is_vacuumed(dsn: str, table: str) -> bool:
    """Whether autovacuum is left to itself on that table. Raises RecoveryError where there is no such table."""
    with store(dsn) as connection:
        query = "select coalesce(reloptions::text, '') from pg_class where oid = to_regclass(%s)"
        row = connection.execute(query, (table,)).fetchone()
    if row is None:
        raise RecoveryError(f"there is no table {table}: nothing was done")
    return "autovacuum_enabled" not in row[0]


def vacuum(dsn: str, table: str, *, on: bool) -> None:
    """Let autovacuum at the table or not: it would find room again. Raises RecoveryError."""
    what = "alter table {} reset (autovacuum_enabled)" if on else "alter table {} set (autovacuum_enabled = off)"
    with store(dsn) as connection:
        connection.execute("set lock_timeout = '20s'")
        connection.execute(sql.SQL(cast("LiteralString", what)).format(sql.Identifier(*table.split("."))))


def refuses(dsn: str, filler: str) -> bool:
    """Whether the store has no room for that statement; it is rolled back where it has."""
    try:
        with connect(dsn) as connection, connection.transaction(force_rollback=True):
            connection.execute(cast("LiteralString", filler))
    except psycopg.Error as error:
        logger.info("no room: %s", str(error).strip())
        return True
    return False
