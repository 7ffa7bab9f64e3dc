"""Brings what happened while no runner was there into the journal, and ends what must not go on.

The experiment's child is ended, the guard's log and the experiment's event log are imported; observers and load are
adopted, or begun anew where nothing had been injected.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from drillmark import clock, files, processes, undo
from drillmark.chaos.events import read_events
from drillmark.chaos.undo import begun
from drillmark.decide import resuming
from drillmark.decide.resuming import guard_has_acted, guard_has_undone
from drillmark.decide.stops import may_be_in_effect
from drillmark.engine import children, handing_in, injecting, simulating, undoing
from drillmark.engine.context import Context
from drillmark.engine.hands import Hands
from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Kind
from drillmark.model.stamp import NANOSECONDS, Stamp

# How long a run may take whose first entry does not say.
DEADLINE_SECONDS = 3600.0
# What ends an observer in the ordinary course: after that, its end is no event.
OVER = dict.fromkeys(undo.DIED, (Effect.STOP_OBSERVERS,)) | {
    "markers": (Effect.READ_BACK, Effect.STOP_OBSERVERS),
    "load": (Effect.STOP_LOAD, Effect.STOP_OBSERVERS),
    "guards": (Effect.UNDO, Effect.STOP_OBSERVERS),
}


def bring_in(hands: Hands, away_from: Stamp) -> None:
    """Bring what happened meanwhile into the journal, and end what must not go on.

    `away_from` is the last sign of life of the runner before this one.
    """
    context = hands.context
    context.journal(
        Kind.RESUMED,
        {
            "epoch": context.epoch,
            "absent_from": away_from.as_json(),
            "absent_to": clock.now().as_json(),
        },
        sentence="the run is taken up again",
    )
    children.end_orphans(hands, ("chaos", "worker", "read_back"))
    known = sum(entry.kind is Kind.GUARD for entry in context.entries)
    for line in files.read_json_lines(context.paths.guard_log)[known:]:
        context.journal(Kind.GUARD, line)
    handing_in.hand_in(context)
    if context.entries[0].stamp.boot != clock.boot_id():
        context.journal(Kind.ABORT, {"by": "runner", "reason": "the machine was restarted"})
    if _undone_unseen(context):
        reason = "an earlier runner, or the guard, undid the fault and could not journal it"
        context.journal(Kind.ABORT, {"by": "runner", "reason": reason})
    if any(entry.kind is Kind.ABORT for entry in context.entries) or guard_has_acted(context.entries):
        hands.pulse.stopped_already()
    if guard_has_undone(context.entries) and context.undo_state.undoables:
        context.write_undo(replace(context.undo_state, undoables=()))
    if not _import_injection(hands):
        _begin_anew(hands)
        return
    guard = context.undo_state.child("guard")
    acted = guard_has_acted(context.entries)
    if context.undo_state.undoables and not acted and (guard is None or not processes.is_alive(guard.identity)):
        context.event("guard_gone", voided=[Effect.GUARD])
    for one in resuming.done_again(context.plan, context.entries, in_undo_file=bool(context.undo_state.undoables)):
        context.event(one.what, voided=list(one.effects))
    hands.pulse.watched.update(_still_observing(context))


def _import_injection(hands: Hands) -> bool:
    """Journal what the event log knows of the injection and the journal does not. False: nothing was injected."""
    context = hands.context
    events = read_events(context.paths.events)
    if resuming.begins_anew(context.entries, began=begun(events)):
        return False
    if resuming.has_forgotten(context.entries, began=begun(events)):
        context.journal(Kind.ABORT, {"by": "runner", "reason": resuming.FORGOTTEN}, sentence=resuming.FORGOTTEN)
        hands.pulse.stopped_already()
        context.intent(Effect.INJECT, "", 1)
    injected = last(context.entries, Effect.INJECT)
    if injected is not None and injected.outcome is None and context.plan.simulated:
        simulating.journal_declaration(context, injected.attempt, injected.intent.stamp)
    elif injected is not None and injected.outcome is None:
        injecting.journal_injection(hands, injected.attempt, events, alive=False)
    return True


def _undone_unseen(context: Context) -> bool:
    """Whether U says that nothing is in effect, and the journal does not know why: what was measured since is void."""
    known = any(entry.kind is Kind.UNDONE for entry in context.entries) or guard_has_acted(context.entries)
    return may_be_in_effect(context.entries) and not context.undo_state.undoables and not known


def _begin_anew(hands: Hands) -> None:
    """Nothing was injected, as far as is known: what was observed so far is kept aside and not judged.

    What only U tells may have begun all the same, and the journal have lost it: it is undone before U is emptied.
    """
    context = hands.context
    undoing.undo_unlogged(hands)
    context.deadline_ns = clock.monotonic_ns() + round(
        float(context.entries[0].data.get("deadline_seconds", DEADLINE_SECONDS)) * NANOSECONDS
    )
    children.end_orphans(hands, (*undo.OBSERVERS, "guard"))
    injecting.drop_prepared(hands)
    aside = context.paths.directory / "samples" / f"before-epoch-{context.epoch}"
    aside.mkdir(mode=0o700, exist_ok=True)
    for name in ("beats", "side", "load", "load-users"):
        with contextlib.suppress(FileNotFoundError):
            context.paths.sample(name).rename(aside / f"{name}.dms")
    told = [context.paths.alerts, context.paths.child("load", "events.jsonl")]
    for path in (*told, *context.paths.load_parts()):
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside / path.name)
    context.event("begun_anew", voided=list(resuming.BEFORE_THE_FAULT))


def last_sign_of_life(context: Context) -> Stamp:
    """When the last runner was there for certain: by lease or entry. Ask before this one renews the lease."""
    lease = files.read_object(context.paths.lease)
    now = clock.now()
    last_stamp = context.entries[-1].stamp
    renewed = lease.get("renewed_ns")
    if lease.get("boot") != now.boot or type(renewed) is not int or renewed > now.monotonic_ns:
        return last_stamp
    renewed = max(renewed, last_stamp.monotonic_ns if last_stamp.same_clock(now) else 0)
    return Stamp(renewed, now.wall_ns - (now.monotonic_ns - renewed), now.host, now.boot)


def _still_observing(context: Context) -> set[str]:
    """The roles whose end is still an event: those that are not over, and not known to be dead.

    Guards that nobody watches must stop the run. Where the runner died between noting that their watcher had ended and
    the abort, it is noticed again.
    """
    aborting = any(entry.kind is Kind.ABORT for entry in context.entries)
    dead = {
        (str(entry.data.get("what")), str(entry.data.get("writer", "")))
        for entry in context.entries
        if entry.kind is Kind.EVENT and (aborting or entry.data.get("what") != undo.DIED["guards"])
    }
    return {
        child.role
        for child in context.undo_state.of(OVER)
        if (undo.DIED[child.kind], child.role.partition("-")[2]) not in dead
        and not any(last(context.entries, effect) for effect in OVER[child.kind])
    }
