"""Performs preflight checks, recovery activities and verifications: Chaos Toolkit activities in the worker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drillmark import clock
from drillmark.chaos.activities import ActivityOutcome
from drillmark.decide import Decision, Step
from drillmark.decide.steps import activity_of
from drillmark.engine import permission
from drillmark.engine.hands import Hands
from drillmark.engine.moments import effect_began_ns
from drillmark.model.entry import Effect, Status
from drillmark.model.stamp import NANOSECONDS

PREFLIGHT_SECONDS = 3600.0
_SHOWN_CHARACTERS = 200


def preflight(hands: Hands, decision: Decision) -> None:
    """Check what must be true before anything is touched. False or failed: the fault is refused."""
    hands.context.intent(Effect.PREFLIGHT, decision.key, decision.attempt)
    planned = activity_of(hands.context.plan, Step(Effect.PREFLIGHT, decision.key))
    outcome = hands.run_activity(planned, timeout_seconds=PREFLIGHT_SECONDS, attempt=decision.attempt)
    if planned.name == hands.context.plan.target.scope.counted_by and outcome.good:
        refused = permission.refused_by_count(hands.context, outcome.output)
        outcome = outcome if not refused else replace(outcome, tolerance_met=False, error=refused)
    _journal(hands, decision, outcome, good_is_success=True)


def recover(hands: Hands, decision: Decision) -> None:
    """Perform one activity of the recovery, within what is left of its deadline (counted from e)."""
    context = hands.context
    planned = activity_of(context.plan, Step(Effect.RECOVER, decision.key))
    since = effect_began_ns(context.entries) or clock.monotonic_ns()
    left = context.plan.phases.recover_deadline_seconds - (clock.monotonic_ns() - since) / NANOSECONDS
    with context.performing():
        context.intent(Effect.RECOVER, decision.key, decision.attempt)
        outcome = hands.run_activity(planned, timeout_seconds=max(left, 0.1), attempt=decision.attempt)
        own = planned.timeout_seconds
        if outcome.status is Status.TIMED_OUT and (own is None or left < own):
            outcome = replace(outcome, error=f"{outcome.error}: {_rest(context.plan.phases.recover_deadline_seconds)}")
        _journal(hands, decision, outcome, good_is_success=True)


def _rest(deadline_seconds: float) -> str:
    """Where the limit came from of what had no time of its own, or more than that."""
    return f"that was the rest of phases.recover.deadline, {deadline_seconds:g} s from the fault's effect"


def verify(hands: Hands, decision: Decision) -> None:
    """Run one verification. It never moves the time of restoration, but a failed one voids it."""
    context = hands.context
    context.intent(Effect.VERIFY, decision.key, decision.attempt)
    planned = activity_of(context.plan, Step(Effect.VERIFY, decision.key))
    limit = context.plan.phases.verify_deadline_seconds
    outcome = hands.run_activity(planned, timeout_seconds=limit, attempt=decision.attempt)
    _journal(hands, decision, outcome, good_is_success=False)


def _journal(hands: Hands, decision: Decision, outcome: ActivityOutcome, *, good_is_success: bool) -> None:
    assert decision.effect is not None
    status: str = outcome.status
    error = outcome.error
    if not outcome.good and not error:
        error = f"answered {_short(outcome.output)}, which is outside its tolerance"
    if good_is_success and status == Status.SUCCEEDED and not outcome.good:
        status = Status.FAILED
    hands.context.outcome(
        decision.effect,
        decision.key,
        decision.attempt,
        status,
        started=outcome.started,
        ended=outcome.ended,
        error=error,
        output=outcome.output,
        good=outcome.good,
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
