"""Makes an experiment ready to be played: valid, configured, its controls loaded. Nothing is begun here.

Imported in the experiment child alone. Must never let an experiment pass that chaoslib would run with less than its
author wrote: a control missing, a configuration without its value, a `dry` that is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.types import Schedule, Strategy

from drillmark.chaos import checks, layout
from drillmark.chaos.settle import Settled, prime, settle

if TYPE_CHECKING:
    from drillmark.chaos.redact import Redactor


class UnfitError(Exception):
    """The experiment is not fit to be run. Nothing has begun."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An experiment that can be played."""

    experiment: dict[str, Any]
    settled: Settled
    settings: dict[str, Any]
    strategy: Strategy
    schedule: Schedule
    journal_path: Path
    holds: bool


def prepare(request: dict[str, Any], redactor: Redactor) -> Prepared:
    """Check and configure the experiment of a request. Raises `UnfitError` with all that is wrong."""
    experiment: dict[str, Any] = request["experiment"]
    prime(redactor, experiment.get("secrets") or {})
    wrong = [*layout.shape_problems(experiment)]
    if not wrong:
        wrong = [*layout.dry_problems(experiment), *layout.dangling_problems(experiment)]
        wrong += checks.control_problems(
            [experiment, experiment.get("steady-state-hypothesis") or {}, *layout.activities(experiment)]
        )
    if wrong:
        raise UnfitError("; ".join(wrong))
    if request.get("configuration_resolved") is not None:
        experiment["configuration"] = request["configuration_resolved"]
    settled = settle(
        experiment.get("configuration") or {},
        experiment.get("secrets") or {},
        request.get("variables") or {},
        redactor,
    )
    if settled.problems:
        raise UnfitError("; ".join(settled.problems))
    try:
        ensure_experiment_is_valid(experiment)
        strategy = _strategy(experiment)
    except (ChaosException, ValueError) as error:
        raise UnfitError(str(error)) from error
    settings: dict[str, Any] = request.get("settings") or {}
    # The library reads this from the settings alone, and would skip the rollbacks of what failed.
    settings.setdefault("runtime", {}).setdefault("rollbacks", {})["strategy"] = "always"
    return Prepared(
        experiment=experiment,
        settled=settled,
        settings=settings,
        strategy=strategy,
        schedule=Schedule(),
        journal_path=Path(request["journal_path"]),
        holds=bool(request.get("hold_after_method", True)),
    )


def _strategy(experiment: dict[str, Any]) -> Strategy:
    # As `chaos run` reads it from the file; the library does not.
    name = ((experiment.get("runtime") or {}).get("hypothesis") or {}).get("strategy", "default")
    return Strategy.from_string("continuously" if name == "continously" else name)
