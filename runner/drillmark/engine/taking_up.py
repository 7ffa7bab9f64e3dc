"""Brings what happened while no runner was there into the journal, and ends what must not go on.

The experiment's child is ended, the guard's log and the experiment's event log are imported; observers and load are
adopted, or begun anew where nothing had been injected.
"""

from __future__ import annotations

import contextlib

from drillmark import clock, files, processes
from drillmark.chaos.events import read_events
from drillmark.decide.stops import guard_has_acted, may_be_in_effect
from drillmark.engine import children, injecting, simulating
from drillmark.engine.context import Context
from drillmark.engine.hands import Hands
from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Kind, Status
from drillmark.model.stamp import NANOSECONDS, Stamp

# How long a run may take whose first entry does not say.
DEADLINE_SECONDS = 3600.0
OBSERVERS = ("prober", "side", "markers", "positions", "load", "guards", "alerts")
# What begins anew where nothing had been injected yet.
_ANEW = (
    Effect.PREFLIGHT, Effect.GUARD, Effect.OBSERVERS, Effect.LOAD, Effect.PREPARE, Effect.BASELINE, Effect.SIDE,
)  # fmt: skip


def bring_in(hands: Hands) -> None:
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
        float(context.entries[0].data.get("deadline_seconds", DEADLINE_SECONDS)) * NANOSECONDS
    )
    children.end_orphans(hands, (*OBSERVERS, "guard"))
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
    context.event("begun_anew", voided=list(_ANEW))


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
        for child in context.undo_state.of(OBSERVERS)
        if (f"{child.kind}_died", child.role.partition("-")[2]) not in dead
        and not any(last(context.entries, effect) for effect in over[child.kind])
    }
