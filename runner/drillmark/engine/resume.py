"""Takes a run up again after its runner was lost. What happens then is the crash table, by `decide`.

First, always: the exclusive lock (which waits for a guard at work), a new epoch, the lease; then the experiment's
child is ended, its event log and the guard's log are imported, observers and load are adopted.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from drillmark import clock, files, processes, runs, undo
from drillmark.chaos.activities import ActivityOutcome
from drillmark.chaos.events import read_events
from drillmark.engine import faulting, observing
from drillmark.engine.concluding import export_journal
from drillmark.engine.context import Context
from drillmark.engine.hands import Hands
from drillmark.engine.locks import FileLock, TargetLock
from drillmark.engine.loop import drive
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.pulse import Pulse
from drillmark.engine.start import RunEnded, ended, lock_targets, undo_seconds, undo_without_journal
from drillmark.engine.view import SilentView, View
from drillmark.errors import JournalError, RefusedError, StaleEpochError, UsageError
from drillmark.journal.entries import last
from drillmark.journal.store import JournalStore, RunRow
from drillmark.model.entry import Effect, Kind, Status
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import UndoState

_GUARD_AT_WORK_SECONDS = 600.0
# What begins anew where nothing had been injected yet.
_ANEW = (
    Effect.PREFLIGHT, Effect.GUARD, Effect.OBSERVERS, Effect.LOAD, Effect.PREPARE, Effect.BASELINE,
)  # fmt: skip
_OBSERVERS = ("prober", "markers", "load")


def resume(root: Path, row: RunRow, *, view: View | None = None, timeout_seconds: float | None = None) -> RunEnded:
    """Go on with a run whose runner is gone, and end it.

    Raises RefusedError where its runner lives, UsageError where it has ended and nothing is in effect, and
    JournalError where the journal cannot be read: everything in the undo file has then been undone.
    """
    workspace = WorkspacePaths(root)
    paths = RunPaths(root / row.directory)
    _refuse_if_driven(paths)
    lock = FileLock(paths.lock)
    if not lock.acquire(exclusive=True, wait_seconds=_GUARD_AT_WORK_SECONDS):
        raise RefusedError(f"somebody else has run {row.run} in hand", hint="wait for it to end")
    locks: list[TargetLock] = []
    try:
        context = _take_over(workspace, paths, lock, row, view or SilentView(), timeout_seconds)
        hands = Hands(context, Pulse(context, undo_seconds(context.plan)))
        try:
            if any(entry.kind is Kind.RUN_ENDED for entry in context.entries):
                _undo_what_is_left(hands)
                return ended(context)
            lock_targets(locks, workspace, context.plan, row.run)
            hands.pulse.renew_lease()
            _import(hands)
            lock.release()
            drive(hands)
        except (StaleEpochError, UsageError, RefusedError):
            raise
        except BaseException:
            undo_without_journal(hands)
            raise
        finally:
            hands.close()
            context.store.close()
        return ended(context)
    finally:
        for target_lock in locks:
            target_lock.close()
        lock.close()


def _take_over(  # the state of a run is spread over these
    workspace: WorkspacePaths, paths: RunPaths, lock: FileLock, row: RunRow, view: View, timeout_seconds: float | None
) -> Context:
    plan = runs.read_plan(paths.directory)
    state = undo.read(paths.undo) or UndoState(row.run)
    guard = files.read_json(paths.guard_config) or {}
    context = Context(
        run=row.run,
        plan=plan,
        workspace=workspace,
        paths=paths,
        store=_open_journal(workspace, paths, row, state),
        lock=lock,
        view=view,
        epoch=0,
        deadline_ns=int(guard.get("deadline_ns", clock.monotonic_ns() + 3600 * NANOSECONDS)),
        undo_state=state,
        variables={"drillmark_run": row.run},
    )
    if timeout_seconds is not None:
        context.deadline_ns = clock.monotonic_ns() + round(timeout_seconds * NANOSECONDS)
    context.entries = list(context.store.read(row.run))
    if not context.entries:
        raise UsageError(f"run {row.run} never began", hint="start it again: nothing was touched")
    rebooted = context.entries[-1].stamp.boot != clock.boot_id()
    if rebooted:
        context.deadline_ns = clock.monotonic_ns() + 3600 * NANOSECONDS
    finished = any(entry.kind is Kind.RUN_ENDED for entry in context.entries)
    if finished and not state.undoables:
        raise UsageError(f"run {row.run} has ended", hint=f"`drillmark show {row.run}` shows its result")
    context.epoch = max(undo.read_epoch(paths.epoch), row.epoch) + 1
    undo.write_epoch(paths.epoch, context.epoch)
    context.store.raise_epoch(row.run, context.epoch)
    _know_variables(context)
    return context


def _import(hands: Hands) -> None:
    """Bring what happened meanwhile into the journal, and end what must not go on."""
    context = hands.context
    away_from = _last_sign_of_life(context)
    context.journal(
        Kind.RESUMED,
        {
            "epoch": context.epoch,
            "absent_from": away_from.as_json() if away_from else None,
            "absent_to": clock.now().as_json(),
        },
        sentence="the run is taken up again",
    )
    observing.end_orphans(hands, ("chaos", "worker", "read_back"))
    known = sum(entry.kind is Kind.GUARD for entry in context.entries)
    for line in files.read_json_lines(context.paths.guard_log)[known:]:
        context.journal(Kind.GUARD, line, sentence=f"guard: {line.get('what', '')}")
    if context.entries[0].stamp.boot != clock.boot_id():
        context.journal(Kind.ABORT, {"by": "runner", "reason": "the machine was restarted"})
    injected = last(context.entries, Effect.INJECT)
    if injected is None:
        _begin_anew(hands)
        return
    if injected.outcome is None:
        events = read_events(context.paths.events)
        faulting.journal_injection(hands, injected.attempt, events, alive=False)
    guard = context.undo_state.child("guard")
    acted = any(entry.kind is Kind.GUARD for entry in context.entries)
    if context.undo_state.undoables and not acted and (guard is None or not processes.is_alive(guard.identity)):
        context.event("guard_gone", voided=[Effect.GUARD])
    hands.pulse.watched = _still_observing(context)


def _begin_anew(hands: Hands) -> None:
    """Nothing was injected: what was observed so far is kept aside and not judged."""
    context = hands.context
    observing.end_orphans(hands, (*_OBSERVERS, "guard"))
    faulting.drop_prepared(hands)
    aside = context.paths.directory / "samples" / f"before-epoch-{context.epoch}"
    aside.mkdir(mode=0o700, exist_ok=True)
    for name in ("beats", "load", "load-users"):
        with contextlib.suppress(FileNotFoundError):
            context.paths.sample(name).rename(aside / f"{name}.dms")
    context.event("begun_anew", voided=list(_ANEW))


def _undo_what_is_left(hands: Hands) -> None:
    """The run has ended, but its undo had failed: try once more."""
    context = hands.context
    observing.end_orphans(hands, ("chaos", "worker", "guard"))
    bad: list[str] = []
    for undoable in reversed(context.undo_state.undoables):
        bad += _failures(faulting.undo_from(context.paths, undoable))
    if bad:
        raise RefusedError(
            f"the fault of run {context.run} still cannot be undone: {'; '.join(bad)}",
            hint="undo it by hand, then run this again",
        )
    context.write_undo(UndoState(context.run))
    context.journal(Kind.UNDONE, {"experiment": "all", "after_end": True}, sentence="the fault is undone")
    export_journal(context)


def _refuse_if_driven(paths: RunPaths) -> None:
    lease = files.read_json(paths.lease) or {}
    runner = lease.get("runner") or {}
    if not runner or lease.get("boot") != clock.boot_id():
        return
    identity = processes.ProcessIdentity(int(runner["pid"]), str(runner["start"]))
    if processes.is_alive(identity) and identity.pid != os.getpid():
        raise RefusedError(
            f"the run is being driven by process {identity.pid}",
            hint="wait for it, or stop it with `drillmark abort`",
        )


def _open_journal(workspace: WorkspacePaths, paths: RunPaths, row: RunRow, state: UndoState) -> JournalStore:
    """The journal; where it cannot be read, everything in the undo file is undone before the error goes on."""
    store: JournalStore | None = None
    try:
        store = JournalStore(workspace.journal)
        store.read(row.run)
    except JournalError:
        if store is not None:
            store.close()
        _undo_from_file_alone(paths, state)
        raise
    return store


def _undo_from_file_alone(paths: RunPaths, state: UndoState) -> None:
    for role in ("guard", "chaos", "worker", *_OBSERVERS, "read_back"):
        child = state.child(role)
        if child is not None:
            processes.end(child.identity, group=True, grace_seconds=1.0)
    bad = [text for undoable in reversed(state.undoables) for text in _failures(faulting.undo_from(paths, undoable))]
    if not bad:
        paths.undo.unlink(missing_ok=True)


def _failures(outcomes: list[ActivityOutcome]) -> list[str]:
    return [f"{one.name}: {one.error or one.status}" for one in outcomes if one.status != Status.SUCCEEDED]


def _last_sign_of_life(context: Context) -> Stamp | None:
    lease = files.read_json(context.paths.lease) or {}
    now = clock.now()
    last_stamp = context.entries[-1].stamp
    if lease.get("boot") != now.boot or "renewed_ns" not in lease:
        return last_stamp
    renewed = max(int(lease["renewed_ns"]), last_stamp.monotonic_ns if last_stamp.same_clock(now) else 0)
    return Stamp(renewed, now.wall_ns - (now.monotonic_ns - renewed), now.host, now.boot)


def _know_variables(context: Context) -> None:
    injected = last(context.entries, Effect.INJECT)
    if injected is not None:
        faulting.know_fault(context, injected.intent.stamp, str(injected.intent.data.get("fault_position", "")))


def _still_observing(context: Context) -> set[str]:
    over = {
        "markers": (Effect.READ_BACK, Effect.STOP_OBSERVERS),
        "prober": (Effect.STOP_OBSERVERS,),
        "load": (Effect.STOP_LOAD, Effect.STOP_OBSERVERS),
    }
    dead = {entry.data.get("what") for entry in context.entries if entry.kind is Kind.EVENT}
    return {
        role
        for role in _OBSERVERS
        if context.undo_state.child(role) is not None
        and f"{role}_died" not in dead
        and not any(last(context.entries, effect) for effect in over[role])
    }
