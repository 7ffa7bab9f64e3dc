"""The truth lies in every interval: random runs on simulated clocks.

`DRILLMARK_RIG_CASES` makes more of them, `DRILLMARK_RIG_SEED` others; the seed is printed where one fails.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from drillmark import measure
from exhaustive import how_many
from rig import check, checks, loads, positions, scenario, sides

CASES = int(os.environ.get("DRILLMARK_RIG_CASES", "200"))
SEED = os.environ.get("DRILLMARK_RIG_SEED", "1")


def told(wrong: list[str], name: str) -> None:
    assert not wrong, f"DRILLMARK_RIG_SEED={SEED}, {len(wrong)} wrong in {name}:\n" + "\n".join(wrong[:20])


def test_drills_with_a_recovery_contain_the_truth():
    wrong: list[str] = []
    kinds: dict[str, int] = {}
    for case in range(CASES):
        made = scenario.make(Random(f"{SEED}:{case}"))
        kinds[made.kind] = kinds.get(made.kind, 0) + 1
        wrong += [f"case {case} ({made.kind}): {problem}" for problem in check.problems(made)]
    told(wrong, "drills")
    if CASES >= 200:
        assert set(kinds) == set(scenario.KINDS), "a kind of outage was never tried"


def test_checks_without_a_recovery_contain_the_truth():
    wrong: list[str] = []
    for case in range(CASES):
        made = checks.make(Random(f"{SEED}:check:{case}"))
        found = checks.problems(made, measure.measure(made.evidence))
        wrong += [f"case {case} ({made.kind}): {problem}" for problem in found]
    told(wrong, "checks")


def test_drills_under_load_contain_the_truth():
    wrong: list[str] = []
    for case in range(max(20, CASES // 10)):
        made = loads.make(Random(f"{SEED}:load:{case}"))
        wrong += [f"case {case}: {problem}" for problem in loads.problems(made, measure.measure(made.evidence))]
    told(wrong, "drills under load")


def test_simulated_disasters_contain_the_truth():
    wrong: list[str] = []
    for case in range(how_many(600, 20_000)):
        made = sides.make(Random(f"{SEED}:side:{case}"))
        found = sides.problems(made, measure.measure(made.evidence))
        wrong += [f"case {case} ({made.kind}): {problem}" for problem in found]
    told(wrong, "simulated disasters")


def test_loss_by_position_contains_the_truth():
    wrong: list[str] = []
    for case in range(how_many(600, 20_000)):
        made = positions.make(Random(f"{SEED}:position:{case}"))
        found = positions.problems(made, measure.measure(made.evidence))
        wrong += [f"case {case}: {problem}" for problem in found]
    told(wrong, "loss by position")


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_the_rig_notices_a_wrong_number(shift: float, monkeypatch: pytest.MonkeyPatch):
    """A rig that cannot fail shows nothing: half a second too early or too late must not go unseen."""
    from drillmark.measure.outage import rta
    from drillmark.measure.outage.rta import Service

    real = rta.service

    def wrong(*args: object) -> Service:
        found = real(*args)  # type: ignore[arg-type]
        d = None if found.d is None else found.d + round(shift * 1e9)
        return Service(found.c + round(shift * 1e9), d, found.d_first, found.reason)

    monkeypatch.setattr(rta, "service", wrong)
    problems = [problem for case in range(40) for problem in check.problems(scenario.make(Random(f"1:{case}")))]
    assert any("outside" in problem for problem in problems)
