"""On what terms a worker works, and when anybody of the fleet counts as lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drillmark.chaos.undo import ROLLBACK_SECONDS
from drillmark.fleet.choosing import Limits


@dataclass(frozen=True, slots=True)
class Terms:
    """How a worker works.

    Attributes:
        lease_seconds: how long it may be silent; no effect begins when its last beat is older.
        undo_seconds: what a guard may need to undo, after the lease, before another takes over.
        drain_seconds: how long what is under way may go on when the worker is to end.
        look_seconds: from heartbeat to heartbeat, for the whole fleet.
        poll_seconds: how often it looks for what it was given; it wakes up by itself when a drill is due.
    """

    labels: Mapping[str, str]
    slots: int = 2
    lease_seconds: float = 30.0
    undo_seconds: float = ROLLBACK_SECONDS
    drain_seconds: float = 600.0
    look_seconds: int = 10
    poll_seconds: float = 1.5
    limits: Limits = field(default_factory=Limits)


def grace_seconds(lease_seconds: float, undo_seconds: float = ROLLBACK_SECONDS) -> float:
    """How long after its lease somebody is silent before it counts as lost: what its guard needs to undo."""
    return max(lease_seconds, undo_seconds)
