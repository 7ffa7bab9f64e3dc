"""Small files that must be whole or absent: written beside, synced, renamed. Mode 0600 throughout."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from drillmark.errors import UsageError


def write_durably(path: Path, text: str) -> None:
    """Replace a file so that after any crash it holds the old text or the new one. Raises OSError."""
    _replace(path, text, synced=True)
    sync_directory(path.parent)


def write_all_durably(texts: Mapping[Path, str]) -> None:
    """The same for several files of one directory, which waits for the disk once less for each. Raises OSError."""
    for path, text in texts.items():
        _replace(path, text, synced=True)
    for directory in {path.parent for path in texts}:
        sync_directory(directory)


def write_whole(path: Path, text: str) -> None:
    """The same, but for the crash of a process alone, not of the machine. Raises OSError."""
    _replace(path, text, synced=False)


def write_bytes_whole(path: Path, content: bytes) -> None:
    """The same for bytes. Raises OSError."""
    _replace(path, content, synced=False)


def _replace(path: Path, content: str | bytes, *, synced: bool) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            if synced:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def drop_drafts(folder: Path) -> None:
    """Remove what a process that was killed while it wrote left in a folder and below. Of the living, nothing."""
    for path in folder.rglob("*.tmp"):
        writer = path.name.removesuffix(".tmp").rpartition(".")[2]
        with contextlib.suppress(OSError):
            if writer.isdecimal() and not Path("/proc", writer).exists():
                path.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make a rename or creation in a directory durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_line_durably(path: Path, line: str) -> None:
    """Append one line and sync it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_json(path: Path) -> Any | None:
    """A JSON file's value, or None where there is no such file or it is not JSON (yet)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def inside(folder: Path, name: str) -> Path:
    """The file of that name in a folder. Raises UsageError where the name, or a link, leads out of it."""
    path = folder / name
    try:
        stays = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        stays = False
    if not stays:
        raise UsageError(f"{name[:200]!a} leads out of {folder}", hint="it is not read; what is measured lies inside")
    return path


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no such file, or it holds anything else."""
    value = read_json(path)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file; a torn line, or one that holds anything else, is left out."""
    try:
        return json_lines(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


def json_lines(text: str) -> list[dict[str, Any]]:
    """The objects of a JSON lines text; a torn line, or one that holds anything else, is left out."""
    values: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
            # What JSON and UTF-8 cannot hold, no journal can either.
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            values.append(cast("dict[str, Any]", value))
    return values
