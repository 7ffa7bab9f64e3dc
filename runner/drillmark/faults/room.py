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

from drillmark import postgres
from drillmark.errors import RecoveryError
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
