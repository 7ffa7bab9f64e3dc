"""Undoes a fault where neither journal nor undo file can be written any more: the disk is full, or was taken away.

Must never need either of them, nor raise for what it cannot tell.
"""

from __future__ import annotations

import contextlib

from drillmark import clock, undo
from drillmark.chaos.undo import failures
from drillmark.decide import stops
from drillmark.engine import children, concluding, guarding, undoing
from drillmark.engine.context import Context
from drillmark.engine.hands import Hands
from drillmark.model.entry import Kind


def undo_without_journal(hands: Hands) -> None:
    """Undo what may be in effect although the journal or the undo file cannot be written any more."""
    state = hands.context.undo_state
    # Held so that the guard, should it find the lease run out, ends this process first and undoes by itself.
    hands.context.lock.acquire(exclusive=False, wait_seconds=0.0)
    if hands.child is not None:
        hands.child.kill()
    children.end_orphans(hands, ("chaos", "worker", *undo.OBSERVERS))
    outcomes = undoing.undo_left(hands.context.paths, state.undoables if began(hands.context) else ())
    bad = failures(outcomes)
    told = [{"name": one.name, "status": one.status, "error": one.error} for one in outcomes]
    hands.context.set_aside(Kind.EVENT, clock.now(), {"what": "undone_without_journal", "rollbacks": told})
    if bad:
        hands.context.view.notice(f"the fault could not be undone, the guard will try again: {'; '.join(bad)}")
        return
    guarding.stop_guard(hands)
    with contextlib.suppress(OSError):
        hands.context.paths.undo.unlink(missing_ok=True)
        concluding.export_journal(hands.context.paths, hands.context.entries)


def began(context: Context) -> bool:
    """Whether a fault may have begun, as far as this process knows."""
    return stops.may_be_in_effect(context.entries)
