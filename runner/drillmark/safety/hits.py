"""How many instances of its target a fault hits, as far as that can be told beforehand. Pure.

An activity tells by its arguments (`qty` and `mode`, `all`, lists of instances); for those that do not, the drill's
`fault.hits` stands; without it, all instances of the target. Several actions add up: they are in effect together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drillmark.model.plan import Plan
from drillmark.safety.experiments import actions_of

LISTS = ("instance_ids", "pod_names", "node_names", "node_ids", "broker_ids", "task_ids", "instances", "target_ids")
_ONE = ("instance_id", "pod_name", "node_name", "task_id", "node_id")
_SHARES = ("fixed-percent", "random-max-percent")
# 1/3 is no more than 33.3333 % to anybody who writes that.
_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class Hit:
    """So many instances, and this share of all, of which each begun instance counts whole."""

    instances: int = 0
    shares: tuple[float, ...] = ()

    def of(self, count: int) -> int:
        """How many of `count` instances."""
        return min(count, self.instances + sum(math.ceil(share * count - 1e-9) for share in self.shares))


def hit(plan: Plan) -> Hit:
    """What the plan's fault hits. Nothing where nothing is injected."""
    if plan.fault is None:
        return Hit()
    fixed, shares, untold = 0, list[float](), False
    for activity in actions_of(plan.fault.experiment):
        told = told_by(activity)
        if told is None:
            untold = True
        else:
            fixed += told.instances
            shares += told.shares
    if untold:
        declared = plan.fault.hits
        if declared.instances is None and declared.share_ratio is None:
            shares.append(1.0)
        fixed += declared.instances or 0
        shares += [] if declared.share_ratio is None else [declared.share_ratio]
    return Hit(fixed, tuple(shares))


def told_by(activity: Mapping[str, Any]) -> Hit | None:
    """How many instances an activity says it hits; None where it does not say."""
    provider = activity.get("provider")
    provider = provider if isinstance(provider, dict) else {}
    arguments = provider.get("arguments")
    arguments = arguments if isinstance(arguments, dict) else {}
    module = str(provider.get("module", ""))
    if module == "chaosk8s.pod.actions":
        return _of_pods(arguments)
    if module.startswith("chaosk8s.chaosmesh"):
        return _of_chaos_mesh(arguments)
    return _of_names(arguments) or _of_numbers(arguments)


def problem(told: Hit, count: int, *, at_once: int | None, share: float | None) -> tuple[str, str]:
    """Which rule is broken if the target has `count` instances, and how; both empty where none is."""
    hits = told.of(count)
    words = f"the fault hits {hits} of {count} instances"
    if at_once is not None and hits > at_once:
        return "at_once", f"{words} at once, and {at_once} are allowed"
    if share is not None and hits > share * count + _ROUNDING * count:
        return "share", f"{words} ({hits / count:.0%}), and {share:.4g} of them are allowed"
    return "", ""


def counted(output: Any) -> int | None:
    """The number of instances in what a counting probe answered; None where it tells none."""
    if isinstance(output, bool):
        return None
    if isinstance(output, int | float):
        return int(output) if output == int(output) else None
    return len(output) if isinstance(output, Sequence) and not isinstance(output, str) else None


def empty_selections(activities: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Activities that name their instances by a list that holds none: (name, argument)."""
    found: list[tuple[str, str]] = []
    for activity in activities:
        provider = activity.get("provider")
        arguments = provider.get("arguments") if isinstance(provider, dict) else None
        if isinstance(arguments, dict):
            found += [(str(activity.get("name")), name) for name in (*LISTS, "filters") if arguments.get(name) == []]
            if arguments.get("qty") == 0:
                found.append((str(activity.get("name")), "qty"))
    return found


def _of_names(arguments: Mapping[str, Any]) -> Hit | None:
    for name in LISTS:
        if isinstance(arguments.get(name), list):
            return Hit(len(arguments[name]))
    return Hit(1) if any(isinstance(arguments.get(name), str) for name in _ONE) else None


def _of_numbers(arguments: Mapping[str, Any]) -> Hit | None:
    percent = arguments.get("instance_percent")
    if isinstance(percent, int | float):
        return Hit(shares=(_share(percent),))
    counts = (arguments.get(name) for name in ("instance_count", "count"))
    return next((Hit(count) for count in counts if type(count) is int), None)


def _of_pods(arguments: Mapping[str, Any]) -> Hit | None:
    if arguments.get("all", False) is not False:
        return Hit(shares=(1.0,))
    quantity, mode = arguments.get("qty", 1), arguments.get("mode", "fixed")
    if type(quantity) is not int or quantity < 0:
        return None
    if mode == "fixed":
        return Hit(quantity)
    return Hit(shares=(_share(quantity),)) if mode == "percentage" else None


def _of_chaos_mesh(arguments: Mapping[str, Any]) -> Hit | None:
    mode, value = arguments.get("mode", "one"), arguments.get("mode_value")
    if mode == "one":
        return Hit(1)
    if mode == "all":
        return Hit(shares=(1.0,))
    number = int(value) if isinstance(value, str | int) and str(value).isdigit() else None
    if number is None:
        return None
    if mode == "fixed":
        return Hit(number)
    return Hit(shares=(_share(number),)) if mode in _SHARES else None


def _share(percent: float) -> float:
    return min(1.0, max(0.0, percent / 100))
