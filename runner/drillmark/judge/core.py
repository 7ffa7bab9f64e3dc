"""The run's verdict out of every single one, and the exit code that it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from drillmark.errors import EXIT_ABORTED, EXIT_FAILED, EXIT_PASSED, EXIT_UNKNOWN
from drillmark.judge import bare, conduct
from drillmark.measure.timeline import history
from drillmark.measure.timeline.history import History
from drillmark.model.entry import Kind
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Measurements
from drillmark.model.verdict import Judged, Outcome, Verdict

# A bare experiment states none but its own end.
_OBJECTIVES = ("rto", "rpo", "mtd", "after_undo", "time_to_detect", "experiment")
_NOT_FINISHED = "the run did not come to its end"


def judge(evidence: Evidence, measurements: Measurements) -> Verdict:
    """The verdict on a run. Never raises: what cannot be judged is unknown."""
    told = history.read(evidence.entries)
    judged: list[Judged] = []
    for name, part in _parts(evidence).items():
        try:
            judged.extend(part(evidence, told, measurements))
        except Exception as error:  # noqa: BLE001 (a judging part that raises makes its verdict unknown)
            judged.append(Judged(name, Outcome.UNKNOWN, reason=f"judging {name} failed: {error!r}"))
    if not told.finished:
        judged = [_not_yet(one) for one in judged]
    aborted = _aborted(told)
    outcome = worst(one.outcome for one in judged)
    reasons = [
        f"{one.name}: {one.reason}"
        for level in (Outcome.FAILED, Outcome.UNKNOWN)
        for one in judged
        if one.outcome is level
    ]
    if not any(_is_objective(one.name) and one.outcome is not Outcome.NOT_APPLICABLE for one in judged):
        outcome = worst((outcome, Outcome.UNKNOWN))
        reasons.append("no objective was judged")
    refused = any(entry.data.get("refused") for entry in told.of(Kind.ABORT))
    if aborted:
        outcome = worst((outcome, Outcome.UNKNOWN))
        # A refusal is why there is nothing else to tell, so it comes first.
        reasons.insert(0 if refused else len(reasons), f"{'refused' if refused else 'aborted'}: {aborted}")
    return Verdict(
        outcome=outcome,
        reasons=tuple(dict.fromkeys(reasons)),
        judged=tuple(judged),
        aborted=bool(aborted),
        refused=refused,
    )


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of some: failed, unknown, passed; what is not applicable takes no part."""
    return max(outcomes, key=lambda outcome: outcome.severity, default=Outcome.NOT_APPLICABLE)


def exit_code(verdict: Verdict) -> int:
    """The exit code of a run that came to a verdict: 3 before 1 before 4 before 0."""
    if verdict.aborted or verdict.refused:
        return EXIT_ABORTED
    return {Outcome.FAILED: EXIT_FAILED, Outcome.PASSED: EXIT_PASSED}.get(verdict.outcome, EXIT_UNKNOWN)


def _not_yet(judged: Judged) -> Judged:
    # What was still to come may have spoiled it.
    if judged.outcome is not Outcome.PASSED:
        return judged
    return replace(judged, outcome=Outcome.UNKNOWN, reason=_NOT_FINISHED)


def _is_objective(name: str) -> bool:
    """Whether a verdict of this name is on an objective, not on how the run was conducted."""
    return name in _OBJECTIVES or name.startswith("slo.")


def _finished(evidence: Evidence, told: History, measurements: Measurements) -> list[Judged]:
    """The run itself: that it came to its end, and that measuring it did not break."""
    del evidence
    reasons = [*measurements.errors] if told.finished else [_NOT_FINISHED, *measurements.errors]
    return [Judged("run", Outcome.UNKNOWN, unit="", reason="; ".join(reasons))] if reasons else []


def _aborted(told: History) -> str:
    for entry in told.of(Kind.ABORT):
        return f"{entry.data.get('by', 'somebody')}: {entry.data.get('reason', 'no reason given')}"
    if any(entry.data.get("what") == "acting" for entry in told.of(Kind.GUARD)):
        return "the guard undid the fault"
    return ""


_Part = Callable[[Evidence, History, Measurements], list[Judged]]


def _parts(evidence: Evidence) -> dict[str, _Part]:
    if evidence.plan.bare is not None:
        return {
            "steady_state": bare.steady_state,
            "experiment": bare.experiment,
            "actions": conduct.actions,
            "undo": conduct.undo,
            "run": _finished,
        }
    # Numbers need more of the measuring part than a bare experiment, which has none, is to wait for.
    from drillmark.judge import numbers, service  # noqa: PLC0415

    return {
        "preflight": conduct.preflight,
        "steady_state": conduct.steady_state,
        "fault": conduct.fault,
        "simulated": conduct.simulated,
        "rto": numbers.rto,
        "rpo": numbers.rpo,
        "integrity": numbers.integrity,
        "slo": service.slo,
        "time_to_detect": numbers.time_to_detect,
        "mtd": numbers.mtd,
        "after_undo": numbers.after_undo,
        "verification": conduct.verification,
        "actions": conduct.actions,
        "undo": conduct.undo,
        "run": _finished,
    }
