"""Copies a base backup into a fresh directory, several files at a time, inside the kernel where it can.

Must never write over a file: a copy goes where nothing is. Durability is the server's: before it replays
anything, PostgreSQL itself syncs a data directory that was not shut down cleanly, as every backup is.
"""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drillmark.errors import RecoveryError
from drillmark.recovery.progress import Progress

_STRETCH_BYTES = 16 << 20
_NOT_HERE = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


def copy_tree(source: Path, into: Path, *, leave_out: frozenset[str], jobs: int, progress: Progress) -> int:
    """Copy what is in `source` into the existing directory `into`. Returns how many bytes.

    Args:
        source: a base backup in plain format, without links.
        into: where it goes; of what is copied nothing may be there yet.
        leave_out: names at the top that are not copied.
        jobs: how many files at a time.
        progress: told of every stretch.

    Raises RecoveryError where a file cannot be read or written, or the disk is full.
    """
    files: list[tuple[int, str, str]] = []
    try:
        _make_folders(str(source), str(into), leave_out, files)
        files.sort(reverse=True)
        total = sum(size for size, _, _ in files)
        progress.begin("copy", total)
        with ThreadPoolExecutor(max(1, jobs)) as pool:
            for _ in pool.map(lambda item: _copy(item[1], item[2], progress), files):
                pass
    except OSError as error:
        raise RecoveryError(
            f"cannot copy {error.filename or source} into {into}: {error.strerror}",
            hint="is there room for a second copy of the database?" if error.errno == errno.ENOSPC else "",
        ) from error
    progress.end()
    return total


def _make_folders(source: str, into: str, leave_out: frozenset[str], files: list[tuple[int, str, str]]) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name in leave_out:
                continue
            there = f"{into}/{entry.name}"
            if entry.is_symlink():
                raise RecoveryError(f"{entry.path} is a link; only plain backups without links can be restored")
            if entry.is_dir():
                os.mkdir(there, 0o700)  # noqa: PTH102 a thousand paths made into objects cost more than the copy
                _make_folders(entry.path, there, frozenset(), files)
            elif entry.is_file():
                files.append((entry.stat().st_size, entry.path, there))


def _copy(source: str, there: str, progress: Progress) -> None:
    reading = os.open(source, os.O_RDONLY)
    try:
        writing = os.open(there, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _pour(reading, writing, progress)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _pour(reading: int, writing: int, progress: Progress) -> None:
    copy_range = getattr(os, "copy_file_range", None)
    done = 0
    while copy_range is not None:
        try:
            count = copy_range(reading, writing, _STRETCH_BYTES)
        except OSError as error:
            if done or error.errno not in _NOT_HERE:
                raise
            break
        if count == 0:
            return
        done += count
        progress.add(count)
    with open(reading, "rb", closefd=False) as source, open(writing, "wb", closefd=False) as target:
        shutil.copyfileobj(source, target, _STRETCH_BYTES)
        progress.add(target.tell())
