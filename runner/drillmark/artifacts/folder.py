"""A folder that keeps runs: each file is written beside, synced, read back, and renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

from drillmark import files
from drillmark.artifacts.place import ArtifactsError


class Folder:
    """Must be there already: what is made where a share is not mounted would lie on the wrong disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self) -> None:
        """See that it is there."""
        if not self._folder.is_dir():
            raise ArtifactsError(f"{self._folder} is no folder", hint="make it, or mount it")

    def holds(self, key: str, size: int, sha256: str) -> bool:
        """Whether this very file is there already."""
        path = self._folder / key
        try:
            return path.stat().st_size == size and _digest(path) == sha256
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _told(path, error) from error

    def put(self, key: str, path: Path, sha256: str) -> None:
        """Copy it; what was read back from there must be the same."""
        target = self._folder / key
        draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with path.open("rb") as source, open(descriptor, "wb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            if _digest(draft) != sha256:
                raise ArtifactsError(f"{target}: the copy is not what was copied")
            draft.replace(target)
            files.sync_directory(target.parent)
        except OSError as error:
            raise _told(target, error) from error
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def read(self, key: str) -> bytes | None:
        """What stands in it."""
        path = self._folder / key
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _told(path, error) from error

    def remove(self, key: str) -> None:
        """Take it away, and the folder that it was the last in."""
        path = self._folder / key
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                files.sync_directory(path.parent)
        except OSError as error:
            raise _told(path, error) from error
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # only where nothing is left in it


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _told(path: Path, error: OSError) -> ArtifactsError:
    return ArtifactsError(f"{path}: {error.strerror or error}")
