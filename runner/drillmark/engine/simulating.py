"""Performs a simulated disaster: what is in the backup store is listed, then the disaster is declared.

Nothing is injected, and production is not touched. The listing is made just before the declaration and never again:
what reaches the backup store later would not exist after a real disaster.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from drillmark import samples
from drillmark.decide import Decision
from drillmark.engine import injecting
from drillmark.engine.context import SOURCE, Context
from drillmark.engine.hands import Hands
from drillmark.engine.undoing import GONE_SECONDS, undo_succeeded
from drillmark.errors import DrillmarkError, SampleFileError
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.stamp import Stamp
from drillmark.undo import Undoable

PATH = "simulated disaster"
_LIST_SECONDS = 3600.0


def prepare(hands: Hands, decision: Decision) -> None:
    """List the backup store a first time: what was hashed now costs nothing at the declaration."""
    context = hands.context
    context.intent(Effect.PREPARE, "", decision.attempt)
    context.variables["drillmark_run"] = context.run
    problem = ""
    try:
        _list(hands)
    except DrillmarkError as error:
        problem = str(error)
    context.outcome(Effect.PREPARE, "", decision.attempt, Status.FAILED if problem else Status.SUCCEEDED, error=problem)


def declare(hands: Hands, decision: Decision) -> None:
    """Freeze the source, write down how the copy is taken away, declare the disaster: I = t0.

    Raises DrillmarkError, with nothing begun, where the store cannot be listed or a copy answers already.
    """
    context = hands.context
    plan = context.plan
    assert plan.undone_by is not None
    _refuse_a_copy(context)
    position = injecting.fault_position(hands)
    resolved = hands.resolve(plan.undone_by)
    source = _list(hands)
    undoable = Undoable(PATH, resolved, dict(context.variables), unlogged=True)
    context.write_undo(replace(context.undo_state, undoables=(undoable,)))
    with context.performing():
        intent = context.intent(
            Effect.INJECT, "", decision.attempt, fault_position=position, simulated=True, source=source
        )
        injecting.know_fault(context, intent.stamp, position)
        journal_declaration(context, decision.attempt, intent.stamp)


def journal_declaration(context: Context, attempt: int, declared: Stamp) -> None:
    """The outcome of a declaration, which ends as it begins. Used after a crash as well."""
    context.outcome(
        Effect.INJECT, "", attempt, Status.SUCCEEDED, started=declared, ended=declared, actions=[],
        gate_failed=False, nothing_began=False, last_action_ended=True,
    )  # fmt: skip


def know_source(context: Context, declared: Entry) -> None:
    """Let later activities know the listing again, after a crash."""
    if isinstance(declared.data.get("source"), dict):
        context.variables[SOURCE] = str(context.paths.source)


def prove_discarded(hands: Hands, decision: Decision) -> None:
    """Prove that no copy answers any more, then take it out of the undo file."""
    context = hands.context
    with hands.pulse.shielded():
        context.intent(Effect.PROVE_UNDONE, "", decision.attempt)
        problem = still_answering(hands)
        context.outcome(
            Effect.PROVE_UNDONE, "", decision.attempt, Status.FAILED if problem else Status.SUCCEEDED, error=problem
        )
        if not problem and undo_succeeded(context):
            context.journal(Kind.UNDONE, {"experiment": PATH, "proved": True}, sentence="the copy is gone")
            context.write_undo(replace(context.undo_state, undoables=()))


def still_answering(hands: Hands) -> str:
    """Ask every probe of the copy until it is not answered. Why the copy is not gone; empty where it is, or is none."""
    simulation = hands.context.plan.simulation
    problem = ""
    for probe in simulation.probes.activities if simulation is not None else ():
        outcome = hands.ask_until(probe, GONE_SECONDS, until=lambda outcome: not outcome.good)
        if outcome.good and not problem:
            problem = f"{probe.name} is still answered: the copy is there"
    return problem


def _list(hands: Hands) -> dict[str, Any]:
    """Have what is in the backup store listed into the run's own file. Raises DrillmarkError."""
    context = hands.context
    simulation = context.plan.simulation
    assert simulation is not None
    context.variables[SOURCE] = str(context.paths.source)
    context.paths.source.unlink(missing_ok=True)
    outcome = hands.run_activity(simulation.source, timeout_seconds=_LIST_SECONDS)
    name = simulation.source.name
    if not outcome.good:
        raise DrillmarkError(f"{name} could not list the backup store: {outcome.error or outcome.output}")
    try:
        body = context.paths.source.read_bytes()
        context.paths.source.chmod(0o400)
    except OSError as error:
        raise DrillmarkError(
            f"{name} wrote no listing of the backup store: {error.strerror}",
            hint=f"it must write it into the file that ${{{SOURCE}}} names",
        ) from error
    return {"file": context.paths.source.name, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}


def _refuse_a_copy(context: Context) -> None:
    """A copy that answers before the disaster is a leftover, and would pass for the restored one."""
    try:
        table = samples.read(context.paths.sample("side"))
    except SampleFileError:
        return
    if table["ok"].any():
        raise DrillmarkError(
            "a copy answers already, before anything was restored",
            hint="take away what an earlier drill, or somebody else, has left in the copy's place",
        )
