"""Makes an experiment ready to be played: valid, configured, its controls loaded. Nothing is begun here.

Imported in the experiment child alone. Must never let an experiment pass that chaoslib would run with less than its
author wrote: a control missing, a configuration without its value, a `dry` that is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaoslib.control import load_global_controls
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.types import Schedule, Strategy

from drillmark.chaos import bare, checks, layout, vault
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
    dry: str | None = None
    journal_copy: Path | None = None
    notifies: bool = False


def prepare(request: dict[str, Any], redactor: Redactor) -> Prepared:
    """Check and configure the experiment of a request. Raises `UnfitError` with all that is wrong."""
    if "bare" in request:
        return _prepare_bare(request, request["bare"], redactor)
    experiment: dict[str, Any] = request["experiment"]
    prime(redactor, experiment.get("secrets") or {})
    _refuse_unfit(experiment)
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
        strategy = _strategy(_strategy_name(experiment))
    except (ChaosException, ValueError) as error:
        raise UnfitError(str(error)) from error
    settings: dict[str, Any] = request.get("settings") or {}
    load_global_controls(settings)
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


def _prepare_bare(request: dict[str, Any], options: dict[str, Any], redactor: Redactor) -> Prepared:
    """The same for a bare experiment, which is loaded here as `chaos run` loads it."""
    try:
        loaded = bare.load(options)
    except bare.UnloadableError as error:
        raise UnfitError(str(error)) from error
    experiment, settings = loaded.experiment, loaded.settings
    prime(redactor, experiment.get("secrets") or {})
    if vault.used_by(experiment.get("secrets")):
        vault.mend_client()  # chaoslib reads secrets while it validates
    _refuse_unfit(experiment, validated=options["validated"])
    runtime = settings.setdefault("runtime", {})
    name = options["hypothesis_strategy"] or _strategy_name(
        experiment, (runtime.get("hypothesis") or {}).get("strategy")
    )
    try:
        if options["validated"]:
            # As `chaos run` has it: before the variables of the command line are laid over.
            ensure_experiment_is_valid(experiment)
        strategy = _strategy(name)
    except (ChaosException, ValueError) as error:
        raise UnfitError(str(error)) from error
    settled = settle(
        experiment.get("configuration") or {},
        experiment.get("secrets") or {},
        request.get("variables") or {},
        redactor,
        loaded.extra,
    )
    if settled.problems:
        raise UnfitError("; ".join(settled.problems))
    runtime["rollbacks"] = {**(runtime.get("rollbacks") or {}), "strategy": options["rollback_strategy"]}
    bare.tell(loaded, settled, redactor, Path(request["event_log"]).parent)
    return Prepared(
        experiment=experiment,
        settled=settled,
        settings=settings,
        strategy=strategy,
        schedule=Schedule(
            continuous_hypothesis_frequency=options["hypothesis_frequency_seconds"], fail_fast=options["fail_fast"]
        ),
        journal_path=Path(request["journal_path"]),
        holds=False,
        dry=options["dry"],
        journal_copy=Path(options["journal_path"]),
        notifies=True,
    )


def _refuse_unfit(experiment: dict[str, Any], *, validated: bool = True) -> None:
    wrong = [*layout.shape_problems(experiment)]
    if not wrong:
        wrong = layout.dry_problems(experiment)
        wrong += layout.dangling_problems(experiment) if validated else []
        wrong += checks.control_problems(
            [experiment, experiment.get("steady-state-hypothesis") or {}, *layout.activities(experiment)]
        )
    if wrong:
        raise UnfitError("; ".join(wrong))


def _strategy_name(experiment: dict[str, Any], otherwise: str | None = None) -> str:
    # As `chaos run` reads it from the file; the library does not.
    runtime = experiment.get("runtime")
    if not runtime:
        return otherwise or "default"
    return (runtime.get("hypothesis") or {}).get("strategy", "default")


def _strategy(name: str) -> Strategy:
    return Strategy.from_string("continuously" if name == "continously" else name)
