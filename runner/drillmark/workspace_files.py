"""Reading the files that definitions name: inside the workspace, whole, and of a size that makes sense.

Must never read outside the workspace, follow a link out of it, or block on something that is no file.
"""

from __future__ import annotations

import ast
import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drillmark.define.marks import Path as Keys
from drillmark.define.marks import get
from drillmark.define.nearest import hint_for
from drillmark.define.yaml_core import BYTES_LIMIT, too_large
from drillmark.errors import Problem


class Files:
    """The files of one workspace, each read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[str, bytes | Problem] = {}

    def read(self, path: str) -> bytes | Problem:
        """A file's bytes, or why it cannot be read. `path` counts from the workspace root."""
        if path not in self._read:
            self._read[path] = self._load(path)
        return self._read[path]

    def _load(self, path: str) -> bytes | Problem:
        full = self.root / path
        try:
            if not full.resolve().is_relative_to(self.root):
                return Problem(path, 0, 0, f"{path} leads out of the workspace", "links must stay inside it")
            if not full.exists():
                return Problem(path, 0, 0, f"there is no file {path}", self._hint(path))
            if not full.is_file():
                return Problem(path, 0, 0, f"{path} is not a file")
            size = full.stat().st_size
            if size > BYTES_LIMIT:
                return too_large(size, path)
            return full.read_bytes()
        except (OSError, ValueError, RuntimeError) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return Problem(path, 0, 0, f"{path} cannot be read: {what[:1].lower()}{what[1:]}")

    def _hint(self, path: str) -> str:
        folder = (self.root / path).parent
        if not folder.is_dir():
            return "paths count from the workspace root, where drillmark.yaml is"
        if not any(folder.iterdir()):
            return f"its folder {folder.relative_to(self.root).as_posix()}/ is empty"
        siblings = [(folder / name.name).relative_to(self.root).as_posix() for name in sorted(folder.iterdir())]
        return hint_for(path, siblings, what="beside it")


def drill_files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every drill file of a workspace, from its root, in no order. Ten thousand are listed at each heartbeat."""
    folders = ["drills"]
    while folders:
        folder = folders.pop()
        for entry in _entries(root / folder):
            path = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.name.endswith((".yaml", ".yml")) and entry.is_file():
                with contextlib.suppress(OSError):  # gone meanwhile
                    yield path, entry.stat()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it is none, or not ours to read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def drill_paths(raw: Any) -> Iterator[tuple[Keys, str]]:
    """The files that a drill names, and where it names them. Wrong values are told elsewhere and left out."""
    fault, load, runbook = get(raw, "fault"), get(raw, "load"), get(raw, "runbook")
    places: list[tuple[Keys, object]] = [
        (("fault",), fault) if isinstance(fault, str) else (("fault", "experiment"), get(fault, "experiment")),
        (("load",), load) if isinstance(load, str) else (("load", "locustfile"), get(load, "locustfile")),
        (("runbook",), runbook),
    ]
    blackouts = get(raw, "schedule", "blackouts")
    for index, item in enumerate(blackouts if isinstance(blackouts, list) else []):
        if isinstance(item, str) and item.endswith(".ics"):
            places.append((("schedule", "blackouts", index), item))
    for keys, path in places:
        if isinstance(path, str) and _is_inside(path) and path != "simulated":
            yield keys, path


def _is_inside(path: str) -> bool:
    """Whether the text is a path that stays in the workspace; the model tells it where it is not."""
    return (
        bool(path) and "://" not in path and path[0] not in "/~\\" and ".." not in path.split("/") and "\0" not in path
    )


def python_problem(data: bytes) -> str:
    """Why a file is not Python, or an empty text. It is read, never run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error)
    return ""
