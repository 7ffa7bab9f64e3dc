"""Starts and ends the processes beside the drill: guard, watcher, observers, load, read-back. Their only owner.

Each child's pid stands in the undo file before it is told to go. Observers and load have the run's deadline as
their lease and outlive the runner; a resumed run adopts them by pid and start time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark import files, processes
from drillmark.engine import early
from drillmark.engine.hands import Hands
from drillmark.errors import DrillmarkError
from drillmark.undo import Child, kind_of

if TYPE_CHECKING:
    from drillmark.chaos.launch import Process

MODULES = {
    "prober": "drillmark.observe.prober",
    "side": "drillmark.observe.prober",
    "positions": "drillmark.observe.positions",
    "markers": "drillmark.observe.markers",
    "read_back": "drillmark.observe.read_back",
    "load": "drillmark.workload.child",
    "alerts": "drillmark.observe.alerts",
    "guard": "drillmark.guard",
    "guards": "drillmark.observe.watch",
}
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
# They are kept so that their zombies can be reaped.
_CHILDREN: list[Process] = []


def spawn_idle(hands: Hands, role: str, config: dict[str, Any]) -> None:
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
    spawn(hands, role, path)


def spawn(hands: Hands, role: str, config: Path) -> None:
    """Start a child and write its pid into U. Raises DrillmarkError where it ended at once."""
    context = hands.context
    module = MODULES[kind_of(role)]
    adopt(hands, role, early.start_process(context.workspace, context.paths, context.run, role, module, config))


def adopt(hands: Hands, role: str, process: Process) -> None:
    """Write a child's pid into U. Raises DrillmarkError where it has ended already."""
    identity = processes.identify(process.pid)
    if identity is None:
        raise DrillmarkError(f"the {role} ended at once", hint=f"see {hands.context.paths.child(role, 'log')}")
    _CHILDREN.append(process)
    hands.context.own(Child(role, identity.pid, identity.start))


def go(hands: Hands, roles: list[str], goal: str, seconds: float) -> str:
    """Tell children to go and wait until each has reached its goal; returns what went wrong."""
    tell(hands, roles)
    return settled_or_problem(hands, dict.fromkeys(roles, goal), seconds)


def tell(hands: Hands, roles: list[str]) -> None:
    """Tell children to go."""
    for role in roles:
        child = hands.context.undo_state.child(role)
        # By its pid: one that an earlier runner started, and died before it could write it down, must not go too.
        told = str(child.identity.pid) if child is not None else ""
        files.write_whole(hands.context.paths.child(role, "go"), told)


def settled_or_problem(hands: Hands, goals: dict[str, str], seconds: float = READY_SECONDS) -> str:
    """Wait for the children's own status files; returns what went wrong, empty if nothing did."""
    paths = hands.context.paths
    problems: list[str] = []

    def settled() -> bool:
        reap()
        open_goals = 0
        for role, goal in goals.items():
            status = files.read_object(paths.child(role, "json"))
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


def stop(hands: Hands, role: str) -> None:
    """End a child: TERM, so that it closes its samples, then KILL. The lease is renewed meanwhile."""
    child = hands.context.undo_state.child(role)
    hands.pulse.watched.discard(role)
    if child is None:
        return

    def gone() -> bool:
        reap()
        return not processes.is_alive(child.identity)

    processes.ask_to_end(child.identity, group=True)
    hands.pulse.wait(STOP_SECONDS, gone)
    processes.end(child.identity, group=True, grace_seconds=0.0)
    reap()


def end_orphans(hands: Hands, roles: tuple[str, ...]) -> None:
    """End what an earlier runner left of these roles, by pid and start time, whole groups."""
    for child in hands.context.undo_state.of(roles):
        processes.end(child.identity, group=True, grace_seconds=0.0)


def reap() -> None:
    """Take away children that have ended."""
    _CHILDREN[:] = [process for process in _CHILDREN if process.poll() is None]


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it ended without a word"
    return lines[-1][:500] if lines else "it ended without a word"
