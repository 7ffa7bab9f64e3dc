"""Holds what was measured against the truth, and its width against what `measurement.md` allows."""

from __future__ import annotations

import numpy as np

from drillmark import judge, measure
from drillmark.model.measurement import Measurements, Writes
from drillmark.model.verdict import Outcome
from rig.journal import ORIGIN_NS, SECOND
from rig.scenario import Scenario
from rig.store import Truth

SLACK = 1e-6  # nanoseconds are rounded when scripts become stamps


def problems(scenario: Scenario) -> list[str]:
    """Everything that is wrong with the numbers of a scenario; empty if nothing is."""
    measured = measure.measure(scenario.evidence)
    found = [f"a measuring part raised: {error}" for error in measured.errors]
    found += recovery_time(scenario, measured)
    found += recovery_point(scenario, measured)
    found += counts(scenario, measured)
    found += verdicts(scenario, measured)
    return found


def recovery_time(scenario: Scenario, measured: Measurements) -> list[str]:
    rta = measured.rta
    if rta.seconds is None:
        return [f"RTA is unknown ({rta.reason})"]
    found = outside("RTA", scenario.rta, rta.seconds.lo, rta.seconds.hi)
    if rta.seconds.hi is None:
        # Only where beats went on missing may there be no upper edge.
        return found + ([] if _missing_at_end(scenario) else [f"RTA has no upper edge: {rta.reason}"])
    width, allowed = rta.seconds.hi - rta.seconds.lo, allowed_width(scenario, measured)
    if width > allowed + SLACK:
        found.append(f"RTA is {width:.4f} s wide, {allowed:.4f} s are allowed: {rta.cited.filled_in}")
    return found


def allowed_width(scenario: Scenario, measured: Measurements) -> float:
    """Two periods sampled whole, plus e - I where the outage did not show in time, plus the last activity.

    Where beats are absent, the longest gaps stand in for the periods.
    """
    prober = scenario.prober
    gaps = [prober.grid + prober.period * prober.jitter] * 2
    if not scenario.sampled_whole:
        sends = _sends(scenario)
        steps = np.diff(sends)
        gaps = [float(step) for step in np.sort(steps)[-3:]]
        # Nothing after an absence proves what was before it: the restored service begins after the last one.
        ends = sends[1:][(steps > 2 * prober.grid) & (sends[:-1] < scenario.soak_end)]
        gaps.append(max(0.0, float(ends.max()) - scenario.restored) if len(ends) else 0.0)
        # Nor does what was good after one prove that the outage was not in it.
        begins = sends[:-1][(steps > 2 * prober.grid) & (sends[1:] > 0)]
        gaps.append(max(0.0, measured.rta.cited.terms["b"] - max(0.0, float(begins[0]))) if len(begins) else 0.0)
        # An absence may have hidden the whole of the last outage.
        bad = _sends(scenario, only_bad=True)
        if len(bad) and scenario.service.last_down() >= scenario.restored:
            gaps.append(max(0.0, scenario.restored - float(bad[-1])))
    spread = 2 * prober.spread * (prober.probes - 1)
    allowed = sum(gaps) + spread + scenario.last_activity_seconds
    b = measured.rta.cited.terms["b"]
    if b == scenario.effect or abs(b - scenario.effect) < SLACK:
        allowed += scenario.effect
    data = measured.stamps["t_data_restored"]
    assert data is not None
    return allowed + data["hi"] - data["lo"]


def _sends(scenario: Scenario, *, only_bad: bool = False) -> np.ndarray:
    """When beats were sent, from shortly before the fault on; seconds since I."""
    beats = scenario.evidence.beats
    assert beats is not None
    last = beats["probe"] == scenario.prober.probes - 1
    if only_bad:
        last &= beats["ok"] == 0
    sends = (np.sort(beats["sent_ns"][last]) - ORIGIN_NS) / SECOND
    return sends[sends >= -2]


def _missing_at_end(scenario: Scenario) -> bool:
    prober = scenario.prober
    if not prober.closed:
        return True
    if not prober.dropped:
        return False
    sends = _sends(scenario)
    hold = scenario.evidence.plan.phases.hold_seconds
    late = sends[(sends >= scenario.soak_end - hold - 8 * prober.grid) & (sends < scenario.soak_end)]
    return bool((np.diff(late, append=scenario.soak_end) > 2 * prober.grid).any())


def recovery_point(scenario: Scenario, measured: Measurements) -> list[str]:
    rpa, truth = measured.rpa, scenario.rpa
    if not scenario.writes.acknowledged:
        return [] if rpa.seconds is None else ["nothing was acknowledged, and yet there is an RPA"]
    if rpa.seconds is None:
        return [f"RPA is unknown ({rpa.reason})"]
    return [] if truth is None else outside("RPA", truth, rpa.seconds.lo, rpa.seconds.hi)


def counts(scenario: Scenario, measured: Measurements) -> list[str]:
    writes, truth = measured.writes, scenario.writes
    if writes is None:
        return [] if not truth.acknowledged else ["the writes were not counted"]
    return counted(writes, truth)


def counted(writes: Writes, truth: Truth) -> list[str]:
    pairs = {
        "acknowledged": (writes.acknowledged, truth.acknowledged),
        "lost": (writes.lost, len(truth.lost)),
        "holes": (writes.holes, len(truth.holes)),
        "lost updates": (writes.lost_updates, len(truth.reverted)),
        "resurrected": (writes.resurrected, len(truth.resurrected)),
        "survived": (writes.survived, truth.survived),
        "unproved": (writes.unproved, truth.unproved),
        "recovered": (writes.recovered, truth.recovered),
        "unexpected": (writes.unexpected, truth.unexpected),
        "split brain": (writes.split_brain, truth.split_brain),
        "indeterminate": (writes.indeterminate, truth.indeterminate),
        "lost after": (writes.lost_after, 0),
    }
    found = [f"{name}: counted {got}, truly {real}" for name, (got, real) in pairs.items() if got != real]
    if not set(writes.lost_ids) <= truth.lost:
        found.append("writes are listed as lost that are not")
    return found


def verdicts(scenario: Scenario, measured: Measurements) -> list[str]:
    """A verdict may be unknown; it must not be wrong."""
    verdict = judge.judge(scenario.evidence, measured)
    found: list[str] = []
    for name, truth, objective in (("rto", scenario.rta, scenario.rto), ("rpo", scenario.rpa, scenario.rpo)):
        judged = verdict.of(name)
        assert judged is not None
        if truth is None or judged.outcome is Outcome.UNKNOWN:
            continue
        right = Outcome.PASSED if truth <= objective else Outcome.FAILED
        if judged.outcome is not right and abs(truth - objective) > SLACK:
            found.append(f"{name} is judged {judged.outcome}, truly {truth:.4f} s against {objective:.4f} s")
    integrity = verdict.of("integrity")
    truth = scenario.writes
    is_spoiled = spoiled(truth)
    if integrity is None or (integrity.outcome is Outcome.FAILED) != is_spoiled:
        found.append(f"integrity is judged {integrity and integrity.outcome}, spoiled: {is_spoiled}")
    return found


def spoiled(truth: Truth) -> bool:
    """Whether what is there is not what a recovery point explains."""
    return bool(truth.holes or truth.reverted or truth.resurrected or truth.unexpected or truth.split_brain)


def outside(name: str, truth: float, lo: float, hi: float | None) -> list[str]:
    if truth < lo - SLACK or (hi is not None and truth > hi + SLACK):
        return [f"{name}: the truth {truth:.4f} s is outside [{lo:.4f}, {'null' if hi is None else f'{hi:.4f}'}]"]
    return []
