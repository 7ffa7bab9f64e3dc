"""What of a plan protects others: what it may reach, when it may begin, and the guards of error budgets."""

from __future__ import annotations

from drillmark.define.safety import BlastRadius, Budget, Hits, TooFast, promql_duration, with_range
from drillmark.define.schedule import Schedule
from drillmark.define.settings import Settings
from drillmark.define.targets import Target, Targets
from drillmark.model import plan as model
from drillmark.model import target as model_target
from drillmark.model.planned import PlannedActivity, PlannedGuard, PlannedHits
from drillmark.model.target import PlannedScope, PlannedTouch

PROBES = "drillmark.safety.probes"


def scope(target: Target) -> PlannedScope:
    """What a target says that it stands in."""
    said = target.scope
    if said is None:
        return PlannedScope()
    return PlannedScope(
        accounts=said.accounts, namespaces=said.namespaces, instances=said.instances, counted_by=said.counted_by
    )


def touched(name: str, targets: Targets) -> PlannedTouch:
    """What targets.yaml says of a target that is touched; it may say nothing."""
    found = targets.targets.get(name)
    if found is None:
        return PlannedTouch(name=name)
    return PlannedTouch(name=name, environment=found.environment, labels=found.labels, scope=scope(found))


def hits(said: Hits | None) -> PlannedHits:
    """How many instances the drill says that its fault hits."""
    return PlannedHits(instances=said.instances, share_ratio=said.share) if said else PlannedHits()


def rules_of(rules: BlastRadius) -> model_target.BlastRadius:
    """Rules as they stand in plans."""
    return model_target.BlastRadius(
        environments=rules.environments,
        accounts=rules.accounts,
        namespaces=rules.namespaces,
        labels=rules.labels,
        share_ratio=rules.share,
        at_once=rules.at_once,
    )


def window(schedule: Schedule | None) -> model.PlannedWindow | None:
    """The only hours in which a run may begin."""
    if schedule is None or schedule.window is None:
        return None
    said = schedule.window
    return model.PlannedWindow(days=said.days, opens=said.from_, closes=said.to, time_zone=schedule.time_zone or "UTC")


def preflights(target: Target) -> list[str]:
    """The target's own, and before them what counts its instances."""
    counting = target.scope.counted_by if target.scope else None
    return ([] if counting is None or counting in target.preflight else [counting]) + target.preflight


def budget_guards(target: str, settings: Settings) -> list[PlannedGuard]:
    """A guard for each error budget of the target: it aborts what spends the budget too fast."""
    mine = [budget for budget in settings.budgets if budget.target == target]
    return [_budget_guard(budget, number) for number, budget in enumerate(mine, 1)]


def _budget_guard(budget: Budget, number: int) -> PlannedGuard:
    fast = budget.too_fast or TooFast()
    name = f"error budget of {budget.target}" + (f" ({number})" if number > 1 else "")
    arguments: dict[str, object] = {"slo": budget.slo}
    if budget.prometheus is None:
        func = "own_budget_lasts"
        arguments |= {"target": budget.target, "over_seconds": budget.over}
        if budget.too_fast is not None:
            arguments |= {"rate": fast.rate, "window_seconds": fast.window}
    else:
        func = "budget_lasts"
        query = with_range(budget.prometheus.query, budget.over, promql_duration(fast.window))
        arguments |= {"url": budget.prometheus.url, "query": query, "rate": fast.rate}
        if budget.prometheus.token is not None:
            arguments["token"] = budget.prometheus.token
    provider = {"type": "python", "module": PROBES, "func": func, "arguments": arguments}
    activity = {"name": name, "type": "probe", "tolerance": True, "provider": provider}
    return PlannedGuard(
        name=name,
        probe=PlannedActivity(name=name, activity=activity),
        fails_for_seconds=fast.fails_for,
    )
