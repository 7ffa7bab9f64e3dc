"""The steps of a plan in their order: what would be done if nothing went wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from drillmark.model.entry import Effect
from drillmark.model.plan import Plan
from drillmark.model.planned import PlannedActivity


@dataclass(frozen=True, slots=True)
class Step:
    """An effect, and which one of several of a kind (`key` is `index:name`)."""

    effect: Effect
    key: str = ""


def steps(plan: Plan) -> list[Step]:
    """Every step of an undisturbed run.

    With a recovery, everything is measured before the undo, which so can help nothing. Without one, the undo is
    what ends the fault, and the store is read back after it. A bare experiment is its fault and the undo alone.
    """
    if plan.bare is not None:
        played = (Effect.GUARD, Effect.PREPARE, Effect.INJECT, Effect.UNDO, Effect.PROVE_UNDONE)
        return [*map(Step, played), *after(plan)]
    before = [
        *keyed(Effect.PREFLIGHT, plan.preflight),
        Step(Effect.GUARD),
        *([Step(Effect.OBSERVERS)] if _observed(plan) else []),
        *([Step(Effect.LOAD)] if plan.load else []),
        Step(Effect.PREPARE),
        Step(Effect.BASELINE),
        *([Step(Effect.SIDE)] if plan.simulated else []),
        Step(Effect.INJECT),
        *([] if plan.simulated else [Step(Effect.PROVE_EFFECT)]),
    ]
    verify = keyed(Effect.VERIFY, plan.verify)
    read_back = [Step(Effect.READ_BACK)] if plan.markers else []
    undo = [Step(Effect.UNDO), Step(Effect.PROVE_UNDONE)]
    if plan.recovers:
        # A simulated disaster is its own declaration.
        detect = [] if plan.simulated else [Step(Effect.DETECT)]
        middle = [*detect, *keyed(Effect.RECOVER, plan.recover), *verify, Step(Effect.SOAK), *read_back, *undo]
    else:
        middle = [Step(Effect.FAULT), *undo, Step(Effect.AFTER_UNDO), *verify, *read_back]
    return [*before, *middle, *after(plan)]


def after(plan: Plan) -> list[Step]:
    """What ends every run, however it went."""
    return [
        *([Step(Effect.STOP_LOAD)] if plan.load else []),
        Step(Effect.STOP_OBSERVERS),
        Step(Effect.CONCLUDE),
        Step(Effect.END),
    ]


def keyed(effect: Effect, activities: list[PlannedActivity]) -> list[Step]:
    """A step for each activity."""
    return [Step(effect, f"{index}:{activity.name}") for index, activity in enumerate(activities)]


def activity_of(plan: Plan, step: Step) -> PlannedActivity:
    """The activity that a keyed step performs. Raises KeyError for a step that has none."""
    lists = {Effect.PREFLIGHT: plan.preflight, Effect.RECOVER: plan.recover, Effect.VERIFY: plan.verify}
    return lists[step.effect][int(step.key.split(":", 1)[0])]


def _observed(plan: Plan) -> bool:
    """Whether anything observes, beside the load and the prober of a copy."""
    return bool(plan.probes or plan.markers or plan.positions or plan.guards or plan.alerts)
