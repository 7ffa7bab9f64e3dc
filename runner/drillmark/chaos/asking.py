"""Questions to Chaos Toolkit that need a child: is this experiment valid, what is its configuration now.

Must never perform an activity of the experiment, other than the probes of a dynamic configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark.chaos.activities import ActivityOutcome, ActivityWorker
from drillmark.errors import DrillmarkError
from drillmark.model.entry import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECK_SECONDS = 60.0


class ChaosError(DrillmarkError):
    """Chaos Toolkit cannot work with what it was given."""

    code = "chaos"


def resolve(
    experiment: Mapping[str, Any],
    variables: Mapping[str, Any],
    *,
    run_dir: Path | None = None,
    timeout_seconds: float = CHECK_SECONDS,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The experiment with its configuration resolved to static values, and ours (`variables`) laid over it.

    What holds a secret (by its value, or its name) stays the reference that it was. Raises ChaosError if a value
    cannot be had: the fault must not begin without knowing its target.
    """
    outcome = _ask(
        "resolve", timeout_seconds, run_dir=run_dir, environment=environment, variables=variables, experiment=experiment
    )
    return resolved_by(experiment, outcome)


def resolved_by(experiment: Mapping[str, Any], outcome: ActivityOutcome) -> dict[str, Any]:
    """The resolved experiment, from a worker's answer to `resolve`. Raises ChaosError."""
    if outcome.status is not Status.SUCCEEDED:
        raise ChaosError(
            f"the configuration of '{experiment.get('title')}' cannot be resolved: {outcome.error}",
            hint="set the environment variable or give the key a default.",
        )
    return {**experiment, "configuration": outcome.output}


def validate(experiment: Any, path: str, *, environment: Mapping[str, str] | None = None) -> list[str]:
    """All that Chaos Toolkit, and Drillmark besides, finds wrong with an experiment; `path` says which it is.

    Imports the experiment's modules, in a child. Environment variables need not be set yet.
    """
    return _problems("check", path, environment, experiment=experiment)


def validate_activity(activity: Any, name: str, *, environment: Mapping[str, str] | None = None) -> list[str]:
    """All that Chaos Toolkit finds wrong with a single activity; `name` says which it is."""
    return _problems("check_activity", name, environment, checked=activity)


def _problems(operation: str, what: str, environment: Mapping[str, str] | None, **fields: Any) -> list[str]:
    outcome = _ask(operation, CHECK_SECONDS, run_dir=None, environment=environment, variables={}, **fields)
    if outcome.status is not Status.SUCCEEDED:
        return [f"chaos toolkit could not check {what}: {outcome.error}"]
    return [str(problem) for problem in outcome.output]


def _ask(
    operation: str,
    timeout_seconds: float,
    *,
    run_dir: Path | None,
    environment: Mapping[str, str] | None,
    variables: Mapping[str, Any],
    **fields: Any,
) -> ActivityOutcome:
    import tempfile  # noqa: PLC0415 - whoever runs an experiment asks nothing in here

    with tempfile.TemporaryDirectory(prefix="drillmark-") as temporary:
        directory = run_dir or Path(temporary)
        log_path = directory / "chaos" / "ask.log"
        worker = ActivityWorker(directory, {}, {}, log_path=log_path, variables=variables, environment=environment)
        with worker:
            worker.request(operation, operation, timeout_seconds, **fields)
            return worker.wait()
