"""How a bare experiment went: what Chaos Toolkit says of it, and what it says nothing of.

It has no target that is watched, so the experiment's own end and its own steady state stand for the objectives.
"""

from __future__ import annotations

from typing import Any, cast

from drillmark.measure.timeline.history import History
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Cited, Measurements
from drillmark.model.plan import Plan
from drillmark.model.verdict import Judged, Outcome

_REHEARSED = "dry: what was left out proves nothing"
# What a hypothesis strategy asks for, by the phases of the event log. Any other name asks for all that `default` does.
_BEFORE, _DURING, _AFTER = "hypothesis_before", "hypothesis_during", "hypothesis_after"
_ASKED = {
    "before-method-only": (_BEFORE,),
    "during-method-only": (_DURING,),
    "after-method-only": (_AFTER,),
    "default": (_BEFORE, _AFTER),
    **dict.fromkeys(("continuous", "continuously", "continously"), (_BEFORE, _DURING, _AFTER)),
    "skip": (),
}


def steady_state(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """The experiment's own hypothesis: before, during and after its method, as far as its strategy asks.

    It has passed where each of these was seen to be met; where nothing is asked, there is nothing to judge.
    """
    del measurements
    plan = evidence.plan
    if not _probes(plan) or not told.one(Effect.INJECT).intents:
        return []
    found = _found(told)
    gate = told.one(Effect.INJECT).data
    asked = _ASKED.get(str(found.get("strategy")), _ASKED["default"])
    unseen = [phase for phase in asked if phase not in found["met"]]
    if plan.bare and plan.bare.dry in ("probes", "activities"):
        outcome, reason = Outcome.NOT_APPLICABLE, _REHEARSED
    elif gate.get("gate_failed"):
        outcome, reason = Outcome.FAILED, str(gate.get("error") or "it was not met before the method")
    elif found.get("deviated") or _played(told).get("deviated"):
        outcome, reason = Outcome.FAILED, "it deviated: it was not met after the method"
    elif found.get("missed_during"):
        outcome, reason = Outcome.FAILED, "it was missed during the method"
    elif not asked:
        outcome, reason = Outcome.NOT_APPLICABLE, "its strategy is to skip it"
    elif unseen:
        places = " and ".join(phase.removeprefix("hypothesis_") for phase in unseen)
        outcome, reason = Outcome.UNKNOWN, f"nobody saw it met {places} the method"
    elif not _played(told):
        outcome, reason = Outcome.UNKNOWN, "the experiment was not played to its end"
    else:
        outcome, reason = Outcome.PASSED, ""
    return [Judged("steady_state", outcome, unit="", reason=reason, cited=_cited(told))]


def experiment(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """Chaos Toolkit's own status. `failed` is the steady state's matter, and judged there."""
    del measurements
    bare = evidence.plan.bare
    if not told.one(Effect.INJECT).intents:
        return []
    status = str(_played(told).get("status") or "")
    if bare is not None and bare.rehearsed:
        outcome, reason = Outcome.NOT_APPLICABLE, _REHEARSED
    elif not status:
        outcome, reason = Outcome.UNKNOWN, "it was not played to its end"
    elif status == "completed" or (status == "failed" and _probes(evidence.plan)):
        outcome, reason = Outcome.PASSED, ""
    else:
        outcome, reason = Outcome.FAILED, f"Chaos Toolkit ended it as {status}"
    return [Judged("experiment", outcome, unit="", reason=reason, cited=_cited(told))]


def _played(told: History) -> dict[str, Any]:
    return cast("dict[str, Any]", _found(told).get("played") or told.one(Effect.INJECT).data.get("played") or {})


def _found(told: History) -> dict[str, Any]:
    """What the outcomes of the undo say, the first one first: a second attempt sees no child any more."""
    found: dict[str, Any] = {"met": set()}
    for entry in (*told.one(Effect.INJECT).outcomes, *told.one(Effect.UNDO).outcomes):
        found["met"].update(entry.data.get("met") or ())
        for key in ("played", "deviated", "missed_during", "strategy"):
            found[key] = found.get(key) or entry.data.get(key)
    return found


def _probes(plan: Plan) -> bool:
    hypothesis = plan.fault.experiment.get("steady-state-hypothesis") if plan.fault else None
    return bool(hypothesis and hypothesis.get("probes"))


def _cited(told: History) -> Cited:
    return Cited(entries=tuple(sorted((*told.one(Effect.INJECT).sequences, *told.one(Effect.UNDO).sequences))))
