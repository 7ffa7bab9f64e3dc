"""What people decided that concerns the calendar: drills that are paused, and drills that somebody wants now.

Read anew only when the chain of decisions has grown. Must never decide anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from drillmark import decisions
from drillmark.decisions import State, Trigger
from drillmark.engine.paths import WorkspacePaths
from drillmark.journal.opening import is_there, open_store
from drillmark.model.entry import Entry


@dataclass(slots=True)
class Wishes:
    """The decisions of a workspace."""

    root: Path
    _length: int = -1
    _entries: tuple[Entry, ...] = field(default=())

    def state(self, moment: datetime) -> State:
        """What is in force. Raises JournalError where that cannot be read: then nothing is known to be allowed."""
        workspace = WorkspacePaths(self.root)
        if not is_there(workspace):
            return State()
        store = open_store(workspace)
        try:
            length = store.length(decisions.CHAIN)
            if length != self._length:
                self._entries = decisions.read(store)
                self._length = length
        finally:
            store.close()
        return decisions.state(self._entries, moment)


def occurrence_of(trigger: Trigger) -> str:
    """Under which name it is run, by whichever worker sees it first: the decision's own number tells it from others."""
    return f"{trigger.drill}@{trigger.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}!{trigger.entry}"


def is_wished(occurrence: str) -> bool:
    """Whether somebody triggered it: then no schedule says when it may begin."""
    return "!" in occurrence.partition("@")[2]
