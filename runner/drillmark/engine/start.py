"""Begins a run: its id and directory, the target's lock, the first journal entry, then the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from drillmark import clock, places, undo
from drillmark.engine import bare, creating, permission, undoing, unjournalled
from drillmark.engine.context import Context
from drillmark.engine.early import Early, refuse_if_stopped, run_id
from drillmark.engine.hands import Hands
from drillmark.engine.interruption import signals_wait
from drillmark.engine.locks import Everywhere, TargetLock
from drillmark.engine.loop import drive
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.pulse import Pulse
from drillmark.engine.view import SilentView, View
from drillmark.errors import RefusedError, StaleEpochError, UndoFileError
from drillmark.journal.entries import run_ended
from drillmark.model.entry import Entry, Kind
from drillmark.model.plan import Bare, Plan
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import NOWHERE, Origin, Undoable, UndoState


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
    everywhere: Everywhere | None = None,
) -> RunEnded:
    """Run a drill. `requester` is who wants it; the user of this process unless given.

    `run` is the id that it gets, where somebody knows it already; `ordered` is by what it was begun (the fleet's
    occurrence, say), and stands in its first entry. `everywhere` locks targets on other machines too.

    Raises RefusedError where the workspace's kill switch is set or the port for alerts is taken, and JournalError or
    UndoFileError where neither could be written; nothing has then been injected, or what was is undone.
    """
    from drillmark import versions  # noqa: PLC0415 - a bare experiment's child says them, and it waits for no port
    from drillmark.engine import ports  # noqa: PLC0415

    workspace = WorkspacePaths(root)
    refuse_if_stopped(workspace)
    ports.refuse_busy(plan)
    began = clock.now()
    run = run or run_id(plan.drill, began.wall_ns)
    started = creating.started(plan, requester, versions.used()) | ({"ordered": dict(ordered)} if ordered else {})
    return _drive(workspace, run, plan, began, view, timeout_seconds, started=started, everywhere=everywhere)


def run_bare(early: Early, options: Bare, *, view: View | None = None) -> RunEnded:
    """Run a bare experiment, whose child and guard are there already and which is being loaded (`early`).

    Raises InvalidDefinitionError where it cannot be run at all; no run is left of it then. Else as `run`.
    """
    try:
        if (early.workspace.root / places.SETTINGS).is_file():
            import_module("drillmark.workspace")  # while the child loads it
        plan, made_with = bare.load(early, options)
    except BaseException:
        early.drop()
        raise
    started = creating.started(plan, None, made_with)
    return _drive(early.workspace, early.run, plan, early.began, view, None, early, started=started)


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
    everywhere: Everywhere | None = None,
) -> RunEnded:
    paths = RunPaths(workspace.runs / run_id)
    try:
        deadline_ns = early.deadline_ns if early else creating.deadline_ns(plan, timeout_seconds)
        idle = early.children if early else ()
        context = creating.create(workspace, paths, run_id, plan, view or SilentView(), deadline_ns, idle)
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
            hands.guard, hands.child = early.guard, early.child
        total_seconds = (context.deadline_ns - began.monotonic_ns) / NANOSECONDS
        more = {"deadline_seconds": total_seconds}
        context.journal(Kind.RUN_STARTED, {**started, **more}, sentence=plan.title)
        if not permission.may_begin(context):
            hands.pulse.stopped_already()
        else:
            _lock_or_refuse(context, locks, everywhere)
        with hands.pulse.signals():
            drive(hands)
    except StaleEpochError:
        raise  # whoever took the run over undoes it; this process touches nothing
    except BaseException:
        with signals_wait():
            unjournalled.undo_without_journal(hands)
        raise
    finally:
        hands.close()
        for lock in locks:
            lock.close()
        context.lock.close()
        context.store.close()
    return ended(context)


def _lock_or_refuse(context: Context, locks: list[TargetLock], everywhere: Everywhere | None) -> None:
    try:
        lock_targets(locks, context.workspace, context.plan, context.run)
        if everywhere is not None:
            everywhere.take(context.run, context.plan)
    except RefusedError as error:
        context.journal(Kind.ABORT, {"by": "runner", "reason": str(error), "refused": True}, sentence=str(error))
        if error.hint:
            context.view.notice(f"HINT: {error.hint}")


def ended(context: Context) -> RunEnded:
    """The end of a run that was driven here."""
    return read_end(context.run, context.paths.directory, context.entries)


def read_end(run: str, directory: Path, entries: Sequence[Entry]) -> RunEnded:
    """The end of a run, read off its journal."""
    end = run_ended(entries)
    data = end.data if end is not None else {}
    reasons = next((entry.data["reasons"] for entry in reversed(entries) if "reasons" in entry.data), ())
    return RunEnded(
        run,
        directory,
        str(data.get("verdict", "unknown")),
        int(data.get("exit_code", 5)),
        tuple(reasons),
        any(entry.kind is Kind.ABORT and entry.data.get("refusals") for entry in entries),
    )


def lock_targets(locks: list[TargetLock], workspace: WorkspacePaths, plan: Plan, run_id: str) -> None:
    """Lock the plan's target and all that it touches. Raises RefusedError where one is busy.

    A target on which an earlier run left something in its undo file is busy until that run is resumed.
    """
    names = [(name, name) for name in plan.target.locked]
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


def _left_behind(workspace: WorkspacePaths, run_id: str) -> bool:
    try:
        state = undo.read(workspace.runs / run_id / "undo.json")
    except UndoFileError:
        return True
    return state is not None and bool(state.undoables)
