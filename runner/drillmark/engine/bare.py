"""Begins the run of a bare Chaos Toolkit experiment: its child loads it, and of what it tells the plan is made.

From there on it is a run like any other. Must never let anything of the experiment begin: `start` does, by the plan.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from drillmark import clock, files, users
from drillmark.chaos.events import What
from drillmark.chaos.experiments import ExperimentChild
from drillmark.chaos.layout import dereference, name_of
from drillmark.engine.early import LEASE_SECONDS, READY_SECONDS, Early, slug
from drillmark.engine.paths import RunPaths
from drillmark.errors import DrillmarkError, InvalidDefinitionError, Problem
from drillmark.model.plan import Bare, Phases, Plan
from drillmark.model.planned import PlannedFault
from drillmark.model.target import PlannedTarget
from drillmark.undo import Origin

_POLL_SECONDS = 0.002


# What only the end of a run needs.
_THE_END = ("pages", "judge.core", "measure.measuring", "report.files", "report.sentences", "report.page.plain")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the child says of the experiment: as the plan holds it, and as the undo file holds it."""

    experiment: dict[str, Any]
    resolved: dict[str, Any]
    secrets_written_out: bool
    versions: dict[str, str] = field(default_factory=dict[str, str])

    def origin(self, bare: Bare) -> Origin:
        """Where an undo finds what does not stand in the undo file."""
        own = str((Path(bare.folder) / bare.source).resolve()) if self.secrets_written_out else ""
        return Origin(bare.folder, tuple(bare.var_files), own)


def load(early: Early, bare: Bare) -> tuple[Plan, dict[str, str]]:
    """The plan of what the child says of the experiment that it was asked to load, and the versions of what is used.

    Raises InvalidDefinitionError where Chaos Toolkit, or Drillmark, does not take it.
    """
    shown = shown_source(early.workspace.root, bare)
    error = _await_ready(early.child)
    if error:
        raise InvalidDefinitionError([Problem(shown, 0, 0, error)])
    told = loaded(early.paths)
    if told.secrets_written_out and "://" in bare.source:
        error = "an experiment from an address may not spell out its secrets: an undo could not know them again"
        raise InvalidDefinitionError([Problem(shown, 0, 0, error, "type env or vault, or a --var-file")])
    return make_plan(early.workspace.root, bare, told), told.versions


def loaded(paths: RunPaths) -> Loaded:
    """What the child has written down. Raises DrillmarkError where it has not."""
    told = files.read_json(paths.loaded)
    if not isinstance(told, dict):
        raise DrillmarkError("the experiment's child did not say what it had loaded")
    return Loaded(told["experiment"], told["resolved"], bool(told["secrets_written_out"]), told["versions"])


def make_plan(root: Path, bare: Bare, told: Loaded) -> Plan:
    """The plan of a bare experiment: a fault, and nothing beside it."""
    experiment = told.experiment
    shown = shown_source(root, bare)
    text = json.dumps(experiment, sort_keys=True, ensure_ascii=False)
    return Plan(
        drill=slug(bare.source),
        title=str(experiment.get("title") or shown),
        owner=users.name(),
        source=shown,
        mode="experiment",
        target=PlannedTarget(name=shown, environment=""),
        phases=Phases(
            baseline_seconds=0, fault_seconds=0, recover_deadline_seconds=0, verify_deadline_seconds=0, soak_seconds=0,
            hold_seconds=0,
        ),
        fault=PlannedFault(
            path=shown,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            experiment=experiment,
            actions=[name for name, kind in _named(experiment, "method") if kind == "action"],
            undos=[name for name, _ in _named(experiment, "rollbacks")],
            lease_seconds=LEASE_SECONDS,
        ),
        bare=bare,
    )  # fmt: skip


def import_the_end() -> None:
    """Import what only the end needs, while the experiment is played: there is nothing else to do."""
    for part in _THE_END:
        import_module(f"drillmark.{part}")


def shown_source(root: Path, bare: Bare) -> str:
    """The source as it is called in runs and gaps: from the root where it lies in there, without user and password."""
    if "://" in bare.source:
        parts = urlsplit(bare.source)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    path = (Path(bare.folder) / bare.source).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def lock_name(plan: Plan) -> str:
    """What two runs must not have in hand at once: the same experiment with the same variables."""
    assert plan.bare is not None
    assert plan.fault is not None
    block = json.dumps(plan.fault.experiment, sort_keys=True)
    text = "\n".join((plan.bare.source, plan.bare.folder, *plan.bare.var_files, block))
    return f"experiment-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _await_ready(child: ExperimentChild) -> str:
    """Wait until the child is ready. Returns what is wrong, empty if nothing is."""
    deadline = clock.monotonic_ns() + round(READY_SECONDS * 1e9)
    while clock.monotonic_ns() < deadline:
        alive = child.alive
        for event in child.poll():
            if event.event == What.READY:
                return ""
            if event.event == What.FAILED:
                return event.error
        if not alive:
            return "the experiment's child ended while it loaded it"
        time.sleep(_POLL_SECONDS)
    return f"it was not loaded within {READY_SECONDS:g} s"


def _named(experiment: dict[str, Any], block: str) -> list[tuple[str, str]]:
    return [
        (name_of(listed), str((dereference(experiment, listed) or {}).get("type") or ""))
        for listed in experiment.get(block) or []
    ]
