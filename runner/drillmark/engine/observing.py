"""Starts, stops and reads what observes and loads the target: prober, marker writers, alerts, load, read-back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drillmark import clock, files, processes, runs, samples, undo
from drillmark.decide import Decision
from drillmark.engine import children
from drillmark.engine.context import ALERTS_URL
from drillmark.engine.hands import Hands
from drillmark.errors import SampleFileError
from drillmark.model.entry import Effect, Status
from drillmark.model.planned import PlannedMarkers
from drillmark.model.stamp import NANOSECONDS

# A load in several processes begins when each of them has made a request.
_SEVERAL_SECONDS = 180.0


def spawn_observers(hands: Hands) -> None:
    """Start all that observes and loads as idle processes: their imports are done when they are told to go."""
    for role, config in _configs(hands).items():
        children.spawn_idle(hands, role, config)


def start_observers(hands: Hands, decision: Decision) -> None:
    """Tell prober, marker writers, position reader, guards' watcher and alert receiver to go; wait for their work."""
    roles = [role for role in _configs(hands) if role not in ("load", "side")]
    _start(hands, decision, roles, and_then=_know_alerts_url)


def start_side(hands: Hands, decision: Decision) -> None:
    """Tell the prober of the copy to go, shortly before there is to be one: it must cost the recovery no time."""
    _start(hands, decision, ["side"])


def start_load(hands: Hands, decision: Decision) -> None:
    """Tell Locust to go, and wait for its first users."""
    _start(hands, decision, ["load"])


def stop_load(hands: Hands, decision: Decision) -> None:
    """Stop Locust and close its samples."""
    hands.context.intent(Effect.STOP_LOAD, "", decision.attempt)
    with hands.pulse.shielded():
        children.stop(hands, "load")
    hands.context.outcome(Effect.STOP_LOAD, "", decision.attempt, Status.SUCCEEDED)


def stop_observers(hands: Hands, decision: Decision) -> None:
    """Stop all that still runs beside the drill, and journal each sample file with its hash."""
    context = hands.context
    context.intent(Effect.STOP_OBSERVERS, "", decision.attempt)
    with hands.pulse.shielded():
        for child in context.undo_state.of(undo.OBSERVERS):
            children.stop(hands, child.role)
        # What came after the last look, up to the very end of the listening.
        hands.pulse.incoming.look()
    for name in runs.sample_names(context.plan):
        path = context.paths.sample(name)
        if path.exists():
            _journal_samples(hands, path)
    context.outcome(Effect.STOP_OBSERVERS, "", decision.attempt, Status.SUCCEEDED)


def read_back(hands: Hands, decision: Decision) -> None:
    """Stop the marker writers, then read back what survived of each, all at the same time."""
    context, plan = hands.context, hands.context.plan
    context.intent(Effect.READ_BACK, "", decision.attempt)
    for one in plan.markers:
        children.stop(hands, one.role)
    limit = plan.phases.verify_deadline_seconds
    for one in plan.markers:
        context.paths.sample(one.survivors).unlink(missing_ok=True)
        config = _store(one) | {
            "secrets_name": one.side_secrets if plan.simulated else one.secrets,
            "identity": plan.whose.activity if plan.whose else None,
            "expected_system_identifier": _system_identifier(hands, one),
            "timeout_seconds": limit,
        }
        children.spawn_idle(hands, one.read_back_role, config)
    children.tell(hands, [one.read_back_role for one in plan.markers])
    until = clock.monotonic_ns() + round(limit * NANOSECONDS)
    problems: dict[str, str] = {}
    for one in plan.markers:
        left = max(0.0, (until - clock.monotonic_ns()) / NANOSECONDS)
        problem = children.settled_or_problem(hands, {one.read_back_role: "ended"}, left)
        children.stop(hands, one.read_back_role)
        if problem:
            problems[one.name] = problem
    status = Status.FAILED if problems else Status.SUCCEEDED
    error = "; ".join(problems.values())
    context.outcome(Effect.READ_BACK, "", decision.attempt, status, error=error, unread=problems)


def _store(one: PlannedMarkers) -> dict[str, Any]:
    """What writing and reading back have in common."""
    return {
        "store": one.store,
        "secrets_name": one.secrets,
        "changes": one.changes,
        "requests": one.requests,
        "timeout_write_seconds": one.timeout_seconds,
        "verify_tls": one.verify_tls,
        "ledger": one.ledger,
        "survivors": one.survivors,
    }


def _configs(hands: Hands) -> dict[str, dict[str, Any]]:
    """What each process that observes or loads must know, by its role."""
    plan = hands.context.plan
    configs: dict[str, dict[str, Any]] = {}
    if plan.probes:
        configs["prober"] = {
            "every_seconds": plan.probes.every_seconds,
            "timeout_seconds": plan.probes.timeout_seconds,
            "activities": [planned.activity for planned in plan.probes.activities],
        }
    for one in plan.markers:
        configs[one.role] = _store(one) | {
            "every_seconds": one.every_seconds,
            "writers": one.writers,
        }
    if plan.guards:
        configs["guards"] = {
            "guards": [
                {
                    "name": guard.name,
                    "activity": guard.probe.activity,
                    "timeout_seconds": guard.probe.timeout_seconds,
                    "fails_for_seconds": guard.fails_for_seconds,
                }
                for guard in plan.guards
            ]
        }
    if plan.simulation:
        configs["side"] = {
            "every_seconds": plan.simulation.probes.every_seconds,
            "timeout_seconds": plan.simulation.probes.timeout_seconds,
            "activities": [planned.activity for planned in plan.simulation.probes.activities],
            "samples": "side",
        }
    if plan.positions:
        configs["positions"] = {
            "store": plan.positions.store,
            "secrets_name": plan.positions.secrets,
            "every_seconds": plan.positions.every_seconds,
        }
    if plan.load:
        root = hands.context.workspace.root
        configs["load"] = {
            "locustfile": str(root / plan.load.locustfile),
            "users": plan.load.users,
            "spawn_rate_per_second": plan.load.spawn_rate_per_second,
            "processes": plan.load.processes,
            "master_host": plan.load.master_host,
            "master_port": plan.load.master_port,
            "workers": plan.load.workers,
            "host": plan.load.host,
            "workspace": str(root),
        }
    if plan.alerts:
        configs["alerts"] = {
            "host": plan.alerts.host,
            "port": plan.alerts.port,
            "token_variable": plan.alerts.token_variable,
            "rules": [rule.model_dump(mode="json") for rule in plan.alerts.rules],
        }
    return configs


def _know_alerts_url(hands: Hands) -> None:
    """Tell people and later activities where alerts are received."""
    context = hands.context
    if context.plan.alerts is None:
        return
    status = files.read_json(context.paths.child("alerts", "json")) or {}
    context.variables[ALERTS_URL] = str(status.get("url", ""))
    context.event("alerts_received_at", url=context.variables[ALERTS_URL])


def _start(
    hands: Hands, decision: Decision, roles: list[str], and_then: Callable[[Hands], None] = lambda _hands: None
) -> None:
    assert decision.effect is not None
    context = hands.context
    context.intent(decision.effect, "", decision.attempt)
    configs = _configs(hands)
    for role in roles:
        child = context.undo_state.child(role)
        if child is None or not processes.is_alive(child.identity):
            children.spawn_idle(hands, role, configs[role])
    several = "load" in roles and bool(context.plan.load and context.plan.load.parts)
    problem = children.go(hands, roles, "ready", _SEVERAL_SECONDS if several else children.READY_SECONDS)
    if not problem:
        hands.pulse.watched.update(roles)
        and_then(hands)
    status = Status.FAILED if problem else Status.SUCCEEDED
    context.outcome(decision.effect, "", decision.attempt, status, error=problem)


def _journal_samples(hands: Hands, path: Path) -> None:
    name = f"samples/{path.name}"
    try:
        found = samples.survey(path)
        hands.context.event(
            "samples_closed",
            file=name,
            sha256=samples.digest(path),
            rows=found.rows,
            closed=found.closed,
            torn=found.torn,
        )
    except SampleFileError as error:
        hands.context.event("samples_closed", file=name, error=str(error), rows=0, closed=False, torn=True)


def _system_identifier(hands: Hands, one: PlannedMarkers) -> str | None:
    with contextlib.suppress(SampleFileError):
        return samples.survey(hands.context.paths.sample(one.ledger)).meta.get("system_identifier")
    return None
