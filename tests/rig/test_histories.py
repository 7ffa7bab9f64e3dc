"""Thousands of random histories of writes, by one to three marker writers: counts are exact, and the truth is held.

Against the rig's plain model, without beats. `make test-exhaustive` makes 20,000 of them; the seed is printed where one
fails.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest

from drillmark import judge, measure
from drillmark.measure.data import fates
from drillmark.model.evidence import Evidence, Written
from drillmark.model.measurement import Measurements
from drillmark.model.planned import PlannedMarkers
from drillmark.model.verdict import Outcome
from exhaustive import how_many
from rig import check, scenario
from rig import store as store_of
from rig.journal import make_plan

CASES = how_many(2000, 20_000)
SEED = os.environ.get("DRILLMARK_RIG_SEED", "1")


def make(random: Random) -> tuple[Evidence, list[tuple[store_of.Truth, float | None]]]:
    """A run of a few dozen seconds; of each writer the truth, and the age of its recovery point."""
    times = scenario._times(random, "down", 1.0)
    times["last_begun"] = times["restore_start"]
    baseline, soak_end = 2.0, times["last_ended"] + 2.0
    writers: list[PlannedMarkers] = []
    written: dict[str, Written] = {}
    truths: list[tuple[store_of.Truth, float | None]] = []
    point: float | None = None
    for number in range(random.choice([1, 1, 2, 3])):
        store, own = scenario._store(random, times, baseline, soak_end)
        # One restore serves all writers: they share its recovery point.
        if number:
            store.recovery_point, store.absent, store.new_from = point, False, times["switched"]
        else:
            point = own
        store.every, store.writers = random.choice([0.2, 0.4]), random.choice([1, 2])
        if store.changes and random.random() < 0.1:
            store.reverted, store.resurrected = 2, 2
        ledger, survivors, truth = store_of.run(store, random)
        name = f"w{number}" if number else ""
        writers.append(PlannedMarkers(name=name, secrets="rig"))
        written[name] = Written(ledger, survivors)
        age = None
        if truth.age_is_defined and point is not None:
            end = max(times["disaster"], truth.last_lost_commit or times["disaster"])
            age = max(0.0, end - point)
        truths.append((truth, age))
    plan = make_plan(recover=1, verify=1, probes=0, markers=True, hold=1.0, rpo=random.choice([0.5, 5.0]))
    plan = plan.model_copy(update={"markers": tuple(writers)})
    journal = scenario._journal(random, times, baseline, soak_end, 1, point)
    return Evidence(plan, journal.sorted(), written=written), truths


def problems(
    evidence: Evidence, truths: list[tuple[store_of.Truth, float | None]], measured: Measurements
) -> list[str]:
    found = [f"a measuring part raised: {error}" for error in measured.errors]
    for one, (truth, age) in zip(measured.writers, truths, strict=True):
        if one.writes is None:
            found += [f"{one.name}: not counted: {one.durations['rpa'].reason}"] if truth.acknowledged else []
            continue
        found += [f"{one.name}: {problem}" for problem in check.counted(one.writes, truth)]
        span = one.durations["rpa"].seconds
        if span is None:
            found.append(f"{one.name}: RPA is unknown: {one.durations['rpa'].reason}")
        elif age is not None:
            found += check.outside(f"{one.name}: RPA", age, span.lo, span.hi)
    ages = [age for _, age in truths]
    if measured.rpa.seconds is not None and all(age is not None for age in ages):
        worst = max(age for age in ages if age is not None)
        found += check.outside("the worst RPA", worst, measured.rpa.seconds.lo, measured.rpa.seconds.hi)
    integrity = judge.judge(evidence, measured).of("integrity")
    spoiled = any(check.spoiled(truth) for truth, _ in truths)
    if integrity is None or (integrity.outcome is Outcome.FAILED) != spoiled:
        found.append(f"integrity is judged {integrity and integrity.outcome}, spoiled: {spoiled}")
    return found


def test_counts_are_exact_and_intervals_hold_the_truth():
    wrong: list[str] = []
    seen = {"reverted": 0, "resurrected": 0, "unproved": 0, "holes": 0, "several writers": 0}
    for case in range(CASES):
        evidence, truths = make(Random(f"{SEED}:history:{case}"))
        seen["several writers"] += len(truths) > 1
        for truth, _ in truths:
            seen["reverted"] += bool(truth.reverted)
            seen["resurrected"] += bool(truth.resurrected)
            seen["unproved"] += bool(truth.unproved)
            seen["holes"] += bool(truth.holes)
        wrong += [f"case {case}: {one}" for one in problems(evidence, truths, measure.measure(evidence))]
    assert not wrong, f"DRILLMARK_RIG_SEED={SEED}, {len(wrong)} wrong:\n" + "\n".join(wrong[:20])
    assert all(count > CASES // 500 for count in seen.values()), seen


def test_an_absent_row_taken_for_lost_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """A model that agrees with anything shows nothing: a deleted row that is absent must not count as lost."""
    real = fates.of

    def wrong(ledger: fates.Ledger, back: fates.Mask, *, compares: bool) -> fates.Fates:
        fate = real(ledger, back, compares=compares)
        return replace(fate, missing=fate.missing | fate.unproved)

    monkeypatch.setattr(fates, "of", wrong)
    made = [make(Random(f"1:history:{case}")) for case in range(30)]
    found = [one for evidence, truths in made for one in problems(evidence, truths, measure.measure(evidence))]
    assert any("lost: counted" in one for one in found)
