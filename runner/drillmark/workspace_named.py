"""The files of a workspace that a plan's activities name: programs, scripts, modules. Their hashes belong to the plan.

Must never follow a link out of the workspace, nor run or import what it finds.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drillmark.model.plan import Plan

_LONGEST = 1000


def hashes(root: Path, plan: Plan) -> dict[str, str]:
    """Path from the workspace root -> SHA-256 of every file that an activity, a control or a probe names."""
    found: dict[str, str] = {}
    for path in sorted(set(_paths(root, _activities(plan)))):
        inside = path.relative_to(root).as_posix()
        with path.open("rb") as file:
            found[inside] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _activities(plan: Plan) -> dict[str, Any]:
    """Whatever is performed for this plan, and nothing else of it."""
    parts = {"fault", "simulation", "probes", "identity", "preflight", "recover", "verify", "guards"}
    return plan.model_dump(mode="json", include=parts)


def _paths(root: Path, value: Any, key: str = "") -> Iterator[Path]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(root, inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(root, inner, key)
    elif isinstance(value, str) and value and len(value) <= _LONGEST:
        if key == "module":
            stem = value.replace(".", "/")
            yield from _files(root, [f"{stem}.py", f"{stem}/__init__.py"])
        else:
            yield from _files(root, [value, *_words(value)])


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _files(root: Path, names: list[str]) -> Iterator[Path]:
    for name in names:
        try:
            path = (root / name).resolve()
            if path.is_relative_to(root) and path.is_file():
                yield path
        except (OSError, ValueError, RuntimeError):
            continue  # no name of a file
