"""Where in an experiment stands what Chaos Toolkit says against it. Pure.

It names no place: its words are held against the activities. Must never guess: where they fit none, there is no place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drillmark.define.marks import Path, get
from drillmark.define.nearest import nearest

TYPES = ("action", "probe")
_PROVIDERS = ("http", "process", "python")
_HYPOTHESIS: Path = ("steady-state-hypothesis", "probes")


def activities(experiment: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every activity of an experiment with its place."""
    blocks: tuple[Path, ...] = (_HYPOTHESIS, ("method",), ("rollbacks",))
    for block in blocks:
        items = get(experiment, *block)
        for index, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict):
                yield (*block, index), item


def place(experiment: Mapping[str, Any], text: str) -> tuple[Path, str] | None:
    """Where that stands which Chaos Toolkit rejects with this text, and a hint; None where it fits no activity."""
    named: list[Path] = []
    for path, activity in activities(experiment):
        kind, provider = activity.get("type"), get(activity, "provider", "type")
        if text == f"'{kind}' is not a supported activity type":
            return (*path, "type"), _meant(kind, TYPES)
        if text == f"unknown provider type '{provider}'":
            return (*path, "provider", "type"), _meant(provider, _PROVIDERS)
        if text == "hypothesis probe must have a tolerance entry":
            if path[:2] == _HYPOTHESIS and "tolerance" not in activity:
                return path, ""
        elif activity.get("name") and f"'{activity['name']}'" in text:
            named.append(path)
    # Texts also name functions, which another activity may be called after.
    return (named[0], "") if len(named) == 1 else None


def _meant(word: object, allowed: tuple[str, ...]) -> str:
    meant = nearest(str(word), allowed)
    return (f"did you mean `{meant}`? " if meant else "") + f"allowed: {', '.join(allowed)}"
