"""Undoes what a run left in U although it has ended: its undo had failed, or nothing proved that it had worked.

What the event log shows as succeeded is no proof: that was known when the run ended, and the effect was there all the
same. U is emptied by a probe that says so, by the rollbacks where there is no probe, or by a person who answers for it.
"""

from __future__ import annotations

from drillmark.chaos.undo import failures, undo_all
from drillmark.engine import children, simulating, undoing
from drillmark.engine.hands import Hands
from drillmark.errors import RefusedError
from drillmark.model.entry import Kind
from drillmark.model.undo_words import undo_words
from drillmark.undo import UndoState


def undo(hands: Hands, *, by_hand: str = "") -> None:
    """Try once more, and take it out of U; `by_hand` is who has done so already, and nothing is run or asked then.

    Raises RefusedError where a rollback fails, or a probe does not say that it is gone: then it stays in U.
    """
    context = hands.context
    plan = context.plan
    called = undo_words(simulated=plan.simulated)
    children.end_orphans(hands, ("chaos", "worker"))
    asks = plan.simulated or (plan.fault is not None and plan.fault.effect is not None)
    if not by_hand:
        with hands.pulse.shielded():
            _undo_again(hands, called.thing, every=asks)
    children.end_orphans(hands, ("guard",))
    context.write_undo(UndoState(context.run))
    told = {"experiment": "all", "after_end": True, "proved": asks and not by_hand}
    sentence = f"{by_hand} says: {called.done} by hand" if by_hand else called.done
    context.journal(Kind.UNDONE, told | ({"by_hand": by_hand} if by_hand else {}), sentence=sentence)


def _undo_again(hands: Hands, thing: str, *, every: bool) -> None:
    """Run every rollback, or those that are left, then ask. Raises RefusedError."""
    context = hands.context
    paths, undoables = context.paths, context.undo_state.undoables
    outcomes = undo_all(undoables, run_dir=paths.directory) if every else undoing.undo_left(paths, undoables)
    bad = failures(outcomes)
    way_out = f"where that can never be: undo it by hand, then `drillmark resume {context.run} --undone-by-hand NAME`"
    if bad:
        raise RefusedError(
            f"{thing} of run {context.run} still cannot be undone: {'; '.join(bad)}",
            hint=f"mend what hinders it and run this again; {way_out}",
        )
    problem = undoing.still_in_effect(hands) or simulating.still_answering(hands)
    if problem:
        raise RefusedError(
            f"{thing} of run {context.run} is still not proved gone: {problem}",
            hint=f"see to that, or to the probe, and run this again; {way_out}",
        )
