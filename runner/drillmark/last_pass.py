"""Which drills need a new run: those whose plan changed since they last passed. Reads only.

What a run's plan said stands in its folder; where that is on another machine, in its journal (`model.outline`), which
all machines of a fleet share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drillmark import runs
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import DrillmarkError
from drillmark.journal.entries import is_proven_pass
from drillmark.journal.opening import open_if_there
from drillmark.journal.port import RunRow
from drillmark.model import outline
from drillmark.model.entry import Entry
from drillmark.model.outline import Outline
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
    for drill, (row, entries) in _passed(root, set(drills)).items():
        then = outline_of(root, row, entries)
        if then is not None:  # a run without a plan says nothing of the drill
            plan = (plans or {}).get(drill)
            found[drill] = LastPass(row.run, _changed(root, then) if plan is None else _says_another(plan, then))
    return found


def outline_of(root: Path, row: RunRow, entries: Sequence[Entry]) -> Outline | None:
    """What is known of the plan of a run; None of a run without one.

    The plan itself comes first, where it is here: it is read as this version reads plans, whichever version wrote it.
    """
    try:
        return outline.of(runs.read_plan(root / row.directory))
    except DrillmarkError:
        return outline.read(entries[0].data.get("plan")) if entries else None


def changed_since(root: Path, directory: Path) -> bool:
    """Whether the drill of a run has another plan by now. A bare experiment, or a run without a plan, has none."""
    try:
        then = runs.read_plan(directory)
    except DrillmarkError:
        return False
    return then.bare is None and _changed(root, outline.of(then))


def _passed(root: Path, drills: set[str]) -> dict[str, tuple[RunRow, tuple[Entry, ...]]]:
    found: dict[str, tuple[RunRow, tuple[Entry, ...]]] = {}
    store = open_if_there(WorkspacePaths(root))
    if store is None:
        return found
    try:
        for row in store.newest(_AMONG):
            if not drills - found.keys():
                break
            if row.drill in drills and row.drill not in found:
                entries = store.read(row.run)
                if is_proven_pass(entries):
                    found[row.drill] = row, entries
    finally:
        store.close()
    return found


def _changed(root: Path, then: Outline) -> bool:
    # Hashing is cheap; a plan is made only where a file is another.
    return _files_changed(root, then) and _says_another(_plan(root, then.source), then)


def _files_changed(root: Path, then: Outline) -> bool:
    return any(_hash(root / path) != planned for path, planned in then.sources.items())


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


def _says_another(now: Plan | None, then: Outline) -> bool:
    """Whether the plan says something else; one that cannot be made any more surely does."""
    return now is None or outline.of(now).says != then.says
