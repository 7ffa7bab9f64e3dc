"""What stands in a new row of the queue, whoever asked for it: the calendar, somebody, or a run by hand. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping


def labels_of(name: str, touches: Iterable[str], known: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What a worker must have: the labels of every target that is locked, by `known`: target -> its labels.

    Where two ask for another value of one label, the target that is faulted counts, then the first by its name.
    """
    wanted: dict[str, str] = {}
    for one in (*sorted(touches, reverse=True), name):
        wanted |= known.get(one, {})
    return wanted


def new_row(
    *,
    drill: str,
    source: str,
    environment: str,
    labels: Mapping[str, str],
    priority: int = 0,
    retries: int = 0,
    retry_after_seconds: float = 0.0,
) -> dict[str, object]:
    """A row but for its name, its times and its state."""
    return {
        "drill": drill, "source": source, "priority": priority, "environment": environment,
        "labels": json.dumps(dict(labels), sort_keys=True), "attempts": 1 + retries,
        "retry_after_seconds": retry_after_seconds, "attempt": 1, "turn": 0, "epoch": 0, "taking_over": False,
        "unheard": False, "says": "",
    }  # fmt: skip
