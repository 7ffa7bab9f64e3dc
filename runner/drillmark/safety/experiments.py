"""The activities of a plan that may change anything, with `ref`s followed, each with the configuration it is run with.

Pure. Probes only look, and are left out; one that calls an extension's action is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drillmark.model.plan import Plan
from drillmark.safety.reach import acts


def actions_of(experiment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an experiment's method does."""
    return [one for one in _listed(experiment, "method") if acts(one)]


def everything(plan: Plan) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Where an activity stands, the activity, its configuration: of fault, undo, recovery and clean-up."""
    if plan.fault is not None:
        experiment = plan.fault.experiment
        configuration = _merged(plan.configuration, experiment.get("configuration"))
        for block in ("method", "rollbacks"):
            for activity in _listed(experiment, block):
                if acts(activity):
                    yield f"{block} of {plan.fault.path}", activity, configuration
    for planned in plan.recover:
        if acts(planned.activity):
            yield "recover", planned.activity, plan.configuration
    if plan.simulation is not None:
        yield "discard", plan.simulation.discard.activity, plan.configuration


def _listed(experiment: Mapping[str, Any], block: str) -> list[dict[str, Any]]:
    named = {
        str(one["name"]): one
        for one in (*_items(experiment, "method"), *_items(experiment, "rollbacks"), *_hypothesis(experiment))
        if "name" in one
    }
    return [named.get(str(one["ref"]), one) if "ref" in one else one for one in _items(experiment, block)]


def _hypothesis(experiment: Mapping[str, Any]) -> list[dict[str, Any]]:
    hypothesis = experiment.get("steady-state-hypothesis")
    return _items(hypothesis, "probes") if isinstance(hypothesis, dict) else []


def _items(holder: Mapping[str, Any], block: str) -> list[dict[str, Any]]:
    found = holder.get(block)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _merged(workspace: Mapping[str, Any], own: Any) -> dict[str, Any]:
    """The experiment's own wins; where both say something else, it is better called unclear."""
    merged = dict(workspace)
    for key, value in own.items() if isinstance(own, dict) else ():
        merged[key] = value if merged.get(key, value) == value else {"unclear": [merged[key], value]}
    return merged
