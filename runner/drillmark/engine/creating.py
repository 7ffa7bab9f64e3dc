"""Makes a run: on the list, its directory with plan, epoch and undo file, and what its first entry says of it.

Must never let anything begin.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping

from drillmark import clock, files, undo, users
from drillmark.engine import permission
from drillmark.engine.context import Context
from drillmark.engine.early import make_directory
from drillmark.engine.locks import FileLock
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.view import View
from drillmark.errors import JournalError
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model import outline
from drillmark.model.digest import digest
from drillmark.model.plan import Plan
from drillmark.model.stamp import NANOSECONDS
from drillmark.undo import Child, UndoState

# What a run may take beyond its phases before it is aborted: starting, restoring, reading back, concluding.
_ALLOWANCE_SECONDS = 900.0
# The two stamps of a monotonic and a wall clock are read one after the other; and what NTP may slew in a run.
CLOCK_ERROR_SECONDS = 0.001


def create(
    workspace: WorkspacePaths,
    paths: RunPaths,
    run_id: str,
    plan: Plan,
    view: View,
    deadline_ns: int,
    children: tuple[Child, ...] = (),
) -> Context:
    """Everything that a run needs before its first entry. `children` are there already, and idle.

    Raises JournalError or UndoFileError where it cannot be written; nothing of it stays then.
    """
    # On the list before anything of it is on disk: whatever a runner leaves that dies in here is found by `resume`.
    store = open_store(workspace)
    try:
        directory = str(paths.directory.relative_to(workspace.root))
        store.create(RunRow(run_id, plan.drill, plan.target.name, directory, 1, clock.now().wall_ns))
        state = _write_first(paths, plan, UndoState(run_id, children=children))
    except BaseException:
        with contextlib.suppress(JournalError):
            store.forget(run_id)
        store.close()
        raise
    return Context(
        run=run_id,
        plan=plan,
        workspace=workspace,
        paths=paths,
        store=store,
        lock=FileLock(paths.lock),
        view=view,
        epoch=1,
        deadline_ns=deadline_ns,
        undo_state=state,
        variables={"drillmark_run": run_id},
    )


def deadline_ns(plan: Plan, timeout_seconds: float | None) -> int:
    """When the run must be over, by the monotonic clock: after so long, or as long as its phases may take."""
    phases = plan.phases
    total = timeout_seconds or (
        phases.baseline_seconds + phases.detect_seconds + phases.fault_seconds + phases.recover_deadline_seconds
        + phases.verify_deadline_seconds + phases.soak_seconds + 10 * phases.hold_seconds + _ALLOWANCE_SECONDS
    )  # fmt: skip
    return clock.monotonic_ns() + round(total * NANOSECONDS)


def _write_first(paths: RunPaths, plan: Plan, state: UndoState) -> UndoState:
    """The run's directory with plan, epoch and an undo file in which nothing is in effect."""
    try:
        make_directory(paths)
        plan_text = json.dumps(plan.model_dump(mode="json"), sort_keys=True, indent=1)
        files.write_all_durably({paths.plan: plan_text, paths.epoch: "1\n", paths.undo: undo.to_text(state)})
    except OSError as error:
        raise JournalError(
            f"cannot write {paths.directory}: {error.strerror or error}",
            hint="nothing was injected; is the disk full, or the folder read-only?",
        ) from error
    return state


def started(plan: Plan, requester: str | None, versions: Mapping[str, str]) -> dict[str, object]:
    """What the first entry says."""
    return {
        "drill": plan.drill,
        "target": plan.target.name,
        "plan_hash": digest(plan),
        # A bare experiment is no drill that somebody looks for again.
        **({"plan": outline.of(plan).model_dump(mode="json")} if plan.bare is None else {}),
        "versions": dict(versions),
        "clock_error_seconds": CLOCK_ERROR_SECONDS,
        "unattended": True,
        "requester": permission.who() if requester is None else requester,
        "user": users.name(),
    }
