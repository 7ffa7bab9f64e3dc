"""Chaos Toolkit, embedded: experiments and activities run in child processes, which this package starts and ends.

What stands here is the parent's side; it imports no chaoslib. `child` and `worker` are the two programs that it
starts. Where a run departs from `chaos run`, `docs/reference/deviations.md` says so. Must never run an activity in the
caller's own process.
"""

from typing import TYPE_CHECKING

from drillmark import lazily

if TYPE_CHECKING:
    from drillmark.chaos.activities import ActivityOutcome, ActivityWorker
    from drillmark.chaos.asking import ChaosError, resolve, validate, validate_activity
    from drillmark.chaos.events import Event, Phase, What, read_events
    from drillmark.chaos.experiments import ExperimentChild
    from drillmark.chaos.layout import warnings

__all__ = [
    "ActivityOutcome",
    "ActivityWorker",
    "ChaosError",
    "Event",
    "ExperimentChild",
    "Phase",
    "What",
    "read_events",
    "resolve",
    "validate",
    "validate_activity",
    "warnings",
]

__getattr__ = lazily.parts(
    __name__,
    {
        "ActivityOutcome": "activities",
        "ActivityWorker": "activities",
        "ChaosError": "asking",
        "Event": "events",
        "ExperimentChild": "experiments",
        "Phase": "events",
        "What": "events",
        "read_events": "events",
        "resolve": "asking",
        "validate": "asking",
        "validate_activity": "asking",
        "warnings": "layout",
    },
)
