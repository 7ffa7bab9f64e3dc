"""Which drills need a new run: those whose plan changed since they last passed. Reads only.

What a plan says counts, not the bytes of the definitions that it was made of: a comment makes no new drill. Of
programs, modules and Locust files nobody can tell what a change means, so any change counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillmark import places, runs
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import DrillmarkError
from drillmark.journal.opening import open_if_there
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind
from drillmark.model.plan import Plan

WORDS = "needs a new run"
# So many of the newest runs are looked through.
_AMONG = 500


@dataclass(frozen=True, slots=True)
class LastPass:
    """The newest run of a drill that passed, and whether the drill's plan is another one by now."""

    run: str
    changed: bool

    @property
    def words(self) -> str:
        """What is said of the drill; empty where it needs no new run."""
        return f"{WORDS}: its plan changed since it last passed ({self.run})" if self.changed else ""


def of(root: Path, drills: Iterable[str], plans: Mapping[str, Plan] | None = None) -> dict[str, LastPass]:
    """The last pass of each of these drills that ever passed. `plans`: their plans by now, where they are at hand."""
    found: dict[str, LastPass] = {}
    for drill, row in _passed(root, set(drills)).items():
        with suppress(DrillmarkError):  # a run without a plan says nothing of the drill
            plan = (plans or {}).get(drill)
            then = runs.read_plan(root / row.directory)
            changed = _changed(root, then) if plan is None else _says_another(plan, then)
            found[drill] = LastPass(row.run, changed)
    return found


def changed_since(root: Path, directory: Path) -> bool:
    """Whether the drill of a run has another plan by now. A bare experiment, or a run without a plan, has none."""
    try:
        then = runs.read_plan(directory)
    except DrillmarkError:
        return False
    return then.bare is None and _changed(root, then)


def _passed(root: Path, drills: set[str]) -> dict[str, RunRow]:
    found: dict[str, RunRow] = {}
    store = open_if_there(WorkspacePaths(root))
    if store is None:
        return found
    try:
        for row in store.newest(_AMONG):
            if not drills - found.keys():
                break
            if row.drill in drills and row.drill not in found:
                end = store.read(row.run)[-1:]
                if end and end[0].kind is Kind.RUN_ENDED and end[0].data.get("verdict") == "passed":
                    found[row.drill] = row
    finally:
        store.close()
    return found


def _changed(root: Path, then: Plan) -> bool:
    # Hashing is cheap; a plan is made only where a file is another.
    return _files_changed(root, then) and _says_another(_plan(root, then.source), then)


def _files_changed(root: Path, plan: Plan) -> bool:
    return any(_hash(root / path) != planned for path, planned in plan.sources.items())


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _plan(root: Path, source: str) -> Plan | None:
    from drillmark import workspace  # noqa: PLC0415 - only where something changed

    if not (root / source).is_file():
        return None
    # What Chaos Toolkit says against it is told by `validate`; it takes seconds, and makes no other plan.
    return workspace.Workspace(root, ask=lambda _experiments, _activities: ({}, {})).check(source).plan


def _says_another(now: Plan | None, then: Plan) -> bool:
    """Whether the plan says something else; one that cannot be made any more surely does."""
    return now is None or _said(now) != _said(then)


def _said(plan: Plan) -> dict[str, Any]:
    definitions = {places.SETTINGS, "targets.yaml", plan.source}
    if plan.fault is not None:
        definitions.add(plan.fault.path)
    said = plan.model_dump(mode="json")
    said["sources"] = {path: value for path, value in plan.sources.items() if path not in definitions}
    if said["fault"] is not None:
        said["fault"]["sha256"] = ""
    return said
