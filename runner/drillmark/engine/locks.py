"""Advisory locks: one for each run (who performs effects), one for each target (one drill at a time).

Descriptors are never inherited, so a lock ends with its process, whatever children that left behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from drillmark import clock
from drillmark.errors import RefusedError, StaleEpochError

if TYPE_CHECKING:
    from drillmark.model.plan import Plan

_POLL_SECONDS = 0.02


class FileLock:
    """An flock on a file; shared or exclusive. Not re-entrant."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Python opens descriptors non-inheritable.
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def acquire(self, *, exclusive: bool, wait_seconds: float) -> bool:
        """Take the lock within `wait_seconds`; returns whether it was had."""
        assert self._descriptor is not None
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        deadline = clock.monotonic_ns() + round(wait_seconds * 1e9)
        while True:
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                if clock.monotonic_ns() >= deadline:
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                return True

    def release(self) -> None:
        """Let the lock go, keep the file open."""
        assert self._descriptor is not None
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let lock and file go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def shared(self, wait_seconds: float = 5.0) -> Generator[None]:
        """Hold it shared for a while. Raises StaleEpochError where somebody holds it exclusively: a take-over."""
        if not self.acquire(exclusive=False, wait_seconds=wait_seconds):
            raise StaleEpochError("somebody else is taking this run over", hint="wait until the guard has ended")
        try:
            yield
        finally:
            self.release()

    @property
    def descriptor(self) -> int:
        """The open file, to read or write a note in it."""
        assert self._descriptor is not None
        return self._descriptor


class TargetLock:
    """One drill at a time on a target. The file names the run that holds it, or held it last."""

    def __init__(self, directory: Path, target: str, name: str | None = None) -> None:
        self.target = target
        self._lock = FileLock(directory / f"{(name or target).replace('/', '_')}.lock")

    def acquire(self, run: str) -> str:
        """Take it for a run. Returns the run that held it last, or an empty string.

        Raises RefusedError where another run holds it now.
        """
        if not self._lock.acquire(exclusive=True, wait_seconds=0.0):
            raise RefusedError(
                f"target {self.target} is busy: run {self.holder() or 'unknown'} is on it",
                hint="wait for it, or stop it with `drillmark abort`",
            )
        before = self.holder()
        os.ftruncate(self._lock.descriptor, 0)
        os.pwrite(self._lock.descriptor, run.encode(), 0)
        os.fsync(self._lock.descriptor)
        return before if before != run else ""

    def give_back(self, run: str) -> None:
        """Write back who held it before, where this run may not have it after all."""
        os.ftruncate(self._lock.descriptor, 0)
        os.pwrite(self._lock.descriptor, run.encode(), 0)

    def holder(self) -> str:
        """The run named in the file."""
        return os.pread(self._lock.descriptor, 200, 0).decode(errors="replace").strip()

    def close(self) -> None:
        """Let it go."""
        self._lock.close()


class Everywhere(Protocol):
    """The same on all machines that share a database."""

    def take(self, run: str, plan: Plan, *, is_over: bool = False) -> None:
        """Take a plan's targets for a run; only what that holds already where it `is_over`. Raises RefusedError."""
        ...

    def take_up(self, run: str) -> object | None:
        """Take what a run still holds whose runner is lost; None where that is nothing. Raises RefusedError."""
        ...
