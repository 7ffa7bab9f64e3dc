"""The next effect of a run, decided from its plan and its journal alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drillmark.decide.resuming import guard_has_undone
from drillmark.decide.steps import Step, after, steps
from drillmark.decide.stops import attempts, may_be_in_effect, stop_reason
from drillmark.journal.entries import Last, run_ended
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.plan import Plan

UNDO_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes next. `effect` None: nothing, the run has ended. `sentence` says why, for people."""

    effect: Effect | None
    sentence: str
    key: str = ""
    attempt: int = 1


def decide(plan: Plan, entries: Sequence[Entry]) -> Decision:
    """The next effect of the run, or none where it has ended."""
    # What was only seen decides nothing, and is most of a long journal: leave it out once, not in each look below.
    entries = [entry for entry in entries if entry.kind is not Kind.EVENT or "voided" in entry.data]
    if run_ended(entries) is not None:
        return Decision(None, "the run has ended")
    known = attempts(entries)
    reason = stop_reason(plan, entries, known)
    said = False
    for step in _winding_up(plan, entries) if reason else steps(plan):
        found = known.get(step)
        # Said with the first step of winding up, and by whoever takes one up again; not with each that follows.
        decision = _due(plan, found, step, "" if said and found is None else reason)
        if decision is not None:
            return decision
        said = True
    return Decision(None, "nothing is left to do")


def upcoming(plan: Plan, decision: Decision) -> str:
    """What comes after a decision if all goes well, for people; empty where nothing does."""
    planned = steps(plan)
    here = Step(decision.effect, decision.key) if decision.effect else None
    if here not in planned[:-1]:
        return ""
    return _sentence(plan, planned[planned.index(here) + 1], "")


def _winding_up(plan: Plan, entries: Sequence[Entry]) -> list[Step]:
    undo = [Step(Effect.UNDO), Step(Effect.PROVE_UNDONE)]
    if guard_has_undone(entries) or not may_be_in_effect(entries):
        undo = []
    return [*undo, *after(plan)]


def _due(plan: Plan, found: Last | None, step: Step, reason: str) -> Decision | None:
    if found is None:
        return Decision(step.effect, _sentence(plan, step, reason), step.key)
    if found.outcome is None:
        words = f"{_sentence(plan, step, reason)}, again: attempt {found.attempt} was cut short"
        return Decision(step.effect, words, step.key, found.attempt + 1)
    if step.effect is Effect.UNDO and found.status != Status.SUCCEEDED and found.attempt < UNDO_ATTEMPTS:
        words = f"{_sentence(plan, step, '')} once more: the first undo failed"
        return Decision(step.effect, words, step.key, found.attempt + 1)
    return None


def _sentence(plan: Plan, step: Step, reason: str) -> str:
    sentences = _SENTENCES if plan.bare is None else _SENTENCES | _BARE_SENTENCES
    sentences = sentences | _SIMULATED if plan.simulated else sentences
    waits = step.effect is Effect.DETECT and plan.phases.detect_seconds > 0
    words = (_WAIT if waits else sentences[step.effect]).format(
        name=step.key.split(":", 1)[-1],
        target=plan.target.name,
        fault=plan.fault.path if plan.fault else "nothing",
        baseline=plan.phases.baseline_seconds,
        detect=plan.phases.detect_seconds,
        fault_seconds=plan.phases.fault_seconds,
        soak=plan.phases.soak_seconds,
        hold=plan.phases.hold_seconds,
    )
    return f"{words}, because {reason}" if reason and step.effect is not Effect.END else words


_WAIT = "wait up to {detect:g} s for an alert or `drillmark declare`, then recover all the same"
_SIMULATED = {
    Effect.PREPARE: "look at what is in the backup store",
    Effect.INJECT: "declare the disaster, which is simulated: from now on only what is in the backup store counts",
    Effect.SOAK: "watch for {soak:g} s and on, until the copy has answered for {hold:g} s",
    Effect.UNDO: "take the copy away",
    Effect.PROVE_UNDONE: "prove that the copy is gone",
}
_SENTENCES = {
    Effect.PREFLIGHT: "check {name} before anything is touched",
    Effect.GUARD: "start the guard, which undoes the fault should this runner be lost",
    Effect.OBSERVERS: "start the observers of {target}",
    Effect.LOAD: "start the load",
    Effect.PREPARE: "write down the undo of {fault} and make its child ready",
    Effect.BASELINE: "watch {target} undisturbed for {baseline:g} s: it must be in its steady state",
    Effect.INJECT: "inject {fault}: the steady state is met and its undo is written down",
    Effect.PROVE_EFFECT: "prove that the fault took effect",
    Effect.SIDE: "start the beats on the copy that is about to be restored",
    Effect.FAULT: "leave the fault in place for {fault_seconds:g} s",
    Effect.DETECT: "declare the disaster",
    Effect.RECOVER: "recover: {name}",
    Effect.VERIFY: "verify: {name}",
    Effect.SOAK: "watch for {soak:g} s and on, until service has held for {hold:g} s",
    Effect.READ_BACK: "stop the marker writer and read every acknowledged write back",
    Effect.UNDO: "undo the fault",
    Effect.PROVE_UNDONE: "prove that the fault is gone",
    Effect.AFTER_UNDO: "watch until service has held for {hold:g} s after the undo",
    Effect.STOP_LOAD: "stop the load",
    Effect.STOP_OBSERVERS: "stop the observers",
    Effect.CONCLUDE: "measure, judge, file gaps and write the report",
    Effect.END: "end the run",
}
_BARE_SENTENCES = {
    Effect.INJECT: "play {fault}: its undo is written down",
    Effect.PROVE_UNDONE: "take the fault out of the undo file",
    Effect.STOP_OBSERVERS: "end the watch",
    Effect.CONCLUDE: "judge, file gaps and write the report",
}
