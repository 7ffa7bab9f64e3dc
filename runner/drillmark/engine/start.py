"""Begins a run: its id and directory, the target's lock, the first journal entry, then the loop."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

from drillmark import __version__, clock, files, places, undo
from drillmark.decide import stops
from drillmark.engine import bare, children, concluding, guarding, permission, undoing
from drillmark.engine.context import Context
from drillmark.engine.early import Early, make_directory, refuse_if_stopped, run_id
from drillmark.engine.hands import Hands
from drillmark.engine.interruption import signals_wait
from drillmark.engine.locks import FileLock, TargetLock
from drillmark.engine.loop import drive
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.pulse import Pulse
from drillmark.engine.view import SilentView, View
from drillmark.errors import JournalError, RefusedError, StaleEpochError, UndoFileError
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.digest import digest
from drillmark.model.entry import Kind, Status
from drillmark.model.plan import Bare, Plan
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import NOWHERE, Origin, Undoable, UndoState

# What a run may take beyond its phases before it is aborted: starting, restoring, reading back, concluding.
_ALLOWANCE_SECONDS = 900.0
# The two stamps of a monotonic and a wall clock are read one after the other; and what NTP may slew in a run.
CLOCK_ERROR_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class RunEnded:
    """How a run ended. `exit_code` is the process's; `refused`: a rule did not let it begin."""

    run: str
    directory: Path
    verdict: str
    exit_code: int
    reasons: tuple[str, ...] = ()
    refused: bool = False


def run(
    root: Path,
    plan: Plan,
    *,
    view: View | None = None,
    timeout_seconds: float | None = None,
    run: str | None = None,
    ordered: Mapping[str, object] | None = None,
    requester: str | None = None,
) -> RunEnded:
    """Run a drill. `requester` is who wants it; the user of this process unless given.

    `run` is the id that it gets, where somebody knows it already; `ordered` is by what it was begun (the fleet's
    occurrence, say), and stands in its first entry.

    Raises RefusedError where the workspace's kill switch is set or the port for alerts is taken, and JournalError or
    UndoFileError where neither could be written; nothing has then been injected, or what was is undone.
    """
    workspace = WorkspacePaths(root)
    refuse_if_stopped(workspace)
    _refuse_busy_port(plan)
    began = clock.now()
    run = run or run_id(plan.drill, began.wall_ns)
    started = _started(plan, requester) | ({"ordered": dict(ordered)} if ordered else {})
    return _drive(workspace, run, plan, began, view, timeout_seconds, started=started)


def run_bare(early: Early, options: Bare, variables: list[str], *, view: View | None = None) -> RunEnded:
    """Run a bare experiment, whose child and guard are there already (`early.start`).

    Raises InvalidDefinitionError where it cannot be run at all; no run is left of it then. Else as `run`.
    """

    def meanwhile() -> None:
        for module in ("drillmark.report.files", "drillmark.judge.core", "drillmark.measure.measuring"):
            import_module(module)
        _versions()
        if (early.workspace.root / places.SETTINGS).is_file():
            import_module("drillmark.workspace")
        open_store(early.workspace).close()

    try:
        plan = bare.load(early, options, variables, meanwhile)
    except BaseException:
        early.drop()
        raise
    return _drive(early.workspace, early.run, plan, early.began, view, None, early, started=_started(plan, None))


def _drive(
    workspace: WorkspacePaths,
    run_id: str,
    plan: Plan,
    began: Stamp,
    view: View | None,
    timeout_seconds: float | None,
    early: Early | None = None,
    *,
    started: Mapping[str, object],
) -> RunEnded:
    paths = RunPaths(workspace.runs / run_id)
    try:
        deadline_ns = early.deadline_ns if early else _deadline_ns(plan, timeout_seconds)
        context = _create(workspace, paths, run_id, plan, view or SilentView(), deadline_ns)
    except BaseException:
        if early is not None:
            early.drop()
        raise
    locks: list[TargetLock] = []
    origin = Origin(plan.bare.folder) if plan.bare else NOWHERE
    rollbacks = UndoState(run_id, (Undoable("", plan.undone_by, origin=origin),) if plan.undone_by else ())
    hands = Hands(context, Pulse(context, undoing.undo_seconds(rollbacks)))
    try:
        if early is not None:
            hands.guard = early.guard
            hands.adopt(early.child)
        total_seconds = (context.deadline_ns - began.monotonic_ns) / NANOSECONDS
        more = {"deadline_seconds": total_seconds}
        context.journal(Kind.RUN_STARTED, {**started, **more}, sentence=plan.title)
        if not permission.may_begin(context):
            hands.pulse.stopped_already()
        else:
            _lock_or_refuse(context, locks)
        with hands.pulse.signals():
            drive(hands)
    except StaleEpochError:
        raise  # whoever took the run over undoes it; this process touches nothing
    except BaseException:
        with signals_wait():
            undo_without_journal(hands)
        raise
    finally:
        hands.close()
        for lock in locks:
            lock.close()
        context.lock.close()
        context.store.close()
    return ended(context)


def _lock_or_refuse(context: Context, locks: list[TargetLock]) -> None:
    try:
        lock_targets(locks, context.workspace, context.plan, context.run)
    except RefusedError as error:
        context.journal(Kind.ABORT, {"by": "runner", "reason": str(error), "refused": True}, sentence=str(error))


def ended(context: Context) -> RunEnded:
    """The end of a run, read off its journal."""
    data = next((entry.data for entry in reversed(context.entries) if entry.kind is Kind.RUN_ENDED), {})
    reasons = next((entry.data["reasons"] for entry in reversed(context.entries) if "reasons" in entry.data), ())
    return RunEnded(
        context.run,
        context.paths.directory,
        str(data.get("verdict", "unknown")),
        int(data.get("exit_code", 5)),
        tuple(reasons),
        any(entry.kind is Kind.ABORT and entry.data.get("refusals") for entry in context.entries),
    )


def lock_targets(locks: list[TargetLock], workspace: WorkspacePaths, plan: Plan, run_id: str) -> None:
    """Lock the plan's target and all that it touches. Raises RefusedError where one is busy.

    A target on which an earlier run left something in its undo file is busy until that run is resumed.
    """
    names = [(name, name) for name in sorted({plan.target.name, *plan.target.touches})]
    for target, name in names if plan.bare is None else [(plan.target.name, bare.lock_name(plan))]:
        lock = TargetLock(workspace.locks, target, name)
        locks.append(lock)
        before = lock.acquire(run_id)
        if before and _left_behind(workspace, before):
            lock.give_back(before)
            raise RefusedError(
                f"target {target} may still be under the fault of run {before}",
                hint=f"`drillmark resume {before}` undoes it",
            )


def undo_without_journal(hands: Hands) -> None:
    """Undo what may be in effect although the journal or the undo file cannot be written any more."""
    state = hands.context.undo_state
    # Held so that the guard, should it find the lease run out, ends this process first and undoes by itself.
    hands.context.lock.acquire(exclusive=False, wait_seconds=0.0)
    if hands.child is not None:
        hands.child.kill()
    children.end_orphans(hands, ("chaos", "worker", *undo.OBSERVERS))
    outcomes = [
        outcome
        for undoable in (reversed(state.undoables) if began(hands.context) else ())
        for outcome in undoing.undo_from(hands.context.paths, undoable)
    ]
    bad = [f"{one.name}: {one.error or one.status}" for one in outcomes if one.status != Status.SUCCEEDED]
    told = [{"name": one.name, "status": one.status, "error": one.error} for one in outcomes]
    hands.context.set_aside(Kind.EVENT, clock.now(), {"what": "undone_without_journal", "rollbacks": told})
    if bad:
        hands.context.view.notice(f"the fault could not be undone, the guard will try again: {'; '.join(bad)}")
        return
    guarding.stop_guard(hands)
    with contextlib.suppress(OSError):
        hands.context.paths.undo.unlink(missing_ok=True)
        concluding.export_journal(hands.context.paths, hands.context.entries)


def began(context: Context) -> bool:
    """Whether a fault may have begun, as far as this process knows."""
    return stops.may_be_in_effect(context.entries)


def _create(  # everything that a run needs before its first entry
    workspace: WorkspacePaths, paths: RunPaths, run_id: str, plan: Plan, view: View, deadline_ns: int
) -> Context:
    # On the list before anything of it is on disk: whatever a runner leaves that dies in here is found by `resume`.
    store = open_store(workspace)
    try:
        directory = str(paths.directory.relative_to(workspace.root))
        store.create(RunRow(run_id, plan.drill, plan.target.name, directory, 1, clock.now().wall_ns))
        state = _write_first(paths, run_id, plan)
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


def _refuse_busy_port(plan: Plan) -> None:
    """Before anything is written or begun: a drill that would not hear its alerts is not started."""
    if plan.alerts is not None:
        variable = plan.alerts.token_variable
        if variable and not os.environ.get(variable):
            words = f"alerts are to carry the token in {variable}, which is not set"
            raise RefusedError(words, hint="set it in the environment of what runs drills")
        hint = "wait for the other drill, or set alerts.listen in drillmark.yaml (port 0: one that is free)"
        _try_port(plan.alerts.host, plan.alerts.port, "receive alerts", hint)
    if plan.load is not None and plan.load.master_host is not None:
        hint = "wait for the other drill, or give load.master another port"
        _try_port(plan.load.master_host, plan.load.master_port, "wait for the load's workers", hint)


def _try_port(host: str, port: int, what: str, hint: str) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        why = "another drill or program listens there" if error.errno == errno.EADDRINUSE else error.strerror or error
        raise RefusedError(f"cannot {what} on {host}:{port}: {why}", hint=hint) from error


def _deadline_ns(plan: Plan, timeout_seconds: float | None) -> int:
    phases = plan.phases
    total = timeout_seconds or (
        phases.baseline_seconds + phases.detect_seconds + phases.fault_seconds + phases.recover_deadline_seconds
        + phases.verify_deadline_seconds + phases.soak_seconds + 10 * phases.hold_seconds + _ALLOWANCE_SECONDS
    )  # fmt: skip
    return clock.monotonic_ns() + round(total * NANOSECONDS)


def _write_first(paths: RunPaths, run_id: str, plan: Plan) -> UndoState:
    """The run's directory with plan, epoch and an empty undo file."""
    try:
        make_directory(paths)
        files.write_durably(paths.plan, json.dumps(plan.model_dump(mode="json"), sort_keys=True, indent=1))
    except OSError as error:
        raise JournalError(
            f"cannot write {paths.directory}: {error.strerror or error}",
            hint="nothing was injected; is the disk full, or the folder read-only?",
        ) from error
    undo.write_epoch(paths.epoch, 1)
    state = UndoState(run_id)
    undo.write(paths.undo, state)
    return state


def _started(plan: Plan, requester: str | None) -> dict[str, object]:
    return {
        "drill": plan.drill,
        "target": plan.target.name,
        "plan_hash": digest(plan),
        "versions": _versions(),
        "clock_error_seconds": CLOCK_ERROR_SECONDS,
        "unattended": True,
        "requester": permission.who() if requester is None else requester,
        "user": os.environ.get("USER", str(os.getuid())),
    }


def _left_behind(workspace: WorkspacePaths, run_id: str) -> bool:
    try:
        state = undo.read(workspace.runs / run_id / "undo.json")
    except UndoFileError:
        return True
    return state is not None and bool(state.undoables)


@cache
def _versions() -> dict[str, str]:
    versions = {"drillmark": __version__, "python": platform.python_version()}
    for name in ("chaostoolkit-lib", "locust", "psycopg"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
