"""Why a run does not go on as planned: the first thing in the journal that forbids it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drillmark.decide.resuming import guard_has_acted, guard_has_undone
from drillmark.decide.steps import Step, activity_of, steps
from drillmark.journal.entries import Last, last
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.plan import Plan
from drillmark.model.planned import PlannedActivity

# What a crash may have cut short and what is simply done again: it only looks, waits, or is idempotent.
_DONE_AGAIN = frozenset(
    {
        Effect.PREFLIGHT, Effect.GUARD, Effect.OBSERVERS, Effect.LOAD, Effect.PREPARE, Effect.BASELINE,
        Effect.PROVE_EFFECT, Effect.SIDE, Effect.FAULT, Effect.DETECT, Effect.VERIFY, Effect.SOAK, Effect.READ_BACK,
        Effect.UNDO, Effect.PROVE_UNDONE, Effect.AFTER_UNDO, Effect.STOP_LOAD, Effect.STOP_OBSERVERS,
        Effect.CONCLUDE, Effect.END,
    }
)  # fmt: skip
# Whose failure ends the way through; the others' failure is for measuring and judging.
_MUST_SUCCEED = frozenset(
    {
        Effect.PREFLIGHT, Effect.GUARD, Effect.OBSERVERS, Effect.LOAD, Effect.PREPARE, Effect.BASELINE,
        Effect.INJECT, Effect.PROVE_EFFECT, Effect.SIDE, Effect.RECOVER,
    }
)  # fmt: skip


def attempts(entries: Sequence[Entry]) -> dict[Step, Last]:
    """The last attempt at each step that was begun, since what a `voided` event declared void. In one walk."""
    found: dict[Step, Last] = {}
    for entry in entries:
        kind = entry.kind
        if kind is Kind.EVENT and "voided" in entry.data:
            voided = entry.data["voided"]
            found = {step: last for step, last in found.items() if step.effect not in voided}
        elif (kind is Kind.INTENT or kind is Kind.OUTCOME) and (effect := entry.effect) is not None:
            step = Step(effect, entry.key)
            before = found.get(step)
            if kind is Kind.INTENT:
                found[step] = Last(entry, None)
            elif before is not None and entry.data.get("attempt", 1) == before.intent.data.get("attempt", 1):
                found[step] = Last(before.intent, entry)
    return found


def stop_reason(plan: Plan, entries: Sequence[Entry], known: Mapping[Step, Last] | None = None) -> str:
    """Why the run must wind up now, as half a sentence; empty if it need not. `known`: its `attempts`, if at hand."""
    known = attempts(entries) if known is None else known
    for entry in entries:
        if entry.kind is Kind.ABORT:
            return f"it was aborted ({entry.data.get('by', 'somebody')}: {entry.data.get('reason', 'no reason given')})"
    if guard_has_acted(entries):
        return f"the guard has {'undone' if guard_has_undone(entries) else 'begun to undo'} the fault"
    for step in steps(plan):
        found = known.get(step)
        if found is None:
            return ""
        reason = _cut_short(plan, step) if found.outcome is None else _failed(plan, step, found.outcome)
        if reason:
            return reason
    return ""


def may_be_in_effect(entries: Sequence[Entry]) -> bool:
    """Whether the fault was begun, as far as the journal knows."""
    found = last(entries, Effect.INJECT)
    return found is not None and (found.outcome is None or not found.outcome.data.get("nothing_began", False))


def repeatable(activity: PlannedActivity) -> bool:
    """Whether a recovery activity may run again after a crash. Ours look first at what is there."""
    provider = activity.activity.get("provider", {})
    module = str(provider.get("module", "")) if provider.get("type") == "python" else ""
    # A command is somebody else's program, whoever starts it.
    ours = module.startswith("drillmark.recovery.") and module != "drillmark.recovery.command"
    return activity.repeatable or ours


def _cut_short(plan: Plan, step: Step) -> str:
    if step.effect in _DONE_AGAIN:
        return ""
    if step.effect is Effect.RECOVER:
        if repeatable(activity_of(plan, step)):
            return ""
        return f"{_name(step)} was cut short and does not say `repeatable: true`, with which it would go on"
    return "it is not known how far the injection came"


def _failed(plan: Plan, step: Step, outcome: Entry) -> str:
    status = outcome.data.get("status")
    error = str(outcome.data.get("error", "") or outcome.data.get("reason", ""))
    because = f" ({error})" if error else ""
    if step.effect is Effect.INJECT and status == Status.INDETERMINATE:
        # Adopted where the last action is known to have ended and a probe can prove the effect; that decides then.
        adopted = outcome.data.get("last_action_ended") and plan.fault is not None and plan.fault.effect is not None
        return "" if adopted else f"it is not known how far the injection came{because}"
    if step.effect not in _MUST_SUCCEED or status in (Status.SUCCEEDED, Status.SKIPPED):
        return ""
    return f"{_WORDS[step.effect].format(name=_name(step))}{because}"


def _name(step: Step) -> str:
    return step.key.split(":", 1)[-1]


_WORDS = {
    Effect.PREFLIGHT: "the preflight {name} was not met",
    Effect.GUARD: "the guard could not be started",
    Effect.OBSERVERS: "the observers could not be started",
    Effect.LOAD: "the load could not be started",
    Effect.PREPARE: "the fault could not be prepared",
    Effect.BASELINE: "the steady state was not met",
    Effect.INJECT: "the injection failed",
    Effect.PROVE_EFFECT: "the fault was not proved",
    Effect.SIDE: "the prober of the copy could not be started",
    Effect.RECOVER: "the recovery {name} failed",
}
