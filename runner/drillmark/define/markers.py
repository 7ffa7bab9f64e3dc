"""Marker writers as they are written: one mapping or a list of them, and the names that tell them apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drillmark.define.marks import Marks, Path, get
from drillmark.define.nearest import hint_for
from drillmark.errors import Problem

DEFAULT_STORE = "postgres"


def written(value: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The writers of a raw `markers`, each with the path to it."""
    if isinstance(value, dict):
        yield (), value
    elif isinstance(value, list):
        yield from (((index,), item) for index, item in enumerate(value) if isinstance(item, dict))


def label(item: dict[str, Any]) -> str:
    """What a raw writer is called."""
    return str(item.get("name") or item.get("store") or DEFAULT_STORE)


def problems(target: dict[str, Any], marks: Marks, at: Path, secrets: Any) -> Iterator[Problem]:
    """Two writers of one name, and secrets that are not there."""
    seen: set[str] = set()
    for path, item in written(target.get("markers")):
        place: Path = (*at, "markers", *path)
        if label(item) in seen:
            hint = "give each a `name` of its own"
            yield marks.problem(place, f"there are two marker writers called `{label(item)}`", hint)
        seen.add(label(item))
        yield from secret_problems(item, marks, place, secrets)


def secret_problems(item: Any, marks: Marks, at: Path, secrets: Any) -> Iterator[Problem]:
    """A block of secrets that does not exist, or has no `dsn`: the store's, or that of a copy of it."""
    for key in ("secrets", "side"):
        block = get(item, key)
        if not isinstance(block, str) or get(secrets, block, "dsn") is not None:
            continue
        known = list(secrets) if isinstance(secrets, dict) else []
        message = f"the secrets have no block `{block}`" if block not in known else f"`secrets.{block}` has no `dsn`"
        yield marks.problem((*at, key), message, hint_for(block, known))
