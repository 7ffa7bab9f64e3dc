"""Takes a run up again after its runner was lost. What happens then is the crash table, by `decide`.

First, always: the exclusive lock (which waits for a guard at work), a new epoch, the lease; then the experiment's
child is ended, its event log and the guard's log are imported, observers and load are adopted.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from drillmark import clock, files, processes, runs, undo
from drillmark.chaos.activities import ActivityOutcome
from drillmark.chaos.events import read_events
from drillmark.decide.stops import guard_has_acted, may_be_in_effect
from drillmark.engine import children, injecting, simulating, undoing
from drillmark.engine.concluding import export_journal
from drillmark.engine.context import ALERTS_URL, Context
from drillmark.engine.hands import Hands
from drillmark.engine.interruption import signals_wait
from drillmark.engine.locks import FileLock, TargetLock
from drillmark.engine.loop import drive
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.pulse import Pulse
from drillmark.engine.start import RunEnded, ended, lock_targets, undo_without_journal
from drillmark.engine.view import SilentView, View
from drillmark.errors import JournalError, RefusedError, StaleEpochError, UsageError
from drillmark.journal.entries import last
from drillmark.journal.store import JournalStore, RunRow
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import UndoState

_GUARD_AT_WORK_SECONDS = 600.0
_DEADLINE_SECONDS = 3600.0
# What begins anew where nothing had been injected yet.
_ANEW = (
    Effect.PREFLIGHT, Effect.GUARD, Effect.OBSERVERS, Effect.LOAD, Effect.PREPARE, Effect.BASELINE, Effect.SIDE,
)  # fmt: skip
_OBSERVERS = ("prober", "side", "markers", "positions", "load", "guards", "alerts")


def resume(
    root: Path, row: RunRow, *, view: View | None = None, prepare: Callable[[], None] = lambda: None
) -> RunEnded:
    """Go on with a run whose runner is gone, and end it.

    `prepare` is called once it is clear that there is something to do (to bring up the lab, say).

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
        # While this one waited for the lock, another resume may have begun to drive.
        _refuse_if_driven(paths)
        context = _open(workspace, paths, lock, row, view or SilentView())
        if not _finished(context):
            lock_targets(locks, workspace, context.plan, row.run)
        prepare()
        _take_over(context, row)
        hands = Hands(context, Pulse(context, undoing.undo_seconds(context.undo_state)))
        try:
            with hands.pulse.signals():
                if _finished(context):
                    _undo_what_is_left(hands)
                    return ended(context)
                hands.pulse.renew_lease()
                _import(hands)
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


def _open(workspace: WorkspacePaths, paths: RunPaths, lock: FileLock, row: RunRow, view: View) -> Context:
    """What is known of the run; nothing is changed yet.

    Where journal or plan cannot be read although something may be in effect, that is undone before the error goes on.
    """
    state = undo.read(paths.undo) or UndoState(row.run)
    store: JournalStore | None = None
    try:
        store = JournalStore(workspace.journal)
        entries = store.read(row.run)
        plan = runs.read_plan(paths.directory)
        if not entries and state.undoables:
            raise JournalError(f"the journal has nothing of run {row.run}, and its undo file has")
    except (JournalError, UsageError) as error:
        if store is not None:
            store.close()
        if not state.undoables:
            raise
        _undo_from_file_alone(paths, state)
        raise JournalError(f"{error}; what stood in the undo file is undone", hint=error.hint) from error
    finished = any(entry.kind is Kind.RUN_ENDED for entry in entries)
    if not entries or (finished and not state.undoables):
        store.close()
        if finished:
            raise UsageError(f"run {row.run} has ended", hint=f"`drillmark show {row.run}` shows its result")
        raise UsageError(f"run {row.run} never began", hint="start it again: nothing was touched")
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
    )
    for entry in context.entries:
        if entry.kind is Kind.EVENT and entry.data.get("what") == "alerts_received_at":
            context.variables[ALERTS_URL] = str(entry.data.get("url", ""))
    injected = last(context.entries, Effect.INJECT)
    if injected is not None:
        simulating.know_source(context, injected.intent)
        injecting.know_fault(context, injected.intent.stamp, str(injected.intent.data.get("fault_position", "")))
    return context


def _take_over(context: Context, row: RunRow) -> None:
    """From here on nobody else may act for this run."""
    context.epoch = max(undo.read_epoch(context.paths.epoch), row.epoch) + 1
    undo.write_epoch(context.paths.epoch, context.epoch)
    context.store.raise_epoch(row.run, context.epoch)


def _finished(context: Context) -> bool:
    return any(entry.kind is Kind.RUN_ENDED for entry in context.entries)


def _deadline(paths: RunPaths, started: Entry) -> int:
    """When the run must be over: as its guard was told, else counted from its start; anew after a reboot."""
    total_ns = round(float(started.data.get("deadline_seconds", _DEADLINE_SECONDS)) * NANOSECONDS)
    if started.stamp.boot != clock.boot_id():
        return clock.monotonic_ns() + total_ns
    guard = files.read_json(paths.guard_config) or {}
    return int(guard.get("deadline_ns", started.stamp.monotonic_ns + total_ns))


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
    children.end_orphans(hands, ("chaos", "worker", "read_back"))
    known = sum(entry.kind is Kind.GUARD for entry in context.entries)
    for line in files.read_json_lines(context.paths.guard_log)[known:]:
        context.journal(Kind.GUARD, line, sentence=f"guard: {line.get('what', '')}")
    if context.entries[0].stamp.boot != clock.boot_id():
        context.journal(Kind.ABORT, {"by": "runner", "reason": "the machine was restarted"})
    if _undone_unseen(context):
        reason = "an earlier runner, or the guard, undid the fault and could not journal it"
        context.journal(Kind.ABORT, {"by": "runner", "reason": reason})
    if any(entry.kind is Kind.ABORT for entry in context.entries) or guard_has_acted(context.entries):
        hands.pulse.stopped_already()
    injected = last(context.entries, Effect.INJECT)
    if injected is None:
        _begin_anew(hands)
        return
    if injected.outcome is None and context.plan.simulated:
        simulating.journal_declaration(context, injected.attempt, injected.intent.stamp)
    elif injected.outcome is None:
        events = read_events(context.paths.events)
        injecting.journal_injection(hands, injected.attempt, events, alive=False)
    guard = context.undo_state.child("guard")
    acted = guard_has_acted(context.entries)
    if context.undo_state.undoables and not acted and (guard is None or not processes.is_alive(guard.identity)):
        context.event("guard_gone", voided=[Effect.GUARD])
    _void_what_is_done_again(context)
    hands.pulse.watched.update(_still_observing(context))


def _undone_unseen(context: Context) -> bool:
    """Whether U says that nothing is in effect, and the journal does not know why: what was measured since is void."""
    known = any(entry.kind is Kind.UNDONE for entry in context.entries) or guard_has_acted(context.entries)
    return may_be_in_effect(context.entries) and not context.undo_state.undoables and not known


def _void_what_is_done_again(context: Context) -> None:
    """Verifications are all made again, if the run had not gone on from them; so is a proof that U does not know."""
    after_verify = Effect.SOAK if context.plan.recovers else Effect.READ_BACK
    verified = any(entry.effect is Effect.VERIFY for entry in context.entries)
    if verified and last(context.entries, after_verify) is None:
        context.event("verified_anew", voided=[Effect.VERIFY])
    proved = last(context.entries, Effect.PROVE_UNDONE)
    if context.undo_state.undoables and proved is not None and proved.status not in ("", Status.FAILED):
        context.event("undone_still_in_undo_file", voided=[Effect.PROVE_UNDONE])


def _begin_anew(hands: Hands) -> None:
    """Nothing was injected: what was observed so far is kept aside and not judged."""
    context = hands.context
    context.deadline_ns = clock.monotonic_ns() + round(
        float(context.entries[0].data.get("deadline_seconds", _DEADLINE_SECONDS)) * NANOSECONDS
    )
    children.end_orphans(hands, (*_OBSERVERS, "guard"))
    injecting.drop_prepared(hands)
    aside = context.paths.directory / "samples" / f"before-epoch-{context.epoch}"
    aside.mkdir(mode=0o700, exist_ok=True)
    for name in ("beats", "side", "load", "load-users"):
        with contextlib.suppress(FileNotFoundError):
            context.paths.sample(name).rename(aside / f"{name}.dms")
    with contextlib.suppress(FileNotFoundError):
        context.paths.alerts.rename(aside / context.paths.alerts.name)
    context.event("begun_anew", voided=list(_ANEW))


def _undo_what_is_left(hands: Hands) -> None:
    """The run has ended, but its undo had failed: try once more."""
    context = hands.context
    children.end_orphans(hands, ("chaos", "worker"))
    bad: list[str] = []
    for undoable in reversed(context.undo_state.undoables):
        bad += _failures(undoing.undo_from(context.paths, undoable))
    if bad:
        raise RefusedError(
            f"the fault of run {context.run} still cannot be undone: {'; '.join(bad)}",
            hint="undo it by hand, then run this again",
        )
    children.end_orphans(hands, ("guard",))
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


def _undo_from_file_alone(paths: RunPaths, state: UndoState) -> None:
    """Undo by U and E alone, with nothing else to go by. Signals wait meanwhile; the guard goes last."""
    with signals_wait():
        _end(state, ("chaos", "worker"))
        outcomes = [undoing.undo_from(paths, undoable) for undoable in reversed(state.undoables)]
        if any(_failures(some) for some in outcomes):
            return
        _end(state, ("guard", *_OBSERVERS, "read_back"))
        paths.undo.unlink(missing_ok=True)


def _end(state: UndoState, roles: tuple[str, ...]) -> None:
    for child in state.of(roles):
        processes.end(child.identity, group=True, grace_seconds=1.0)


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


def _still_observing(context: Context) -> set[str]:
    over = {
        "markers": (Effect.READ_BACK, Effect.STOP_OBSERVERS),
        "prober": (Effect.STOP_OBSERVERS,),
        "alerts": (Effect.STOP_OBSERVERS,),
        "side": (Effect.STOP_OBSERVERS,),
        "positions": (Effect.STOP_OBSERVERS,),
        "load": (Effect.STOP_LOAD, Effect.STOP_OBSERVERS),
        "guards": (Effect.UNDO, Effect.STOP_OBSERVERS),
    }
    dead = {
        (str(entry.data.get("what")), str(entry.data.get("writer", "")))
        for entry in context.entries
        if entry.kind is Kind.EVENT
    }
    return {
        child.role
        for child in context.undo_state.of(_OBSERVERS)
        if (f"{child.kind}_died", child.role.partition("-")[2]) not in dead
        and not any(last(context.entries, effect) for effect in over[child.kind])
    }
