"""How the run was conducted: preflight, steady state, the fault's proof, actions, verification, undo.

Yes-or-no questions. What was to be done and has no outcome is unknown; what ended badly has failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from drillmark.decide.stops import repeatable
from drillmark.measure.timeline.history import History, Ran
from drillmark.model.entry import Effect, Kind, Status
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Cited, Measurements
from drillmark.model.plan import Plan
from drillmark.model.undo_words import undo_words
from drillmark.model.verdict import Judged, Outcome


def preflight(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """What had to be true before anything was touched."""
    del measurements
    wanted = [one.name for one in evidence.plan.preflight]
    return [_of_each("preflight", wanted, told.all(Effect.PREFLIGHT), "was not met")] if wanted else []


def steady_state(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """Chaos Toolkit's hypothesis, and the service level in the baseline: as the run saw it, and from the samples."""
    del evidence
    inject, baseline = told.one(Effect.INJECT), told.one(Effect.BASELINE)
    cited = Cited(entries=tuple(sorted((*baseline.sequences, *inject.sequences))), samples=("samples/beats.dms",))
    deviated = any(entry.data.get("deviated") for entry in (*told.one(Effect.UNDO).outcomes, *inject.outcomes))
    seen, measured = cast("bool | None", baseline.data.get("met")), measurements.steady_state
    met, reason = seen, str(baseline.data.get("reason") or "not known")
    if inject.data.get("gate_failed"):
        met, reason = False, str(inject.data.get("error") or "the experiment's hypothesis was not met")
    elif deviated:
        met, reason = False, "the experiment's hypothesis deviated"
    elif any(entry.data.get("hypothesis_unchecked") for entry in told.one(Effect.UNDO).outcomes):
        met, reason = None, "the experiment's hypothesis could not be checked after its method"
    elif baseline.outcome is None:
        if _stopped_before(told):
            return []
        met, reason = None, "no baseline was watched to its end"
    elif not measured.applicable:
        return [Judged("steady_state", Outcome.NOT_APPLICABLE, unit="", reason=measured.reason)]
    elif seen is True:
        injected = measurements.fault_begin is not None
        met, reason = (measured.met, measured.reason) if injected else (True, "")
    return [_yes_or_no("steady_state", met=met, reason=reason, cited=cited)]


def fault(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """Whether the fault was injected, took effect, and lasted until its undo."""
    del measurements
    if evidence.plan.fault is None or not told.one(Effect.INJECT).intents:
        return []
    inject, proof = told.one(Effect.INJECT), told.one(Effect.PROVE_EFFECT)
    cited = Cited(entries=tuple(sorted((*inject.sequences, *proof.sequences))))
    if inject.data.get("gate_failed"):
        return []
    undone = told.one(Effect.UNDO)
    asked = (*undone.intents, *undone.outcomes)  # in older journals the outcome says it
    unchecked = [str(entry.data["effect_unchecked"]) for entry in asked if entry.data.get("effect_unchecked")]
    if unchecked and proof.status == Status.SUCCEEDED:
        cited = Cited(entries=tuple(sorted((*cited.entries, *undone.sequences))))
        reason = f"whether the fault lasted until its undo is not known: {unchecked[-1]}"
        return [_yes_or_no("fault", met=None, reason=reason, cited=cited)]
    if proof.status in (Status.SUCCEEDED, Status.SKIPPED):
        return [_yes_or_no("fault", met=True, reason="", cited=cited)]
    why = str(proof.data.get("error") or inject.data.get("error") or "")
    return [_yes_or_no("fault", met=None, reason="fault not proved" + (f": {why}" if why else ""), cited=cited)]


def verification(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """Every verification of the plan."""
    del measurements
    wanted = [one.name for one in evidence.plan.verify]
    if not wanted or _stopped_before(told):
        return []
    return [_of_each("verification", wanted, told.all(Effect.VERIFY), "failed")]


def actions(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """Every action of the fault and every activity of the recovery. One that failed is a failure of the run."""
    del measurements
    plan, inject = evidence.plan, told.one(Effect.INJECT)
    if not _begun(plan, inject):
        return []
    if plan.bare is not None and plan.bare.touches_nothing:
        return []
    wanted = plan.fault.actions if plan.fault else []
    done = [cast("dict[str, Any]", one) for one in inject.data.get("actions", []) if isinstance(one, dict)]
    failed = [_said(one) for one in done if one.get("status") in (Status.FAILED, Status.TIMED_OUT)]
    unclear = [_said(one) for one in done if one.get("status") not in (*_ENDED, Status.SUCCEEDED)]
    if len(done) < len(wanted):
        unclear.append(f"{len(wanted) - len(done)} of {len(wanted)} actions have no outcome")
    recoveries = told.all(Effect.RECOVER)
    for ran in recoveries:
        if ran.good is False:
            failed.append(f"recovery step {_said(ran.data, ran.key)}")
        elif ran.good is None:
            unclear.append(f"recovery step {_name(ran.key)} {_left_open(plan, told, ran)}")
    if len(recoveries) < len(plan.recover):
        unclear.append(f"{len(plan.recover) - len(recoveries)} of {len(plan.recover)} recovery steps never began")
    cited = Cited(entries=tuple(sorted((*inject.sequences, *_sequences(recoveries)))))
    return [_worst_of("actions", failed, unclear, cited)]


def _left_open(plan: Plan, told: History, ran: Ran) -> str:
    """What became of a recovery step that has no outcome."""
    planned = next((one for index, one in enumerate(plan.recover) if ran.key == f"{index}:{one.name}"), None)
    resumed = any(told.of(Kind.RESUMED)) and not any(told.of(Kind.ABORT)) and not any(told.of(Kind.GUARD))
    if planned is None or repeatable(planned) or ran.outcome is not None or not resumed:
        return "did not end"
    undone = undo_words(simulated=plan.simulated).done
    return (
        f"was cut short, and {undone} by `resume`, as the step does not say that it may run twice "
        "(`repeatable: true` would have let it go on)"
    )


def undo(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """Every rollback, and the proof that the fault is gone."""
    del measurements
    judged = undone(evidence.plan, told)
    return [] if judged is None else [judged]


def undone(plan: Plan, told: History) -> Judged | None:
    """What the journal says of the undo and of its proof. None: there was nothing to undo."""
    inject = told.one(Effect.INJECT)
    if not _begun(plan, inject):
        return None
    if plan.bare is not None and plan.bare.touches_nothing:
        return None
    called = undo_words(simulated=plan.simulated)
    ran, proof = told.one(Effect.UNDO), told.one(Effect.PROVE_UNDONE)
    if ran.data.get("waived"):
        reason = "the fault was left in place, as the rollback strategy says"
        return Judged("undo", Outcome.NOT_APPLICABLE, unit="", reason=reason, cited=Cited(entries=ran.sequences))
    guard = list(told.of(Kind.GUARD))
    cited = Cited(entries=tuple(sorted((*ran.sequences, *proof.sequences, *(entry.sequence for entry in guard)))))
    if any(entry.data.get("what") == "acting" for entry in guard) and not ran.intents:
        return _undone_by_guard([entry.data for entry in guard], cited)
    rollbacks = [cast("dict[str, Any]", one) for one in ran.data.get("rollbacks", []) if isinstance(one, dict)]
    failed = [_said(one) for one in rollbacks if one.get("status") in (Status.FAILED, Status.TIMED_OUT)]
    unclear = [_said(one) for one in rollbacks if one.get("status") not in (*_ENDED, Status.SUCCEEDED)]
    if ran.good is False and not failed:
        failed.append(_said(ran.data, "undo"))
    if ran.good is None:
        unclear.append("the undo did not end" if ran.intents else called.never)
    if len(rollbacks) < len(plan.undos) and ran.good is not None:
        unclear.append(f"{len(plan.undos) - len(rollbacks)} of {len(plan.undos)} undos have no outcome")
    if proof.status in (Status.FAILED, Status.TIMED_OUT):
        failed.append(f"{called.thing} is not proved gone: {proof.data.get('error', '')}".rstrip(": "))
    elif proof.status not in (Status.SUCCEEDED, Status.SKIPPED):
        unclear.append(f"nothing proves that {called.thing} is gone")
    return _worst_of("undo", failed, unclear, cited)


def simulated(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """A simulated disaster: production kept its service level, and nothing from after t0 was restored from."""
    if not _begun(evidence.plan, told.one(Effect.INJECT)):
        return []
    return [
        _yes_or_no(name, met=check.met, reason=check.reason, cited=check.cited)
        for name, check in (("production", measurements.production), ("source", measurements.source))
        if check.applicable
    ]


def _begun(plan: Plan, inject: Ran) -> bool:
    """Whether a fault was begun, or a simulated disaster declared."""
    if plan.fault is None and not plan.simulated:
        return False
    return bool(inject.intents) and not inject.data.get("nothing_began") and not inject.data.get("gate_failed")


_ENDED = (Status.FAILED, Status.TIMED_OUT)


def _undone_by_guard(lines: list[dict[str, Any]], cited: Cited) -> Judged:
    if any(line.get("what") == "undone" for line in lines):
        return _yes_or_no("undo", met=True, reason="", cited=cited)
    failed = [str(line.get("error") or "an undo failed") for line in lines if line.get("what") == "undo_failed"]
    return _worst_of("undo", failed, ["the guard's undo is not known to have succeeded"], cited)


def _of_each(name: str, wanted: list[str], found: list[Ran], failing: str) -> Judged:
    cited = Cited(entries=_sequences(found))
    failed = [f"{_name(ran.key)} {failing}{_because(ran.data)}" for ran in found if ran.good is False]
    unclear = [f"{_name(ran.key)} has no outcome" for ran in found if ran.good is None]
    if len(found) < len(wanted):
        unclear.append(f"{len(wanted) - len(found)} of {len(wanted)} were never begun")
    return _worst_of(name, failed, unclear, cited)


def _worst_of(name: str, failed: list[str], unclear: list[str], cited: Cited) -> Judged:
    if failed:
        return _yes_or_no(name, met=False, reason="; ".join(failed), cited=cited)
    return _yes_or_no(name, met=None if unclear else True, reason="; ".join(unclear), cited=cited)


def _yes_or_no(name: str, *, met: bool | None, reason: str, cited: Cited) -> Judged:
    outcome = {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.UNKNOWN}[met]
    return Judged(name, outcome, unit="", reason=reason, cited=cited)


def _stopped_before(told: History) -> bool:
    """Whether the run stopped before the fault, for a reason that is judged elsewhere."""
    return not told.one(Effect.INJECT).intents and any(ran.good is False for ran in told.all(Effect.PREFLIGHT))


def _sequences(found: Iterable[Ran]) -> tuple[int, ...]:
    return tuple(sorted(number for ran in found for number in ran.sequences))


def _name(key: str) -> str:
    return key.split(":", 1)[-1]


def _because(data: dict[str, Any]) -> str:
    error = str(data.get("error") or "")
    return f" ({error})" if error else ""


def _said(data: dict[str, Any], key: str = "") -> str:
    name = str(data.get("name") or _name(key))
    return f"{name}: {data.get('error') or data.get('status') or 'no status'}"
