"""Starts and dismisses the guard, the dead-man's switch outside the runner."""

from __future__ import annotations

import time

from drillmark import clock, processes
from drillmark.decide import Decision
from drillmark.engine import children, early, observing
from drillmark.engine.hands import Hands
from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Status
from drillmark.model.stamp import NANOSECONDS


def start_guard(hands: Hands, decision: Decision) -> None:
    """Start the dead-man's switch. Without it nothing is injected."""
    context = hands.context
    paths, plan = context.paths, context.plan
    lost = plan.fault or plan.simulation
    lease_seconds = lost.lease_seconds if lost else early.LEASE_SECONDS
    runner_lost = plan.fault.runner_lost if plan.fault else "undo"
    # Whoever takes the run over on another machine sees by this until when that guard may act.
    context.intent(Effect.GUARD, "", decision.attempt, lease_seconds=lease_seconds, runner_lost=runner_lost)
    paths.guard_stop.unlink(missing_ok=True)
    if hands.guard is not None:
        children.adopt(hands, "guard", hands.guard)
        hands.guard = None
    else:
        early.write_guard_config(
            paths,
            context.workspace,
            context.run,
            context.deadline_ns,
            lease_seconds=lease_seconds,
            runner_lost=runner_lost,
            hold_seconds=plan.phases.hold_seconds,
        )
        paths.child("guard", "go").unlink(missing_ok=True)
        children.spawn(hands, "guard", paths.guard_config)
    children.tell(hands, ["guard"])
    before_the_fault = last(context.entries, Effect.INJECT) is None
    if before_the_fault and plan.bare is None:
        observing.spawn_observers(hands)
        hands.get_worker()
    if before_the_fault and hands.child is None and plan.fault is not None:
        hands.spawn_child()
    problem = children.settled_or_problem(hands, {"guard": "ready"})
    context.outcome(Effect.GUARD, "", decision.attempt, Status.FAILED if problem else Status.SUCCEEDED, error=problem)


def stop_guard(hands: Hands) -> None:
    """Tell the guard that nothing is in effect any more, and see it end."""
    guard = hands.context.undo_state.child("guard")
    if guard is None:
        return
    paths = hands.context.paths
    paths.guard_stop.touch(mode=0o600)
    if not paths.guard_log.exists():
        # It would see that too, a little later. One that has begun to act is left to end by itself.
        processes.ask_to_end(guard.identity, group=True)
    deadline = clock.monotonic_ns() + round(children.STOP_SECONDS * NANOSECONDS)
    while processes.is_alive(guard.identity) and clock.monotonic_ns() < deadline:
        time.sleep(0.005)
    processes.end(guard.identity, group=True, grace_seconds=1.0)
