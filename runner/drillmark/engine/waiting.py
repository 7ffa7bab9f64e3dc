"""Performs the phases in which the drill only watches: baseline, fault, soak, the time after the undo."""

from __future__ import annotations

from collections.abc import Callable

from drillmark import clock, measure
from drillmark.decide import Decision
from drillmark.engine import permission
from drillmark.engine.hands import Hands
from drillmark.engine.moments import effect_began_ns
from drillmark.model.entry import Effect, Kind, Status
from drillmark.model.evidence import Evidence
from drillmark.model.stamp import NANOSECONDS, Stamp

_LOOK_SECONDS = 1.0
_WRITTEN_WITHIN_SECONDS = 3.0
# In a drill without recovery the soak is extended by so many hold windows at most.
_HOLDS_AFTER_UNDO = 10
_BLIND = frozenset({"prober_died", "side_died", "load_died", "load_stalled", "load_worker_died"})


def baseline(hands: Hands, decision: Decision) -> None:
    """Watch the target undisturbed; it must be in its steady state, or nothing is injected."""
    context = hands.context
    context.intent(Effect.BASELINE, "", decision.attempt)
    seconds = context.plan.phases.baseline_seconds
    hands.pulse.phase(Effect.BASELINE, decision.sentence, seconds)
    hands.pulse.wait(seconds)
    met, reason = measure.steady_state(hands.evidence(), clock.monotonic_ns())
    latest_ns = clock.monotonic_ns() + round(_WRITTEN_WITHIN_SECONDS * NANOSECONDS)
    # On a busy machine what was seen is not written yet: what is unknown is looked at again, what is missed is missed.
    while met is None and clock.monotonic_ns() < latest_ns:
        hands.pulse.wait(_LOOK_SECONDS)
        met, reason = measure.steady_state(hands.evidence(), clock.monotonic_ns())
    hands.pulse.guards_must_hold()
    permission.must_still_hold(context)
    context.outcome(
        Effect.BASELINE,
        "",
        decision.attempt,
        Status.SUCCEEDED if met else Status.FAILED,
        met=met,
        reason=reason,
        error="" if met else reason,
    )


def hold_fault(hands: Hands, decision: Decision) -> None:
    """Leave the fault in place for its time."""
    context = hands.context
    context.intent(Effect.FAULT, "", decision.attempt)
    seconds = context.plan.phases.fault_seconds
    hands.pulse.phase(Effect.FAULT, decision.sentence, seconds)
    hands.pulse.wait(seconds)
    context.outcome(Effect.FAULT, "", decision.attempt, Status.SUCCEEDED)


def detect(hands: Hands, decision: Decision) -> None:
    """Wait for an alert or a person's word, at most `phases.detect`; then the disaster is declared in any case.

    `by` says who: `person` (with `name`), `alert`, `nobody` (waited in vain) or `unattended` (nothing to wait for).
    Only a person's word carries a stamp of its own; otherwise declared is now, and measuring flags it.
    """
    context = hands.context
    context.intent(Effect.DETECT, "", decision.attempt)
    total_seconds = context.plan.phases.detect_seconds
    by, name, declared_at, seen = "unattended", "", None, -1

    def noticed() -> bool:
        nonlocal seen, by, name, declared_at
        if len(context.entries) == seen:
            return False
        seen = len(context.entries)
        found = measure.detected(hands.context.plan, context.entries)
        if found is None:
            return False
        by, name, declared_at = found
        return True

    if total_seconds > 0:
        hands.pulse.phase(Effect.DETECT, decision.sentence, total_seconds)
        begun = next(entry.stamp for entry in context.entries if entry.effect is Effect.DETECT)
        waited = (clock.monotonic_ns() - begun.monotonic_ns) / NANOSECONDS if begun.same_clock(clock.now()) else 0.0
        if not hands.pulse.wait(max(0.0, total_seconds - waited), noticed):
            by = "nobody"
    now = clock.now()
    context.outcome(
        Effect.DETECT,
        "",
        decision.attempt,
        Status.SUCCEEDED,
        ended=now,
        declared_at=(declared_at or now).as_json(),
        by=by,
        name=name,
    )


def soak(hands: Hands, decision: Decision) -> None:
    """Watch on after the recovery until a hold window completes, at most to the recovery's deadline."""
    context = hands.context
    phases = context.plan.phases
    began = effect_began_ns(context.entries) or clock.monotonic_ns()
    latest = began + round(phases.recover_deadline_seconds * NANOSECONDS)
    _watch(hands, decision, phases.soak_seconds, latest, measure.restored)


def after_undo(hands: Hands, decision: Decision) -> None:
    """Watch on after the undo until service holds again, at most for ten hold windows."""
    phases = hands.context.plan.phases
    latest = clock.monotonic_ns() + round((phases.soak_seconds + _HOLDS_AFTER_UNDO * phases.hold_seconds) * NANOSECONDS)
    _watch(hands, decision, phases.soak_seconds, latest, measure.after_undo_restored)


def _watch(
    hands: Hands, decision: Decision, seconds: float, latest_ns: int, found: Callable[[Evidence], Stamp | None]
) -> None:
    assert decision.effect is not None
    context = hands.context
    context.intent(decision.effect, "", decision.attempt)
    hands.pulse.phase(decision.effect, decision.sentence, seconds)
    hands.pulse.wait(seconds)
    restored = found(hands.evidence())
    # Beats or load that are gone for good would never complete a window.
    while restored is None and not _blind(hands) and clock.monotonic_ns() < latest_ns:
        hands.pulse.wait(min(_LOOK_SECONDS, (latest_ns - clock.monotonic_ns()) / NANOSECONDS))
        restored = found(hands.evidence())
    context.outcome(
        decision.effect,
        "",
        decision.attempt,
        Status.SUCCEEDED,
        restored=restored is not None,
        restored_at=restored.as_json() if restored else None,
    )


def _blind(hands: Hands) -> bool:
    return any(entry.kind is Kind.EVENT and entry.data.get("what") in _BLIND for entry in hands.context.entries)
