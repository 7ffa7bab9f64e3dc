"""Starts and stops what runs beside the drill: guard, prober, marker writer, load, read-back.

Each child's pid stands in the undo file before it is told to go. Observers and load have the run's deadline as
their lease and outlive the runner; a resumed run adopts them by pid and start time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from drillmark import clock, files, processes, runs, samples
from drillmark.decide import Decision
from drillmark.engine.hands import Hands
from drillmark.errors import DrillmarkError, SampleFileError
from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Status
from drillmark.model.stamp import NANOSECONDS
from drillmark.undo import Child

MODULES = {
    "prober": "drillmark.observe.prober",
    "markers": "drillmark.observe.markers",
    "read_back": "drillmark.observe.read_back",
    "load": "drillmark.workload.child",
    "guard": "drillmark.guard",
}
_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0


def start_guard(hands: Hands, decision: Decision) -> None:
    """Start the dead-man's switch. Without it nothing is injected."""
    context = hands.context
    context.intent(Effect.GUARD, "", decision.attempt)
    paths, plan = context.paths, context.plan
    fault = plan.fault
    paths.guard_stop.unlink(missing_ok=True)
    config = {
        "run": context.run,
        "run_dir": str(paths.directory),
        "workspace": str(context.workspace.root),
        "lease_seconds": fault.lease_seconds if fault else 30.0,
        "runner_lost": fault.runner_lost if fault else "undo",
        "deadline_ns": context.deadline_ns,
        "hold_seconds": plan.phases.hold_seconds,
    }
    files.write_durably(paths.guard_config, json.dumps(config))
    paths.child("guard", "go").unlink(missing_ok=True)
    _spawn(hands, "guard", paths.guard_config)
    paths.child("guard", "go").touch(mode=0o600)
    before_the_fault = last(context.entries, Effect.INJECT) is None
    if before_the_fault:
        spawn_observers(hands)
        hands.get_worker()
        hands.spawn_child()
    problem = _await(hands, {"guard": "ready"})
    context.outcome(Effect.GUARD, "", decision.attempt, Status.FAILED if problem else Status.SUCCEEDED, error=problem)


def spawn_observers(hands: Hands) -> None:
    """Start prober, marker writer and load as idle processes: their imports are done when they are told to go."""
    for role, config in _configs(hands).items():
        _spawn_idle(hands, role, config)


def start_observers(hands: Hands, decision: Decision) -> None:
    """Tell prober and marker writer to go, and wait for their first samples."""
    _start(hands, decision, [role for role in _configs(hands) if role != "load"])


def start_load(hands: Hands, decision: Decision) -> None:
    """Tell Locust to go, and wait for its first users."""
    _start(hands, decision, ["load"])


def stop_load(hands: Hands, decision: Decision) -> None:
    """Stop Locust and close its samples."""
    hands.context.intent(Effect.STOP_LOAD, "", decision.attempt)
    with hands.pulse.shielded():
        _stop(hands, "load")
    hands.context.outcome(Effect.STOP_LOAD, "", decision.attempt, Status.SUCCEEDED)


def stop_observers(hands: Hands, decision: Decision) -> None:
    """Stop all that still runs beside the drill, and journal each sample file with its hash."""
    context = hands.context
    context.intent(Effect.STOP_OBSERVERS, "", decision.attempt)
    with hands.pulse.shielded():
        for role in ("prober", "markers", "read_back", "load"):
            _stop(hands, role)
    for name in runs.TABLES.values():
        path = context.paths.sample(name)
        if path.exists():
            _journal_samples(hands, path)
    context.outcome(Effect.STOP_OBSERVERS, "", decision.attempt, Status.SUCCEEDED)


def read_back(hands: Hands, decision: Decision) -> None:
    """Stop the marker writer, then read back what survived."""
    context, plan = hands.context, hands.context.plan
    assert plan.markers is not None
    context.intent(Effect.READ_BACK, "", decision.attempt)
    _stop(hands, "markers")
    context.paths.sample("survivors").unlink(missing_ok=True)
    limit = plan.phases.verify_deadline_seconds
    config = {
        "store": plan.markers.store,
        "secrets_name": plan.markers.secrets,
        "identity": plan.identity.activity if plan.identity else None,
        "expected_system_identifier": _system_identifier(hands),
        "timeout_seconds": limit,
    }
    _spawn_idle(hands, "read_back", config)
    problem = _go(hands, ["read_back"], "ended", limit)
    _stop(hands, "read_back")
    context.outcome(
        Effect.READ_BACK, "", decision.attempt, Status.FAILED if problem else Status.SUCCEEDED, error=problem
    )


def stop_guard(hands: Hands) -> None:
    """Tell the guard that nothing is in effect any more, and see it end."""
    guard = hands.context.undo_state.child("guard")
    if guard is None:
        return
    hands.context.paths.guard_stop.touch(mode=0o600)
    deadline = clock.monotonic_ns() + round(_STOP_SECONDS * NANOSECONDS)
    while processes.is_alive(guard.identity) and clock.monotonic_ns() < deadline:
        time.sleep(0.02)
    processes.end(guard.identity, group=True, grace_seconds=1.0)


def end_orphans(hands: Hands, roles: tuple[str, ...]) -> None:
    """End what an earlier runner left of these roles, by pid and start time, whole groups."""
    for role in roles:
        child = hands.context.undo_state.child(role)
        if child is not None:
            processes.end(child.identity, group=True, grace_seconds=0.0)


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
    if plan.markers:
        configs["markers"] = {
            "store": plan.markers.store,
            "secrets_name": plan.markers.secrets,
            "every_seconds": plan.markers.every_seconds,
            "writers": plan.markers.writers,
        }
    if plan.load:
        root = hands.context.workspace.root
        configs["load"] = {
            "locustfile": str(root / plan.load.locustfile),
            "users": plan.load.users,
            "spawn_rate_per_second": plan.load.spawn_rate_per_second,
            "processes": plan.load.processes,
            "host": plan.load.host,
            "workspace": str(root),
        }
    return configs


def _start(hands: Hands, decision: Decision, roles: list[str]) -> None:
    assert decision.effect is not None
    context = hands.context
    context.intent(decision.effect, "", decision.attempt)
    configs = _configs(hands)
    for role in roles:
        child = context.undo_state.child(role)
        if child is None or not processes.is_alive(child.identity):
            _spawn_idle(hands, role, configs[role])
    problem = _go(hands, roles, "ready", _READY_SECONDS)
    if not problem:
        hands.pulse.watched.update(roles)
    status = Status.FAILED if problem else Status.SUCCEEDED
    context.outcome(decision.effect, "", decision.attempt, status, error=problem)


def _spawn_idle(hands: Hands, role: str, config: dict[str, Any]) -> None:
    """Start a child that waits for the word to go."""
    context = hands.context
    common = {
        "run": context.run,
        "run_dir": str(context.paths.directory),
        "deadline_ns": context.deadline_ns,
        "configuration": context.plan.configuration,
        "secrets": context.plan.secrets,
    }
    for suffix in ("go", "json"):
        context.paths.child(role, suffix).unlink(missing_ok=True)
    path = context.paths.child(role, "config.json")
    files.write_durably(path, json.dumps(common | config))
    _spawn(hands, role, path)


def _go(hands: Hands, roles: list[str], goal: str, seconds: float) -> str:
    """Tell children to go and wait until each has reached its goal; returns what went wrong."""
    for role in roles:
        hands.context.paths.child(role, "go").touch(mode=0o600)
    return _await(hands, dict.fromkeys(roles, goal), seconds)


def _spawn(hands: Hands, role: str, config: Path) -> None:
    context = hands.context
    log = os.open(context.paths.child(role, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(  # the engine is the owner of processes
            [sys.executable, "-m", MODULES[role], str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=context.workspace.root,
            start_new_session=True,
            env=os.environ | {"DRILLMARK_RUN": context.run, "DRILLMARK_RUN_DIR": str(context.paths.directory)},
        )
    finally:
        os.close(log)
    identity = processes.identify(process.pid)
    if identity is None:
        raise DrillmarkError(f"the {role} ended at once", hint=f"see {context.paths.child(role, 'log')}")
    # Popen objects are kept so that their zombies can be reaped.
    _CHILDREN.append(process)
    context.own(Child(role, identity.pid, identity.start))


_CHILDREN: list[subprocess.Popen[bytes]] = []


def reap() -> None:
    """Take away children that have ended."""
    _CHILDREN[:] = [process for process in _CHILDREN if process.poll() is None]


def _await(hands: Hands, goals: dict[str, str], seconds: float = _READY_SECONDS) -> str:
    """Wait for the children's own status files; returns what went wrong, empty if nothing did."""
    paths = hands.context.paths
    problems: list[str] = []

    def settled() -> bool:
        reap()
        open_goals = 0
        for role, goal in goals.items():
            status = files.read_json(paths.child(role, "json")) or {}
            state = status.get("state", "")
            if state == goal or (goal == "ready" and state == "ended"):
                continue
            child = hands.context.undo_state.child(role)
            alive = child is not None and processes.is_alive(child.identity)
            if state == "failed" or not alive:
                problems.append(f"{role}: {status.get('error') or _last_line(paths.child(role, 'log'))}")
                return True
            open_goals += 1
        return not open_goals

    if not hands.pulse.wait(seconds, settled):
        return f"{', '.join(goals)}: not {'/'.join(sorted(set(goals.values())))} within {seconds:g} s"
    return problems[0] if problems else ""


def _stop(hands: Hands, role: str) -> None:
    """End a child: TERM, so that it closes its samples, then KILL. The lease is renewed meanwhile."""
    child = hands.context.undo_state.child(role)
    hands.pulse.watched.discard(role)
    if child is None:
        return

    def gone() -> bool:
        reap()
        return not processes.is_alive(child.identity)

    processes.ask_to_end(child.identity, group=True)
    hands.pulse.wait(_STOP_SECONDS, gone)
    processes.end(child.identity, group=True, grace_seconds=0.0)
    reap()


def _journal_samples(hands: Hands, path: Path) -> None:
    name = f"samples/{path.name}"
    try:
        table = samples.read(path)
        hands.context.event(
            "samples_closed",
            file=name,
            sha256=samples.digest(path),
            rows=len(table),
            closed=table.closed,
            torn=table.torn,
        )
    except SampleFileError as error:
        hands.context.event("samples_closed", file=name, error=str(error), rows=0, closed=False, torn=True)


def _system_identifier(hands: Hands) -> str | None:
    table = runs.read_table(hands.context.paths.sample("ledger"))
    return None if table is None else table.meta.get("system_identifier")


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it ended without a word"
    return lines[-1][:500] if lines else "it ended without a word"
