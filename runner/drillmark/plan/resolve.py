"""References to activities become activities; a drill's arguments are laid over the target's own."""

from __future__ import annotations

from typing import Any

from drillmark.define.activity import Activity, Ref
from drillmark.define.targets import Target
from drillmark.errors import InvalidDefinitionError, Problem
from drillmark.model.planned import PlannedActivity

_PROCESS_SLACK_SECONDS = 5.0


def resolve(use: Ref | Activity, target: Target, source: str) -> PlannedActivity:
    """The activity that is meant. Raises InvalidDefinitionError where the target has none of that name."""
    if isinstance(use, Activity):
        return planned(use)
    own = planned(named(use.ref, target, source))
    activity = own.activity
    if use.arguments:
        provider = dict(activity["provider"])
        provider["arguments"] = {**(provider.get("arguments") or {}), **use.arguments}
        activity = {**activity, "provider": provider}
    return PlannedActivity(
        name=own.name,
        activity=activity,
        repeatable=own.repeatable if use.repeatable is None else use.repeatable,
        timeout_seconds=own.timeout_seconds if use.timeout is None else use.timeout,
    )


def named(name: str, target: Target, source: str) -> Activity:
    """A target's activity by its name. Raises InvalidDefinitionError where there is none."""
    for activity in target.activities:
        if activity.name == name:
            return activity
    raise InvalidDefinitionError([Problem(source, 0, 0, f"the target has no activity `{name}`")])


def planned(activity: Activity) -> PlannedActivity:
    """An activity as it stands in a plan."""
    chaos = activity.as_chaos()
    return PlannedActivity(
        name=activity.name,
        activity=chaos,
        repeatable=activity.repeatable,
        timeout_seconds=_timeout_seconds(chaos),
    )


def _timeout_seconds(activity: dict[str, Any]) -> float | None:
    """Seconds after which the activity is ended from outside.

    Chaos Toolkit validates the time-out of Python activities and never enforces it. That of a process it does
    enforce: ours comes a little later. A request's is for each read of the answer, so it bounds nothing.
    """
    provider = activity["provider"]
    limits = [
        float(value) + slack
        for value, slack in (
            (activity.get("timeout"), 0.0),
            (provider.get("timeout") if provider["type"] == "python" else None, 0.0),
            (provider.get("timeout") if provider["type"] == "process" else None, _PROCESS_SLACK_SECONDS),
        )
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    ]
    return min(limits, default=None)
