"""The loop: while `decide` names an effect, perform it. The only place where both meet."""

from __future__ import annotations

from collections.abc import Callable

from drillmark.decide import Decision, decide, upcoming
from drillmark.engine import activities, concluding, guarding, injecting, observing, simulating, undoing, waiting
from drillmark.engine.context import Context
from drillmark.engine.hands import Hands
from drillmark.engine.interruption import Interrupted
from drillmark.errors import DrillmarkError, JournalError, StaleEpochError, UndoFileError
from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Kind, Status

PERFORMERS: dict[Effect, Callable[[Hands, Decision], None]] = {
    Effect.PREFLIGHT: activities.preflight,
    Effect.GUARD: guarding.start_guard,
    Effect.OBSERVERS: observing.start_observers,
    Effect.LOAD: observing.start_load,
    Effect.PREPARE: injecting.prepare,
    Effect.BASELINE: waiting.baseline,
    Effect.INJECT: injecting.inject,
    Effect.PROVE_EFFECT: injecting.prove_effect,
    Effect.SIDE: observing.start_side,
    Effect.FAULT: waiting.hold_fault,
    Effect.DETECT: waiting.detect,
    Effect.RECOVER: activities.recover,
    Effect.VERIFY: activities.verify,
    Effect.SOAK: waiting.soak,
    Effect.READ_BACK: observing.read_back,
    Effect.UNDO: undoing.undo_fault,
    Effect.PROVE_UNDONE: undoing.prove_undone,
    Effect.AFTER_UNDO: waiting.after_undo,
    Effect.STOP_LOAD: observing.stop_load,
    Effect.STOP_OBSERVERS: observing.stop_observers,
    Effect.CONCLUDE: concluding.conclude,
    Effect.END: concluding.end,
}


# In a simulated disaster nothing is injected, and what is to be undone is a copy.
SIMULATED: dict[Effect, Callable[[Hands, Decision], None]] = {
    Effect.PREPARE: simulating.prepare,
    Effect.INJECT: simulating.declare,
    Effect.PROVE_UNDONE: simulating.prove_discarded,
}


def drive(hands: Hands) -> None:
    """Drive the run to its end.

    Raises StaleEpochError where somebody else took it over, and JournalError or UndoFileError where neither can be
    written any more; whatever was in effect has then been undone as far as this process could.
    """
    context = hands.context
    while (decision := decide(context.plan, context.entries)).effect is not None:
        context.sentence = decision.sentence
        hands.pulse.phase(decision.effect, decision.sentence)
        hands.pulse.next_sentence = upcoming(context.plan, decision)
        _perform(hands, decision)


def _perform(hands: Hands, decision: Decision) -> None:
    assert decision.effect is not None
    context = hands.context
    try:
        simulated = SIMULATED.get(decision.effect) if context.plan.simulated else None
        (simulated or PERFORMERS[decision.effect])(hands, decision)
    except Interrupted as interruption:
        _journal_cut_short(context, decision, Status.INDETERMINATE, f"cut short: {interruption.reason}")
        context.journal(
            Kind.ABORT,
            {"by": interruption.by, "reason": interruption.reason},
            sentence=f"stopping: {interruption.reason}",
        )
    except (StaleEpochError, JournalError, UndoFileError):
        raise
    except (DrillmarkError, OSError) as error:
        _journal_cut_short(context, decision, Status.FAILED, str(error))


def _journal_cut_short(context: Context, decision: Decision, status: Status, error: str) -> None:
    """An effect that raised has no outcome yet; without one it would be decided again for ever."""
    assert decision.effect is not None
    found = last(context.entries, decision.effect, decision.key)
    begun = found is not None and found.attempt == decision.attempt
    if begun and found is not None and found.outcome is not None:
        return
    if not begun:
        context.intent(decision.effect, decision.key, decision.attempt)
    context.outcome(decision.effect, decision.key, decision.attempt, status, error=error, nothing_began=not begun)
