"""Ways in which a drill can turn green falsely, and which of them a plan cannot exclude yet. Pure.

Most are excluded by the way in which Drillmark measures, whatever the plan says. Those that hang on what a drill asks
for stand here, each with what would exclude it. Must never call a way excluded that the plan leaves open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drillmark.model.plan import Plan


@dataclass(frozen=True, slots=True)
class FalseGreen:
    """One way to be green falsely that a plan leaves open: what may happen, and what would exclude it."""

    name: str
    what: str
    remedy: str


# Excluded for every drill, by how Drillmark measures and judges.
ALWAYS_EXCLUDED = (
    "a prober or load generator that died, read as good",
    "steady state not met before the fault, yet the run completes",
    "an end before its start, or a recovery time of 0 s",
    "timing that begins after a delay, or stops at the objective",
    "a dry run recorded as a success",
    "a skipped step counted as done",
    "an undo that repaired the system before the measured recovery did",
    "a hold window judged before the fault",
)


def open_ways(plan: Plan) -> list[FalseGreen]:
    """What this plan cannot exclude yet."""
    return [FalseGreen(name, what, remedy) for name, what, remedy, is_open in _WAYS if is_open(plan)]


def _no_probes(plan: Plan) -> bool:
    return plan.probes is None or not plan.probes.activities


def _only_statuses(plan: Plan) -> bool:
    """Whether any HTTP probe looks at nothing but the status, which an error page or a cache can give as well."""
    probes = plan.probes.activities if plan.probes else []
    return any(
        one.activity.get("provider", {}).get("type") == "http" and not _sees_body(one.activity.get("tolerance"))
        for one in probes
    )


def _sees_body(tolerance: Any) -> bool:
    return isinstance(tolerance, dict) and tolerance.get("target") != "status"


def _is_fault(plan: Plan) -> bool:
    return plan.fault is not None


_WAYS: tuple[tuple[str, str, str, Callable[[Plan], bool]], ...] = (
    (
        "nobody looks",
        "no probe asks the service, so an outage, and its end, are not seen",
        "give the target `probes`",
        _no_probes,
    ),
    (
        "cache or error page",
        "a probe over HTTP looks at the status alone: a cache, or an error page with status 200, answers as well",
        "give it a tolerance on the body: `{type: jsonpath, target: body, ...}`",
        _only_statuses,
    ),
    (
        "empty database",
        "an empty or half-filled store that starts counts as restored: nothing looks at what is in it",
        "give the target `verify`, or `markers`",
        lambda plan: plan.recovers and not plan.verify and not plan.markers,
    ),
    (
        "wrong or old backup",
        "how much was lost is not measured, so an old backup, or that of another system, passes",
        "give the target `markers`, and for a logical restore `identity`",
        lambda plan: plan.recovers and not plan.markers,
    ),
    (
        "backup that is none",
        "nothing proves before the fault that a restorable backup is there: one that is `completed` may have holes",
        "give the target a `preflight` such as `is_restorable`",
        lambda plan: plan.recovers and not plan.preflight,
    ),
    (
        "fault that did not take",
        "nothing proves the fault: a switch-over's own short outage, or files that stay open, may pass for it",
        "give the target or the fault an `effect` probe that is true until the undo",
        lambda plan: _is_fault(plan) and plan.fault is not None and plan.fault.effect is None,
    ),
    (
        "no load",
        "nothing is asked of the service but its probes: what users under load would see is not known",
        "give the drill a `load`",
        lambda plan: plan.load is None,
    ),
    (
        "fault that stays",
        "the experiment has no rollbacks, so nothing takes the fault away after the run",
        "give the experiment `rollbacks`",
        lambda plan: plan.fault is not None and not plan.fault.undos,
    ),
)
