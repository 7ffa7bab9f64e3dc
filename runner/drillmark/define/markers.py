"""Marker writers as they are written: one mapping or a list of them, and the names that tell them apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drillmark.define.marks import Marks, Path, dotted, get
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
        yield from _incomplete(item, marks, place)
        if item.get("store") == "http" and not target.get("identity"):
            hint = "a service has no system identifier: name a probe that tells whose data it serves"
            yield marks.problem(place, "a marker writer over HTTP needs the target's `identity`", hint)


def _incomplete(item: dict[str, Any], marks: Marks, place: Path) -> Iterator[Problem]:
    """What its kind of store needs, and what belongs to the other kind."""
    is_http = item.get("store") == "http"
    for key in ("insert", "read") if is_http else ("secrets",):
        if key not in item:
            what = "a service" if is_http else "a database"
            yield marks.problem(place, f"`{dotted((*place, key))}` is missing", f"{what} needs it", at_key=True)
    if not is_http:
        for key in ("timeout", "verify_tls", "insert", "update", "delete", "read"):
            if key in item:
                yield marks.problem((*place, key), f"`{key}` needs `store: http`", at_key=True)
    elif "update" in item and item.get("changes") is not False and get(item, "read", "write") is None:
        hint = "without it nobody could see whether an update survived"
        yield marks.problem(place, f"`{dotted((*place, 'read', 'write'))}` is missing", hint, at_key=True)


def secret_problems(item: Any, marks: Marks, at: Path, secrets: Any) -> Iterator[Problem]:
    """A block of secrets that does not exist, or has no `dsn`: the store's, or that of a copy of it."""
    known = list(secrets) if isinstance(secrets, dict) else []
    for key in ("secrets", "side"):
        block = get(item, key)
        if not isinstance(block, str) or get(secrets, block, "dsn") is not None:
            continue
        if get(item, "store") == "http" and block in known:
            continue
        message = f"the secrets have no block `{block}`" if block not in known else f"`secrets.{block}` has no `dsn`"
        yield marks.problem((*at, key), message, hint_for(block, known))
