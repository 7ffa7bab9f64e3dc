"""Performs the fault's life: prepare, inject, prove the effect, undo, prove that it is gone.

The undo file is written before the intent, the intent before the effect. Chaos Toolkit's child waits after its
method until it is told to finish; whatever its event log does not show as undone is undone from here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from drillmark import clock
from drillmark.chaos.activities import ActivityOutcome
from drillmark.chaos.events import Event, Phase, What, read_events
from drillmark.chaos.experiments import ExperimentChild
from drillmark.chaos.undo import done, limit_seconds
from drillmark.chaos.undo import perform as perform_undo
from drillmark.decide import Decision
from drillmark.engine import observing
from drillmark.engine.context import FAULT_BEGIN, FAULT_POSITION, Context
from drillmark.engine.hands import Hands
from drillmark.engine.moments import ended
from drillmark.engine.paths import RunPaths
from drillmark.errors import DrillmarkError
from drillmark.model.entry import Effect, Kind, Status
from drillmark.model.plan import PlannedActivity
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import Undoable, UndoState

T = TypeVar("T")

_READY_SECONDS = 60.0
_GONE_SECONDS = 10.0
_POLL_SECONDS = 0.05
ROLLBACK_SECONDS = 60.0


def prepare(hands: Hands, decision: Decision) -> None:
    """Resolve the configuration, write the undo file, make the experiment's child ready. Nothing begins."""
    context = hands.context
    fault = context.plan.fault
    assert fault is not None
    context.intent(Effect.PREPARE, "", decision.attempt)
    context.variables["drillmark_run"] = context.run
    problem = ""
    try:
        resolved = hands.resolve(fault.experiment)
        undoable = Undoable(fault.path, resolved, dict(context.variables))
        context.write_undo(replace(context.undo_state, undoables=(undoable,)))
        problem = _await_ready(hands, _hand_over(hands, resolved))
    except DrillmarkError as error:
        problem = str(error)
    context.outcome(Effect.PREPARE, "", decision.attempt, Status.FAILED if problem else Status.SUCCEEDED, error=problem)


def inject(hands: Hands, decision: Decision) -> None:
    """Let the experiment's method run, once, up to its end."""
    context = hands.context
    child = hands.child
    assert child is not None
    position = _fault_position(hands)
    with context.performing():
        intent = context.intent(Effect.INJECT, "", decision.attempt, fault_position=position)
        know_fault(context, intent.stamp, position)
        child.send("go")
        events: list[Event] = []
        hands.pulse.wait(None, lambda: _method_over(child, events))
        late = [event.name for event in child.overdue()]
        if late:
            child.kill()
        journal_injection(hands, decision.attempt, read_events(context.paths.events), alive=child.alive, late=late)


def journal_injection(
    hands: Hands, attempt: int, events: list[Event], *, alive: bool, late: Sequence[str] = ()
) -> None:
    """Journal what the event log says of the method. Used after a crash as well, on what is there."""
    context = hands.context
    fault = context.plan.fault
    assert fault is not None
    ended_ones = [event for event in events if event.event == "activity_ended" and event.phase == "method"]
    actions = [
        {
            "name": event.name,
            "status": event.status or Status.INDETERMINATE,
            "error": event.error,
            "ended": event.stamp.as_json(),
        }
        for event in ended_ones
        if event.type == "action"
    ]
    over = any(event.event == "method_completed" for event in events)
    gate_failed = any(event.event == "gate_failed" for event in events)
    begun = any(event.event == "activity_started" and event.phase == "method" for event in events)
    failures = [f"{action['name']}: {action['error'] or action['status']}" for action in actions
                if action["status"] != Status.SUCCEEDED]  # fmt: skip
    errors = [event.error for event in events if event.event in ("failed", "gate_failed") and event.error]
    all_ended = len(actions) == len(fault.actions) and not failures
    if gate_failed:
        status, failures = Status.FAILED, errors or ["the experiment's own steady state was not met"]
    elif over and alive and not failures:
        status = Status.SUCCEEDED
    elif over and alive:
        status = Status.FAILED
    elif late:
        status, failures = Status.TIMED_OUT, [f"{name} took longer than it declares" for name in late]
    elif errors and not begun:
        status, failures = Status.FAILED, errors
    else:
        status, failures = Status.INDETERMINATE, errors or ["the experiment's child ended before its method did"]
    context.outcome(
        Effect.INJECT,
        "",
        attempt,
        status,
        started=None,
        ended=ended_ones[-1].stamp if ended_ones else None,
        error="; ".join(failures),
        actions=actions,
        gate_failed=gate_failed,
        nothing_began=gate_failed or (status == Status.FAILED and not begun),
        last_action_ended=all_ended,
    )


def prove_effect(hands: Hands, decision: Decision) -> None:
    """Ask the effect probe until it is true, for as long as the plan allows after the last action."""
    context = hands.context
    fault = context.plan.fault
    assert fault is not None
    context.intent(Effect.PROVE_EFFECT, "", decision.attempt)
    last_action = ended(context.entries, Effect.INJECT) or clock.now()
    if fault.effect is None:
        context.outcome(Effect.PROVE_EFFECT, "", decision.attempt, Status.SKIPPED, ended=last_action)
        return
    outcome = _until(hands, fault.effect, fault.effect_within_seconds, since=last_action)
    context.outcome(
        Effect.PROVE_EFFECT,
        "",
        decision.attempt,
        Status.SUCCEEDED if outcome.good else Status.FAILED,
        started=outcome.started,
        ended=outcome.ended,
        error="" if outcome.good else f"{fault.effect.name} was not true: {outcome.error or outcome.output}",
    )


def undo_fault(hands: Hands, decision: Decision) -> None:
    """Undo the fault: every rollback, in file order, whatever happened to the others."""
    context = hands.context
    with hands.pulse.shielded(), context.performing():
        context.intent(Effect.UNDO, "", decision.attempt)
        started = clock.now()
        if decision.attempt == 1:
            _let_child_undo(hands)
        rollbacks = _rollbacks_done(context, succeeded_only=decision.attempt > 1)
        hypothesis = _hypothesis_after(context)
        finished = {rollback["index"] for rollback in rollbacks if rollback["status"] == Status.SUCCEEDED}
        for undoable in reversed(context.undo_state.undoables):

            def note(index: int, outcome: ActivityOutcome) -> None:
                rollbacks.append(_rollback(index, outcome))

            _undo_rest(hands, undoable, finished, note)
        last = {rollback["index"]: rollback for rollback in rollbacks}
        bad = [f"{one['name']}: {one['error'] or one['status']}" for one in last.values()
               if one["status"] != Status.SUCCEEDED]  # fmt: skip
        context.outcome(
            Effect.UNDO,
            "",
            decision.attempt,
            Status.FAILED if bad else Status.SUCCEEDED,
            started=started,
            ended=clock.now(),
            error="; ".join(bad),
            rollbacks=[last[index] for index in sorted(last)],
            deviated="missed" in hypothesis,
            hypothesis_unchecked="indeterminate" in hypothesis,
        )


def prove_undone(hands: Hands, decision: Decision) -> None:
    """Prove that the fault is gone, then take it out of the undo file and dismiss the guard.

    The experiment's own steady state must hold again; without one, the effect probe must have become false.
    """
    context = hands.context
    fault = context.plan.fault
    assert fault is not None
    with hands.pulse.shielded():
        context.intent(Effect.PROVE_UNDONE, "", decision.attempt)
        problem = ""
        probes = fault.experiment.get("steady-state-hypothesis", {}).get("probes", [])
        if probes:
            for probe in probes:
                planned = PlannedActivity(name=str(probe.get("name", "")), activity=probe)
                outcome = _until(hands, planned, _GONE_SECONDS, experiment=_resolved(context))
                if not outcome.good and not problem:
                    problem = f"{outcome.name} does not hold: {outcome.error or outcome.output}"
        elif fault.effect is not None:
            outcome = _until(hands, fault.effect, _GONE_SECONDS, good=False)
            problem = f"{fault.effect.name} is still true" if outcome.good else ""
        undone = not problem and _undo_succeeded(context)
        context.outcome(
            Effect.PROVE_UNDONE,
            "",
            decision.attempt,
            Status.FAILED if problem else Status.SUCCEEDED if probes or fault.effect else Status.SKIPPED,
            error=problem,
        )
        if undone:
            context.journal(Kind.UNDONE, {"experiment": fault.path}, sentence="the fault is gone")
            context.write_undo(replace(context.undo_state, undoables=()))


def know_fault(context: Context, begin: Stamp, position: str) -> None:
    """Make I, as people write it, and the log position before it known to later activities."""
    moment = datetime.fromtimestamp(begin.wall_ns / NANOSECONDS, tz=UTC)
    context.variables[FAULT_BEGIN] = moment.isoformat(timespec="microseconds")
    if position:
        context.variables[FAULT_POSITION] = position


def undo_seconds(state: UndoState) -> float:
    """How long the undo of all that stands in U may take at most."""
    each = ROLLBACK_SECONDS
    limits = [limit_seconds(one.experiment, timeout_seconds_each=each) for one in state.undoables]
    return max(ROLLBACK_SECONDS, sum(limits))


def drop_prepared(hands: Hands) -> None:
    """Nothing began: end the experiment's child and take the experiment out of the undo file."""
    if hands.child is not None:
        hands.child.kill()
        hands.child.close()
        hands.child = None
    observing.end_orphans(hands, ("chaos",))
    if hands.context.undo_state.undoables:
        hands.context.write_undo(replace(hands.context.undo_state, undoables=()))


def _hand_over(hands: Hands, resolved: dict[str, Any]) -> ExperimentChild:
    context = hands.context
    child = hands.child if hands.child is not None and hands.child.alive else hands.spawn_child()
    child.ask(
        {
            "experiment": resolved,
            "configuration_resolved": None,
            "event_log": str(context.paths.events),
            "journal_path": str(context.paths.chaos_journal),
            "hold_after_method": True,
            "settings": {},
            "run_dir": str(context.paths.directory),
            "variables": dict(context.variables),
        }
    )
    return child


def _await_ready(hands: Hands, child: ExperimentChild) -> str:
    events: list[Event] = []

    def settled() -> bool:
        events.extend(child.poll())
        return not child.alive or any(event.event in ("ready", "failed") for event in events)

    if not hands.pulse.wait(_READY_SECONDS, settled):
        return f"the experiment's child was not ready within {_READY_SECONDS:g} s"
    if any(event.event == "ready" for event in events):
        return ""
    return next((event.error for event in events if event.event == "failed"), "the experiment's child ended")


def _method_over(child: ExperimentChild, events: list[Event]) -> bool:
    events.extend(child.poll())
    over = {"method_completed", "gate_failed", "failed", "finished"}
    return bool(child.overdue()) or not child.alive or any(event.event in over for event in events)


def _until(
    hands: Hands,
    probe: PlannedActivity,
    seconds: float,
    *,
    since: Stamp | None = None,
    good: bool = True,
    experiment: dict[str, Any] | None = None,
) -> ActivityOutcome:
    """Ask a probe again and again until it is good (or not); returns the last answer."""
    begin = since.monotonic_ns if since else clock.monotonic_ns()
    deadline = begin + round(seconds * NANOSECONDS)
    while True:
        left = max((deadline - clock.monotonic_ns()) / NANOSECONDS, 1.0)
        outcome = hands.run_activity(probe, timeout_seconds=left, experiment=experiment)
        if outcome.good is good or clock.monotonic_ns() >= deadline:
            return outcome
        hands.pulse.wait(_POLL_SECONDS)


def _resolved(context: Context) -> dict[str, Any] | None:
    """The experiment as it was resolved before the fault."""
    undoables = context.undo_state.undoables
    return undoables[0].experiment if undoables else None


def _hypothesis_after(context: Context) -> set[str]:
    """What became of the experiment's own hypothesis after the method: met, missed, indeterminate; or nothing."""
    return {
        str(event.status)
        for event in read_events(context.paths.events)
        if event.event == What.HYPOTHESIS_COMPLETED and event.phase == Phase.AFTER
    }


def _let_child_undo(hands: Hands) -> None:
    """Tell the waiting child to finish (or to undo at once), and wait for it, within the rollbacks' time."""
    context, child = hands.context, hands.child
    if child is None or not child.alive:
        return
    over = any(event.event == "method_completed" for event in read_events(context.paths.events))
    if not over:
        # In the middle of its method it cannot be told anything; its rollbacks are run from here.
        child.kill()
        return
    aborting = any(entry.kind is Kind.ABORT for entry in context.entries)
    child.send("undo" if aborting else "finish")
    hypothesis = 0.0 if aborting else ROLLBACK_SECONDS
    hands.pulse.wait(undo_seconds(context.undo_state) + hypothesis, lambda: not child.alive)
    child.kill()


def _undo_rest(
    hands: Hands, undoable: Undoable, finished: set[int], note: Callable[[int, ActivityOutcome], None]
) -> None:
    """Run the rollbacks that are left."""
    _beside(
        hands,
        lambda: perform_undo(
            undoable.experiment,
            finished,
            run_dir=hands.context.paths.directory,
            timeout_seconds_each=ROLLBACK_SECONDS,
            on_outcome=note,
            variables=undoable.variables,
        ),
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


def _rollbacks_done(context: Context, *, succeeded_only: bool) -> list[dict[str, Any]]:
    """What earlier attempts, and the child's own event log, show of the rollbacks."""
    earlier = [
        rollback
        for entry in context.entries
        if entry.kind is Kind.OUTCOME and entry.effect is Effect.UNDO
        for rollback in entry.data.get("rollbacks", [])
        if rollback["status"] == Status.SUCCEEDED
    ]
    return earlier + [
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


def _rollback(index: int, outcome: ActivityOutcome) -> dict[str, Any]:
    return {
        "index": index,
        "name": outcome.name,
        "status": outcome.status,
        "error": outcome.error,
        "ended": outcome.ended.as_json(),
    }


def _undo_succeeded(context: Context) -> bool:
    outcomes = [e for e in context.entries if e.kind is Kind.OUTCOME and e.effect is Effect.UNDO]
    return bool(outcomes) and outcomes[-1].data.get("status") == Status.SUCCEEDED


def _fault_position(hands: Hands) -> str:
    """The store's log position just before the fault, where an activity asks for it; else empty."""
    plan = hands.context.plan
    wanted = any(FAULT_POSITION in repr(planned.activity) for planned in [*plan.recover, *plan.verify])
    if not wanted or plan.markers is None:
        return ""
    probe = PlannedActivity(
        name="log-position-before-the-fault",
        activity={
            "name": "log-position-before-the-fault",
            "type": "probe",
            "provider": {
                "type": "python",
                "module": "drillmark.recovery.postgres_pitr",
                "func": "log_position",
                "secrets": [plan.markers.secrets],
            },
        },
    )
    outcome = hands.run_activity(probe, timeout_seconds=10.0)
    if not outcome.good or not outcome.output:
        raise DrillmarkError(f"cannot read the log position before the fault: {outcome.error}")
    return str(outcome.output)


def undo_from(paths: RunPaths, undoable: Undoable) -> list[ActivityOutcome]:
    """Run every rollback of an experiment that its event log does not show as succeeded."""
    return perform_undo(
        undoable.experiment,
        done(read_events(paths.events)),
        run_dir=paths.directory,
        timeout_seconds_each=ROLLBACK_SECONDS,
        variables=undoable.variables,
    )
