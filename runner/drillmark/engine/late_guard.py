"""Holds a target for as long as the guard of a lost machine may still be undoing there.

What it undid then would be another's: the fault of the next attempt, or of the next drill. It cannot be seen from
here, so its time is counted by what is known of it: its lease, the run's deadline where it keeps the fault until then,
and how long the undo of what stands in U takes at most. On the same machine it is over once its process is gone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from drillmark import clock, processes
from drillmark.engine.early import LEASE_SECONDS
from drillmark.engine.undoing import undo_seconds
from drillmark.guard.acting import longest_seconds
from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import UndoState

# The event that says how long a target is held. Whoever takes the run over after that keeps to it.
WHAT = "held_for_guard"
_POLL_SECONDS = 0.2


def held_until_ns(entries: Sequence[Entry]) -> int | None:
    """Until when the target is held already, on the wall clock."""
    found = (entry.data.get("until_wall_ns") for entry in entries if entry.data.get("what") == WHAT)
    return next((at for at in found if type(at) is int), None)


def may_act_for_seconds(entries: Sequence[Entry], state: UndoState | None, now: Stamp) -> float:
    """How long from now on the run's guard may act; 0 where nothing is in effect that it could undo.

    `state` is the copy of U that there is, None where there is none.
    """
    guard = last(entries, Effect.GUARD)
    gone = any(entry.kind is Kind.UNDONE for entry in entries) or last(entries, Effect.INJECT) is None
    if guard is None or (gone if state is None else not state.undoables):
        return 0.0
    told = guard.intent.data
    acts_within_seconds = float(told.get("lease_seconds", LEASE_SECONDS))
    if told.get("runner_lost") == "hold":
        since_start_seconds = (now.wall_ns - entries[0].stamp.wall_ns) / NANOSECONDS
        acts_within_seconds += max(0.0, float(entries[0].data.get("deadline_seconds", 0.0)) - since_start_seconds)
    return acts_within_seconds + longest_seconds(undo_seconds(state or UndoState("")))


def wait(entries: Sequence[Entry], state: UndoState | None) -> None:
    """Return when that guard cannot act any more."""
    until_ns = held_until_ns(entries)
    if until_ns is None:
        return
    guard = state.child("guard") if state is not None and entries[0].stamp.same_clock(clock.now()) else None
    deadline_ns = clock.monotonic_ns() + until_ns - clock.now().wall_ns
    while clock.monotonic_ns() < deadline_ns and (guard is None or processes.is_alive(guard.identity)):
        time.sleep(_POLL_SECONDS)
