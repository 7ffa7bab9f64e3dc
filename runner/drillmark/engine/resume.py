"""Takes a run up again after its runner was lost. What happens then is the crash table, by `decide`.

First, always: the exclusive lock (which waits for a guard at work), a new epoch, the lease; then the experiment's
child is ended, its event log and the guard's log are imported, observers and load are adopted.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from drillmark import clock, files, processes, runs, undo
from drillmark.chaos.events import read_events
from drillmark.chaos.undo import begun, failures
from drillmark.decide import stops
from drillmark.engine import handing_in, injecting, left_over, permission, simulating, taking_up, undoing
from drillmark.engine.concluding import export_journal, make_up_for_export
from drillmark.engine.context import ALERTS_URL, Context
from drillmark.engine.hands import Hands
from drillmark.engine.interruption import signals_wait
from drillmark.engine.locks import Everywhere, FileLock, TargetLock
from drillmark.engine.loop import drive
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.pulse import Pulse
from drillmark.engine.start import RunEnded, ended, lock_targets
from drillmark.engine.unjournalled import undo_without_journal
from drillmark.engine.view import SilentView, View
from drillmark.errors import JournalError, RefusedError, StaleEpochError, UsageError
from drillmark.journal.entries import last, run_ended
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow, Store
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.stamp import NANOSECONDS
from drillmark.undo import UndoState

_GUARD_AT_WORK_SECONDS = 600.0


def resume(
    root: Path,
    row: RunRow,
    *,
    view: View | None = None,
    prepare: Callable[[], None] = lambda: None,
    everywhere: Everywhere | None = None,
    by_hand: str = "",
) -> RunEnded:
    """Go on with a run whose runner is gone, and end it.

    `prepare` is called once it is clear that there is something to do (to bring up the lab, say); `everywhere` locks
    targets on other machines too. `by_hand` is who undid by hand what an ended run left; that is believed.

    Raises RefusedError where its runner lives, or what it left is not undone; UsageError where it was imported, has
    ended and nothing is in effect, or somebody undid it by hand and it has not ended; and JournalError where the
    journal cannot be read: everything in the undo file has then been undone.
    """
    workspace = WorkspacePaths(root)
    paths = RunPaths(root / row.directory)
    _refuse_if_driven(paths)
    lock = FileLock(paths.lock)
    if not lock.acquire(exclusive=True, wait_seconds=_GUARD_AT_WORK_SECONDS):
        raise RefusedError(f"somebody else has run {row.run} in hand", hint="wait for it to end")
    locks: list[TargetLock] = []
    try:
        # While this one waited for the lock, another resume may have begun to drive.
        _refuse_if_driven(paths)
        with _letting_go(everywhere, row.run):
            context = _open(workspace, paths, lock, row, view or SilentView(), by_hand=by_hand)
        if by_hand and not _finished(context):
            context.store.close()
            raise UsageError(
                f"run {row.run} has not ended: it undoes by itself what may be in effect",
                hint=f"`drillmark resume {row.run}` first, without --undone-by-hand",
            )
        if not _finished(context):
            lock_targets(locks, workspace, context.plan, row.run)
        if everywhere is not None:
            everywhere.take(row.run, context.plan, is_over=_finished(context))
        prepare()
        _take_over(context, row)
        hands = Hands(context, Pulse(context, undoing.undo_seconds(context.undo_state)))
        try:
            with hands.pulse.signals():
                if _finished(context):
                    handing_in.hand_in(context)
                    if context.undo_state.undoables:
                        left_over.undo(hands, by_hand=by_hand)
                    export_journal(context.paths, context.entries)
                    return ended(context)
                away_from = taking_up.last_sign_of_life(context)  # our own lease would be one
                hands.pulse.renew_lease()
                taking_up.bring_in(hands, away_from)
                _ask_again(hands)
                lock.release()
                drive(hands)
        except (StaleEpochError, UsageError, RefusedError):
            raise
        except BaseException:
            with signals_wait():
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


@contextmanager
def _letting_go(everywhere: Everywhere | None, run: str) -> Generator[None]:
    """Where there is nothing to resume, let go of the targets that the run holds on all machines all the same.

    Its runner may have been lost, or the database away, in the moment before it did so itself.
    """
    try:
        yield
    except UsageError as error:
        if everywhere is None or everywhere.take_up(run) is None:
            raise
        raise UsageError(f"{error}; the targets that it still held are let go", hint=error.hint) from error


def _open(
    workspace: WorkspacePaths, paths: RunPaths, lock: FileLock, row: RunRow, view: View, *, by_hand: str
) -> Context:
    """What is known of the run; nothing is changed yet.

    Where journal or plan cannot be read although something may be in effect, that is undone before the error goes on,
    unless somebody undid it by hand.
    """
    state = undo.read(paths.undo) or UndoState(row.run)
    store: Store | None = None
    try:
        store = open_store(workspace)
        digest = hashlib.sha256()
        entries = store.read(row.run, digest=digest)
        if not entries and not state.undoables:
            _take_away(paths, store, row.run)
            raise UsageError(
                f"run {row.run} never began; what it left is taken away", hint="start it again: nothing was touched"
            )
        _refuse_if_imported(row, entries)
        plan = runs.read_plan(paths.directory)
        if not entries and state.undoables:
            raise JournalError(f"the journal has nothing of run {row.run}, and its undo file has")
    except (JournalError, UsageError) as error:
        if store is not None:
            store.close()
        if not state.undoables or by_hand:
            raise
        _undo_from_file_alone(paths, state)
        raise JournalError(f"{error}; what stood in the undo file is undone", hint=error.hint) from error
    finished = run_ended(entries) is not None
    state = _as_others_left_it(store, paths, row, state)
    if finished and not state.undoables and not handing_in.missing(paths, entries):
        store.close()
        make_up_for_export(paths, entries)
        raise UsageError(f"run {row.run} has ended", hint=f"`drillmark show {row.run}` shows its result")
    context = Context(
        run=row.run,
        plan=plan,
        workspace=workspace,
        paths=paths,
        store=store,
        lock=lock,
        view=view,
        epoch=0,
        deadline_ns=_deadline(paths, entries[0]),
        undo_state=state,
        entries=list(entries),
        variables={"drillmark_run": row.run},
        stored=(len(entries), digest.hexdigest()),
    )
    # They stay to the end: what looks for garbage need not walk over a hundred thousand again and again.
    gc.freeze()
    for entry in context.entries:
        if entry.kind is Kind.EVENT and entry.data.get("what") == "alerts_received_at":
            context.variables[ALERTS_URL] = str(entry.data.get("url", ""))
    injected = last(context.entries, Effect.INJECT)
    if injected is not None:
        simulating.know_source(context, injected.intent)
        injecting.know_fault(context, injected.intent.stamp, str(injected.intent.data.get("fault_position", "")))
    return context


def _as_others_left_it(store: Store, paths: RunPaths, row: RunRow, state: UndoState) -> UndoState:
    """The undo file; but where a worker elsewhere took the run over meanwhile, what that one has left to undo.

    What it undid must not be undone again from here: the target may be another drill's by now.
    """
    epoch = store.epoch_of(row.run)
    if epoch <= undo.read_epoch(paths.epoch):
        return state
    kept = store.kept_undo(row.run)
    if kept is None:
        return state
    there = replace(undo.from_text(kept), children=state.children)
    undo.write(paths.undo, there)
    return there


def _take_away(paths: RunPaths, store: Store, run: str) -> None:
    """Take a run that never began off the list, and its directory away, unless that is a copy of one that did.

    A runner that is just about to begin it cannot any more: its first entry needs the run on the list.
    """
    store.forget(run)
    if not (paths.journal.exists() or paths.result.exists() or begun(read_events(paths.events))):
        shutil.rmtree(paths.directory, ignore_errors=True)


def _take_over(context: Context, row: RunRow) -> None:
    """From here on nobody else may act for this run."""
    theirs = context.store.epoch_of(row.run)
    context.epoch = max(undo.read_epoch(context.paths.epoch), row.epoch, theirs) + 1
    undo.write_epoch(context.paths.epoch, context.epoch)
    context.store.raise_epoch(row.run, context.epoch)
    context.copy_undo()


def _ask_again(hands: Hands) -> None:
    """Where nothing had begun, whatever the run rested on may have ended since: it is asked for anew."""
    context = hands.context
    stopped = any(entry.kind is Kind.ABORT for entry in context.entries)
    if not stopped and not stops.may_be_in_effect(context.entries) and not permission.may_begin(context):
        hands.pulse.stopped_already()


def _finished(context: Context) -> bool:
    return run_ended(context.entries) is not None


def _deadline(paths: RunPaths, started: Entry) -> int:
    """When the run must be over: as its guard was told, else counted from its start; anew after a reboot."""
    total_ns = round(float(started.data.get("deadline_seconds", taking_up.DEADLINE_SECONDS)) * NANOSECONDS)
    if started.stamp.boot != clock.boot_id():
        return clock.monotonic_ns() + total_ns
    guard = files.read_object(paths.guard_config)
    return int(guard.get("deadline_ns", started.stamp.monotonic_ns + total_ns))


def _refuse_if_imported(row: RunRow, entries: tuple[Entry, ...]) -> None:
    """Whatever is missing in its journal, it was not begun here, and is not to be played here."""
    if entries and entries[0].data.get("imported"):
        raise UsageError(
            f"run {row.run} was imported: it was played elsewhere, and is over",
            hint=f"`drillmark show {row.run}` shows what is there of it",
        )


def _refuse_if_driven(paths: RunPaths) -> None:
    lease = files.read_object(paths.lease)
    identity = processes.told(lease.get("runner"))
    if identity is None or lease.get("boot") != clock.boot_id():
        return
    if processes.is_alive(identity) and identity.pid != os.getpid():
        raise RefusedError(
            f"the run is being driven by process {identity.pid}",
            hint="wait for it, or stop it with `drillmark abort`",
        )


def _undo_from_file_alone(paths: RunPaths, state: UndoState) -> None:
    """Undo by U and E alone, with nothing else to go by. Signals wait meanwhile; the guard goes last."""
    with signals_wait():
        _end(state, ("chaos", "worker"))
        if failures(undoing.undo_left(paths, state.undoables)):
            return
        _end(state, ("guard", *undo.OBSERVERS))
        paths.undo.unlink(missing_ok=True)


def _end(state: UndoState, roles: tuple[str, ...]) -> None:
    for child in state.of(roles):
        processes.end(child.identity, group=True, grace_seconds=1.0)
