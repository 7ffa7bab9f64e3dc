"""The blast radius: what a plan reaches, held against what may be reached. Pure.

Every rule that is stated must be kept by the target, by what it touches and by every activity that may change anything.
What cannot be told beforehand is outside.
"""

from __future__ import annotations

from collections.abc import Iterator

from drillmark.model.plan import Plan
from drillmark.model.target import BlastRadius, PlannedScope
from drillmark.safety import hits
from drillmark.safety.experiments import everything
from drillmark.safety.model import Refusal
from drillmark.safety.reach import Said, said

_SAY = "say so under `scope` of the target (an empty list: in none)"


def outside(plan: Plan, rules: BlastRadius, whose: str) -> Iterator[Refusal]:
    """What of the plan lies outside the rules. `whose` says where the rules stand."""
    for name, environment, labels, scope in _standing(plan):
        yield from _environment(name, environment, rules, whose)
        yield from _labels_of_target(name, labels, rules, whose)
        for rule, found in (("accounts", scope.accounts), ("namespaces", scope.namespaces)):
            allowed = getattr(rules, rule)
            if allowed is not None and (found is not None or name == plan.target.name):
                yield from _scope(name, rule, found, allowed, whose, plan)
    for place, activity, configuration in everything(plan):
        told = said(activity, configuration)
        yield from _activity(f"{activity.get('name')} ({place})", told, rules, whose)
    yield from _instances(plan, rules, whose)


def of_count(plan: Plan, rules: BlastRadius, whose: str, count: int | None) -> Iterator[Refusal]:
    """The same of the target's instances, once they are counted. None: nobody could tell."""
    if count is None:
        yield Refusal("target", f"the instances of {plan.target.name} cannot be told: what counts them gave no number")
    elif count < 1:
        yield _empty(plan)
    else:
        rule, words = hits.problem(hits.hit(plan), count, at_once=rules.at_once, share=rules.share_ratio)
        if rule:
            yield Refusal(f"blast_radius.{rule}", f"{words} by {whose}", "hit fewer, or widen the rule")


def nothing(plan: Plan) -> Iterator[Refusal]:
    """A target, or a selection, that is empty."""
    if plan.target.scope.instances is not None and plan.target.scope.instances < 1:
        yield _empty(plan)
    for name, argument in hits.empty_selections(activity for _, activity, _ in everything(plan)):
        yield Refusal("target", f"{name} selects nothing: its `{argument}` is empty", "name what it is to reach")


def _empty(plan: Plan) -> Refusal:
    return Refusal(
        "target", f"the target {plan.target.name} is empty: it has no instances", "there is nothing to rehearse on"
    )


def _standing(plan: Plan) -> Iterator[tuple[str, str | None, dict[str, str], PlannedScope]]:
    target = plan.target
    # A bare experiment has no target: where it stands is known to nobody.
    yield target.name, target.environment or None, target.labels, target.scope
    for touched in target.touched:
        yield touched.name, touched.environment, touched.labels, touched.scope


def _environment(name: str, environment: str | None, rules: BlastRadius, whose: str) -> Iterator[Refusal]:
    allowed = rules.environments
    if allowed is None or environment in allowed:
        return
    words = "in an environment that nobody can tell" if environment is None else f"in environment {environment}"
    yield Refusal(
        "blast_radius.environments",
        f"{name} stands {words}, and {whose} allows {_listed(allowed)}",
        "targets.yaml says where a target stands" if environment is None else "",
    )


def _labels_of_target(name: str, labels: dict[str, str], rules: BlastRadius, whose: str) -> Iterator[Refusal]:
    for key, wanted in (rules.labels or {}).items():
        if labels.get(key) != wanted:
            has = f"has {key}={labels[key]}" if key in labels else f"has no label {key}"
            yield Refusal("blast_radius.labels", f"{name} {has}, and {whose} allows {key}={wanted}")


def _scope(
    name: str, rule: str, found: list[str] | None, allowed: list[str], whose: str, plan: Plan
) -> Iterator[Refusal]:
    if found is None:
        told = [(activity, said(activity, configuration)) for _, activity, configuration in everything(plan)]
        silent = [activity for activity, one in told if not getattr(one, rule) and rule not in one.unclear]
        # Where every activity says for itself, nothing rests on the target.
        if silent or not told:
            what = f"what {silent[0].get('name')} reaches" if silent else f"where {name} stands"
            yield Refusal(
                f"blast_radius.{rule}",
                f"the {rule} of {name} are not said, so {what} cannot be told, and {whose} allows {_listed(allowed)}",
                _SAY,
            )
        return
    for one in found:
        if one not in allowed:
            yield _not_allowed(rule, f"{name} stands in", one, allowed, whose)


def _activity(name: str, told: Said, rules: BlastRadius, whose: str) -> Iterator[Refusal]:
    for rule, found in (("accounts", told.accounts), ("namespaces", told.namespaces)):
        allowed = getattr(rules, rule)
        if allowed is None:
            continue
        if rule in told.unclear:
            yield _unclear(rule, name, told, f"{whose} allows {_listed(allowed)}")
        for one in sorted(found):
            if one not in allowed:
                yield _not_allowed(rule, f"{name} reaches", one, allowed, whose)
    if rules.labels is None:
        return
    wanted = ", ".join(f"{key}={value}" for key, value in rules.labels.items())
    if "labels" in told.unclear:
        yield _unclear("labels", name, told, f"{whose} allows {wanted}")
        return
    for selector in told.selectors:
        if not rules.labels.items() <= selector.items():
            own = ", ".join(f"{key}={value}" for key, value in selector.items()) or "no equality"
            yield Refusal("blast_radius.labels", f"{name} selects by {own}, and {whose} allows {wanted}")


def _instances(plan: Plan, rules: BlastRadius, whose: str) -> Iterator[Refusal]:
    if rules.at_once is None and rules.share_ratio is None:
        return
    scope, told = plan.target.scope, hits.hit(plan)
    if scope.instances is not None:
        yield from of_count(plan, rules, whose, scope.instances)
    elif scope.counted_by is None and (told.shares or (rules.share_ratio is not None and told.instances)):
        rule = "at_once" if rules.share_ratio is None else "share"
        yield Refusal(
            f"blast_radius.{rule}",
            f"how many instances of {plan.target.name} the fault hits cannot be told, and {whose} limits them",
            "give the target `scope.instances`, or a probe that counts them: `scope.counted_by`",
        )
    elif rules.at_once is not None and told.instances > rules.at_once:
        yield Refusal(
            "blast_radius.at_once",
            f"the fault hits {told.instances} instances at once, and {whose} allows {rules.at_once}",
        )


def _not_allowed(rule: str, what: str, one: str, allowed: list[str], whose: str) -> Refusal:
    return Refusal(f"blast_radius.{rule}", f"{what} {rule[:-1]} {one}, and {whose} allows {_listed(allowed)}")


def _unclear(rule: str, name: str, told: Said, allows: str) -> Refusal:
    return Refusal(
        f"blast_radius.{rule}",
        f"the {rule} that {name} reaches cannot be told ({told.unclear[rule]}), and {allows}",
        "write the value out, in the activity or in `configuration`",
    )


def _listed(allowed: list[str]) -> str:
    return ", ".join(allowed)
