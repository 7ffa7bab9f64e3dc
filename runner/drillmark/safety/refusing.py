"""Why a run may not begin: the global stop, the blast radius, production's rules, error budgets. Pure.

Whatever is needed for an answer and missing is a refusal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from drillmark.decisions.state import Approval
from drillmark.model.digest import digest
from drillmark.model.plan import Plan
from drillmark.model.target import BlastRadius
from drillmark.safety import radius, window
from drillmark.safety.approving import same
from drillmark.safety.model import Facts, Judged, Refusal

if TYPE_CHECKING:
    from drillmark.define.settings import Settings

PRODUCTION = "production"
_SHOWN = 12


def refusals(plan: Plan, settings: Settings | None, facts: Facts) -> list[Refusal]:
    """Everything that forbids the run to begin; empty where it may. `settings` None: there is no workspace."""
    return list(judge(plan, settings, facts).refusals)


def judge(plan: Plan, settings: Settings | None, facts: Facts) -> Judged:
    """The same, and the approval that the run rests on."""
    found = [*_stopped(facts), *radius.nothing(plan)]
    for rules, whose in limits(plan, settings):
        found += radius.outside(plan, rules, whose)
    approval, wanted = None, False
    if in_production(plan):
        found += _window(plan, facts)
        approval, refused = _approval(plan, settings.approvers if settings else [], facts)
        wanted = bool(refused)
        found += refused
        found += [
            Refusal("plan", f"{path} was changed after the plan was made", "look at it, then start the drill again")
            for path in facts.changed
        ]
    found += _budgets(facts)
    return Judged(tuple(dict.fromkeys(found)), None if found else approval, wanted)


def limits(plan: Plan, settings: Settings | None) -> Iterator[tuple[BlastRadius, str]]:
    """The rules that hold for a plan, and where they stand: the workspace's and the drill's own."""
    if settings is not None and settings.blast_radius is not None:
        # Whoever has no workspace does not wait for the models of one.
        from drillmark.plan.protection import rules_of  # noqa: PLC0415

        yield rules_of(settings.blast_radius), "drillmark.yaml"
    if plan.blast_radius is not None:
        yield plan.blast_radius, "the drill"


def in_production(plan: Plan) -> bool:
    """Whether the plan reaches production, with its target or with what that touches."""
    return PRODUCTION in (plan.target.environment, *(touched.environment for touched in plan.target.touched))


def counted(plan: Plan, settings: Settings | None, count: int | None) -> list[Refusal]:
    """What forbids the fault once the target's instances are counted; None: they could not be."""
    found = [one for rules, whose in limits(plan, settings) for one in radius.of_count(plan, rules, whose, count)]
    return found or list(radius.of_count(plan, BlastRadius(), "nobody", count))


def _stopped(facts: Facts) -> Iterator[Refusal]:
    if facts.undecided:
        yield Refusal("decisions", f"what people decided cannot be read: {facts.undecided}")
    stop = facts.decisions.stop
    if stop is not None:
        yield Refusal(
            "stop", f"everything was stopped by {stop.by}: {stop.reason}", "`drillmark stop --lift` ends that"
        )


def _window(plan: Plan, facts: Facts) -> Iterator[Refusal]:
    if plan.window is None:
        hint = "give the drill `schedule.window`: the hours in which it may begin"
        yield Refusal("production.window", f"{plan.drill} reaches production and has no window", hint)
        return
    words = window.words(plan.window)
    try:
        closed = "" if window.is_open(plan.window, facts.now) else f"it is {facts.now:%a %Y-%m-%d %H:%M %Z}"
    except (KeyError, ValueError, OSError) as error:
        closed = f"whether it is open cannot be told ({error})"
    if closed:
        yield Refusal("production.window", f"{closed}, and the window is {words}")


def _approval(plan: Plan, approvers: list[str], facts: Facts) -> tuple[Approval | None, list[Refusal]]:
    hash_ = digest(plan)
    hint = f"`drillmark approve {plan.drill} --by NAME --reason TEXT --expires TIME`"
    of_drill = [one for one in facts.decisions.approvals if one.drill == plan.drill]
    fitting = [one for one in of_drill if one.plan_hash == hash_]
    named = [one for one in fitting if any(same(one.approver, name) for name in approvers)]
    free = [one for one in named if facts.requester and not same(one.approver, facts.requester)]
    if free:
        return free[-1], []
    if named:
        words = f"{named[-1].approver} approved it and wants to run it: that takes two"
    elif fitting:
        words = f"{fitting[-1].approver} approved it, and is none of the approvers in drillmark.yaml any more"
    elif of_drill:
        words = f"its plan changed since it was approved by {of_drill[-1].approver}: {hash_[:_SHOWN]} needs a new one"
    elif any(one.plan_hash == hash_ for one in facts.decisions.expired):
        words = f"its approval has expired, plan {hash_[:_SHOWN]} needs a new one"
    else:
        words = f"{plan.drill} reaches production, and nobody has approved plan {hash_[:_SHOWN]}"
    return None, [Refusal("production.approval", words, hint)]


def _budgets(facts: Facts) -> Iterator[Refusal]:
    for budget in facts.budgets:
        days = f"{budget.over_seconds / 86400:g} d"
        what = f"the error budget of {budget.target} ({budget.slo_ratio * 100:g}% over {days}, by {budget.source})"
        if budget.spent_ratio is None:
            yield Refusal("budget", f"{what} cannot be told: {budget.problem}")
        elif budget.spent_ratio >= 1.0:
            yield Refusal("budget", f"{what} is spent: {budget.spent_ratio:.0%}", "wait until there is some again")
