"""Performs the fault's end: every rollback, in file order, and the proof that the fault is gone.

The waiting child runs them; whatever its event log does not show as undone is undone from here. An undo must need
neither journal nor undo file to go on once it has begun.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from drillmark import clock
from drillmark.chaos import undo as chaos_undo
from drillmark.chaos.activities import ActivityOutcome
from drillmark.chaos.events import Event, Phase, What, read_events
from drillmark.chaos.undo import done, failures, limit_seconds, perform_undoable, seconds_each, undo_all, waived
from drillmark.decide import Decision
from drillmark.engine.context import Context
from drillmark.engine.hands import Hands
from drillmark.engine.paths import RunPaths
from drillmark.errors import RefusedError
from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Kind, Status
from drillmark.model.planned import PlannedActivity
from drillmark.undo import Undoable, UndoState

T = TypeVar("T")

GONE_SECONDS = 10.0
_HYPOTHESIS_SECONDS = 60.0
# From here on the child of a bare experiment undoes, or ends, by itself.
_UNDOES = {What.ROLLBACKS_STARTED, What.ROLLBACKS_WAIVED, What.FINISHED}


def undo_fault(hands: Hands, decision: Decision) -> None:
    """Undo the fault: every rollback, in file order, whatever happened to the others."""
    context = hands.context
    hands.pulse.watched.discard("guards")  # from here on they can stop nothing
    with hands.pulse.shielded(), context.performing():
        unchecked = _look_for_another_undo(hands) if decision.attempt == 1 else ""
        # In the intent: a runner that is killed in the middle of its first attempt leaves no outcome of it.
        context.intent(Effect.UNDO, "", decision.attempt, effect_unchecked=unchecked)
        started = clock.now()
        if decision.attempt == 1:
            _let_child_undo(hands)
        rollbacks = _rollbacks_done(context, succeeded_only=decision.attempt > 1)
        events = read_events(context.paths.events)
        hypothesis = _hypothesis_after(events)
        left = waived(events)
        finished = {rollback["index"] for rollback in rollbacks if rollback["status"] == Status.SUCCEEDED}
        for undoable in () if left else reversed(context.undo_state.undoables):

            def note(index: int, outcome: ActivityOutcome) -> None:
                rollbacks.append(_rollback(index, outcome))

            _undo_rest(hands, undoable, finished, note)
        latest = {rollback["index"]: rollback for rollback in rollbacks}
        bad = [f"{one['name']}: {one['error'] or one['status']}" for one in latest.values()
               if one["status"] != Status.SUCCEEDED]  # fmt: skip
        context.outcome(
            Effect.UNDO,
            "",
            decision.attempt,
            Status.FAILED if bad else Status.SUCCEEDED,
            started=started,
            ended=clock.now(),
            error="; ".join(bad),
            rollbacks=[latest[index] for index in sorted(latest)],
            deviated="missed" in hypothesis,
            hypothesis_unchecked="indeterminate" in hypothesis,
            waived=left,
            **played(events),
        )


def prove_undone(hands: Hands, decision: Decision) -> None:
    """Prove that the fault is gone, then take it out of the undo file and dismiss the guard.

    The experiment's own steady state must hold again, and the effect probe must say no: what holds while the fault is
    there as well proves nothing alone, and a probe that cannot be asked proves nothing at all.
    """
    context = hands.context
    fault = context.plan.fault
    assert fault is not None
    with hands.pulse.shielded():
        context.intent(Effect.PROVE_UNDONE, "", decision.attempt)
        problem = ""
        # A bare experiment is checked by its own hypothesis, when Chaos Toolkit does, and no more than that.
        hypothesis = {} if context.plan.bare else fault.experiment.get("steady-state-hypothesis", {})
        probes = hypothesis.get("probes", [])
        for probe in probes:
            planned = PlannedActivity(name=str(probe.get("name", "")), activity=probe)
            outcome = hands.ask_until(
                planned, GONE_SECONDS, until=lambda outcome: outcome.good, experiment=_resolved(context)
            )
            if not outcome.good and not problem:
                problem = f"{outcome.name} does not hold: {outcome.error or outcome.output}"
        problem = problem or still_in_effect(hands)
        undone = not problem and undo_succeeded(context)
        context.outcome(
            Effect.PROVE_UNDONE,
            "",
            decision.attempt,
            Status.FAILED if problem else Status.SUCCEEDED if probes or fault.effect else Status.SKIPPED,
            error=problem,
        )
        if undone:
            gone = {"experiment": fault.path, "proved": bool(probes or fault.effect)}
            context.journal(Kind.UNDONE, gone, sentence="the fault is gone")
            context.write_undo(replace(context.undo_state, undoables=()))


def still_in_effect(hands: Hands) -> str:
    """Ask the effect probe, where there is one, until it says no. Why the fault is not proved gone; else empty."""
    fault = hands.context.plan.fault
    if fault is None or fault.effect is None:
        return ""
    outcome = hands.ask_until(fault.effect, GONE_SECONDS, until=lambda outcome: outcome.answer is False)
    return f"{fault.effect.name} is still true" if outcome.answer else outcome.silence


def undo_seconds(state: UndoState) -> float:
    """How long the undo of all that stands in U may take at most."""
    limits = [limit_seconds(one.experiment, timeout_seconds_each=seconds_each(one)) for one in state.undoables]
    return max(chaos_undo.ROLLBACK_SECONDS, sum(limits))


def undo_left(paths: RunPaths, undoables: Sequence[Undoable]) -> list[ActivityOutcome]:
    """Run every rollback of these experiments that the run's event log does not show as succeeded."""
    return undo_all(undoables, run_dir=paths.directory, finished=done(read_events(paths.events)))


def undo_unlogged(hands: Hands) -> None:
    """Before a run begins anew: undo what may be in effect although no event log tells. Raises RefusedError.

    It stays in U, and its guard stays, until that has succeeded.
    """
    context = hands.context
    for undoable in [one for one in reversed(context.undo_state.undoables) if one.unlogged]:
        with hands.pulse.shielded():
            outcomes = _beside(hands, lambda undoable=undoable: undo_left(context.paths, [undoable]))
        bad = failures(outcomes)
        if bad:
            raise RefusedError(
                f"the {undoable.path} of run {context.run} cannot be undone: {'; '.join(bad)}",
                hint="mend what hinders it, then resume the run again",
            )


def _look_for_another_undo(hands: Hands) -> str:
    """The effect probe holds until the undo. Where it does not, somebody was quicker, and what was measured is void.

    Not where the drill recovers: a recovery may well take the effect away (deleted rows that are there again).
    Returns why nobody knows; empty where it is known, or need not be.
    """
    context = hands.context
    fault = context.plan.fault
    aborting = any(entry.kind is Kind.ABORT for entry in context.entries)
    if fault is None or fault.effect is None or context.plan.recovers or aborting or not _was_proved(context):
        return ""
    outcome = hands.ask_until(fault.effect, GONE_SECONDS, until=lambda outcome: outcome.answer is not None)
    if outcome.answer is False:
        reason = f"somebody undid the fault: {fault.effect.name} was not true any more when the undo began"
        context.journal(Kind.ABORT, {"by": "person", "reason": reason}, sentence=reason)
    return outcome.silence


def _was_proved(context: Context) -> bool:
    found = last(context.entries, Effect.PROVE_EFFECT)
    return found is not None and found.status == Status.SUCCEEDED


def _let_child_undo(hands: Hands) -> None:
    """Tell the waiting child to finish (or to undo at once), and wait for it, within the rollbacks' time."""
    context, child = hands.context, hands.child
    if child is None or not child.alive:
        return
    seen = {event.event for event in read_events(context.paths.events)}
    bare = context.plan.bare is not None
    if not seen & (_UNDOES if bare else {What.METHOD_COMPLETED}):
        # In the middle of its method it cannot be told anything; its rollbacks are run from here.
        child.kill()
        return
    if bare:
        limit = undo_seconds(context.undo_state)
        ends = {What.FINISHED, What.FAILED}
        # It is not waited for once it has nothing more to do.
        ended = False

        def is_over() -> bool:
            nonlocal ended
            ended = ended or any(event.event in ends for event in child.poll())
            return ended or not child.alive

        if not (seen & ends or hands.pulse.wait(limit, is_over)):
            child.kill()
        return
    aborting = any(entry.kind is Kind.ABORT for entry in context.entries)
    child.send("undo" if aborting else "finish")
    hypothesis = 0.0 if aborting else _HYPOTHESIS_SECONDS
    hands.pulse.wait(undo_seconds(context.undo_state) + hypothesis, lambda: not child.alive)
    child.kill()


def _undo_rest(
    hands: Hands, undoable: Undoable, finished: set[int], note: Callable[[int, ActivityOutcome], None]
) -> None:
    """Run the rollbacks that are left."""
    _beside(
        hands,
        lambda: perform_undoable(undoable, finished, run_dir=hands.context.paths.directory, on_outcome=note),
    )


def _beside(hands: Hands, work: Callable[[], T]) -> T:
    """Do what takes its time in a thread, while this one renews the lease and looks around."""
    results: list[T] = []
    errors: list[BaseException] = []

    def perform() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=perform, daemon=True)
    thread.start()
    hands.pulse.wait(None, lambda: not thread.is_alive())
    if errors:
        raise errors[0]
    return results[0]


def _resolved(context: Context) -> dict[str, Any] | None:
    """The experiment as it was resolved before the fault."""
    undoables = context.undo_state.undoables
    return undoables[0].experiment if undoables else None


def played(events: Sequence[Event]) -> dict[str, Any]:
    """How Chaos Toolkit itself ended the experiment, as an outcome tells it; nothing where it did not."""
    ends = [event for event in events if event.event == What.FINISHED]
    checks = [event for event in events if event.event == What.HYPOTHESIS_COMPLETED]
    told = {
        "strategy": next((event.status for event in events if event.event == What.STARTED), ""),
        "met": sorted({event.phase for event in checks if event.status == "met"}),
        "missed_during": any(event.phase == Phase.DURING and event.status != "met" for event in checks),
    }
    if not ends:
        return told
    return told | {"played": {"status": ends[-1].status, "deviated": bool(ends[-1].deviated)}}


def _hypothesis_after(events: Sequence[Event]) -> set[str]:
    """What became of the experiment's own hypothesis after the method: met, missed, indeterminate; or nothing."""
    return {
        str(event.status) for event in events if event.event == What.HYPOTHESIS_COMPLETED and event.phase == Phase.AFTER
    }


def _rollbacks_done(context: Context, *, succeeded_only: bool) -> list[dict[str, Any]]:
    """What earlier attempts, and the child's own event log, show of the rollbacks."""
    earlier = [
        rollback
        for entry in context.entries
        if entry.kind is Kind.OUTCOME and entry.effect is Effect.UNDO
        for rollback in entry.data.get("rollbacks", [])
        if rollback["status"] == Status.SUCCEEDED
    ]
    # A guard that was killed in the middle of its undo leaves the rest to us.
    by_guard = [
        {"index": int(entry.data["index"]), "name": str(entry.data.get("name", "")), "status": Status.SUCCEEDED,
         "error": "", "ended": entry.data.get("stamp")}
        for entry in context.entries
        if entry.kind is Kind.GUARD
        and entry.data.get("what") == "rollback" and entry.data.get("status") == Status.SUCCEEDED
    ]  # fmt: skip
    return (
        earlier
        + by_guard
        + [
            {
                "index": event.index,
                "name": event.name,
                "status": event.status or Status.INDETERMINATE,
                "error": event.error,
                "ended": event.stamp.as_json(),
            }
            for event in read_events(context.paths.events)
            if event.event == "activity_ended"
            and event.phase == "rollbacks"
            and (event.status == Status.SUCCEEDED or not succeeded_only)
        ]
    )


def _rollback(index: int, outcome: ActivityOutcome) -> dict[str, Any]:
    return {
        "index": index,
        "name": outcome.name,
        "status": outcome.status,
        "error": outcome.error,
        "started": outcome.started.as_json(),
        "ended": outcome.ended.as_json(),
        "output": outcome.output,
        "outside": True,  # not by the experiment's own child
    }


def undo_succeeded(context: Context) -> bool:
    """Whether the last attempt at the undo succeeded."""
    outcomes = [e for e in context.entries if e.kind is Kind.OUTCOME and e.effect is Effect.UNDO]
    return bool(outcomes) and outcomes[-1].data.get("status") == Status.SUCCEEDED
