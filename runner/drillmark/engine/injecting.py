"""Performs the fault's beginning: prepare, inject, prove the effect.

The undo file is written before the intent, the intent before the effect. Chaos Toolkit's child waits after its
method until it is told to finish. What undoes it is `undoing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drillmark import clock
from drillmark.chaos.events import Event, What, read_events
from drillmark.chaos.experiments import ExperimentChild
from drillmark.decide import Decision
from drillmark.engine import bare, children, early
from drillmark.engine.context import FAULT_BEGIN, FAULT_POSITION, Context
from drillmark.engine.hands import Hands
from drillmark.engine.moments import ended
from drillmark.engine.undoing import played
from drillmark.errors import DrillmarkError
from drillmark.model.entry import Effect, Status
from drillmark.model.plan import Bare
from drillmark.model.planned import PlannedActivity
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import Undoable

_READY_SECONDS = 60.0
_OVER = frozenset({What.METHOD_COMPLETED, What.GATE_FAILED, What.FAILED, What.FINISHED})
# A bare experiment does not wait after its method: it is played up to where its rollbacks begin.
_PLAYED = frozenset({What.ROLLBACKS_STARTED, What.ROLLBACKS_WAIVED, What.FAILED, What.FINISHED})


def prepare(hands: Hands, decision: Decision) -> None:
    """Resolve the configuration, write the undo file, make the experiment's child ready. Nothing begins."""
    context = hands.context
    fault = context.plan.fault
    assert fault is not None
    context.intent(Effect.PREPARE, "", decision.attempt)
    context.variables["drillmark_run"] = context.run
    problem = ""
    try:
        if context.plan.bare is None:
            resolved = hands.resolve(fault.experiment)
            undoable = Undoable(fault.path, resolved, dict(context.variables))
            context.write_undo(replace(context.undo_state, undoables=(undoable,)))
            problem = _await_ready(hands, _hand_over(hands, resolved))
        else:
            problem = _prepare_bare(hands, context.plan.bare)
    except DrillmarkError as error:
        problem = str(error)
    context.outcome(Effect.PREPARE, "", decision.attempt, Status.FAILED if problem else Status.SUCCEEDED, error=problem)


def inject(hands: Hands, decision: Decision) -> None:
    """Let the experiment's method run, once, up to its end."""
    context = hands.context
    child = hands.child
    assert child is not None
    position = fault_position(hands)
    with context.performing():
        intent = context.intent(Effect.INJECT, "", decision.attempt, fault_position=position)
        know_fault(context, intent.stamp, position)
        child.send("go")
        if context.plan.bare is not None:
            bare.import_the_end()
        events: list[Event] = []
        over = _OVER if context.plan.bare is None else _PLAYED
        hands.pulse.wait(None, lambda: _over(child, events, over))
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
    finished = any(event.event == What.FINISHED for event in events)
    gate_failed = any(event.event == "gate_failed" for event in events)
    begun = any(event.event == "activity_started" and event.phase == "method" for event in events)
    failures = [f"{action['name']}: {action['error'] or action['status']}" for action in actions
                if action["status"] != Status.SUCCEEDED]  # fmt: skip
    errors = [event.error for event in events if event.event in ("failed", "gate_failed") and event.error]
    all_ended = len(actions) == len(fault.actions) and not failures
    if gate_failed:
        status, failures = Status.FAILED, errors or ["the experiment's own steady state was not met"]
    elif over and (alive or finished) and not failures:
        status = Status.SUCCEEDED
    elif over and (alive or finished):
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
        **(played(events) if context.plan.bare else {}),
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
    outcome = hands.ask_until(
        fault.effect, fault.effect_within_seconds, until=lambda outcome: outcome.answer is True, since=last_action
    )
    context.outcome(
        Effect.PROVE_EFFECT,
        "",
        decision.attempt,
        Status.SUCCEEDED if outcome.answer else Status.FAILED,
        started=outcome.started,
        ended=outcome.ended,
        error="" if outcome.answer else outcome.silence or f"{fault.effect.name} was not true: {outcome.error}",
    )


def know_fault(context: Context, begin: Stamp, position: str) -> None:
    """Make I, as people write it, and the log position before it known to later activities."""
    moment = datetime.fromtimestamp(begin.wall_ns / NANOSECONDS, tz=UTC)
    context.variables[FAULT_BEGIN] = moment.isoformat(timespec="microseconds")
    if position:
        context.variables[FAULT_POSITION] = position


def drop_prepared(hands: Hands) -> None:
    """Nothing began: end the experiment's child and take the experiment out of the undo file."""
    if hands.child is not None:
        hands.child.kill()
        hands.child.close()
        hands.child = None
    children.end_orphans(hands, ("chaos",))
    if hands.context.undo_state.undoables:
        hands.context.write_undo(replace(hands.context.undo_state, undoables=()))


def _prepare_bare(hands: Hands, options: Bare) -> str:
    """A bare experiment resolves its own configuration as it is loaded, by a child that may be there already."""
    context = hands.context
    fault = context.plan.fault
    assert fault is not None
    problem = ""
    if not context.paths.loaded.exists():
        child = hands.child if hands.child is not None and hands.child.alive else hands.spawn_child()
        child.ask(early.request(context.paths, options, experiment=fault.experiment))
        problem = _await_ready(hands, child)
    if not problem and not options.touches_nothing:
        told = bare.loaded(context.paths)
        undoable = Undoable(fault.path, told.resolved, origin=told.origin(options))
        context.write_undo(replace(context.undo_state, undoables=(undoable,)))
    return problem


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


def _over(child: ExperimentChild, events: list[Event], over: frozenset[str]) -> bool:
    events.extend(child.poll())
    return bool(child.overdue()) or not child.alive or any(event.event in over for event in events)


def fault_position(hands: Hands) -> str:
    """The store's log position just before the fault, where an activity asks for it; else empty."""
    plan = hands.context.plan
    wanted = any(FAULT_POSITION in repr(planned.activity) for planned in [*plan.recover, *plan.verify])
    store = next((one for one in plan.markers if one.store == "postgres" and one.secrets), None) or plan.positions
    if not wanted or store is None:
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
                "secrets": [store.secrets],
            },
        },
    )
    outcome = hands.run_activity(probe, timeout_seconds=10.0)
    if not outcome.good or not outcome.output:
        raise DrillmarkError(f"cannot read the log position before the fault: {outcome.error}")
    return str(outcome.output)
