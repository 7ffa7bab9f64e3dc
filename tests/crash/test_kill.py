"""`kill -9` on the runner, or on another process of a run, anywhere; then `resume`, or the guard. A seeded sample.

The whole matrix is `make test-crash`. `DRILLMARK_CRASH_SEED` and `DRILLMARK_CRASH_RUNS` draw other and more cases; the
seed is printed.
"""

from __future__ import annotations

import os
import random
import signal
import time

import page
import pytest
from bench import Bench
from cases import Case, Death
from measuring import measure

SEED = int(os.environ.get("DRILLMARK_CRASH_SEED", "20261127"))
RUNS = int(os.environ.get("DRILLMARK_CRASH_RUNS", "5"))
# About so many points a run passes; a number beyond the last one means the last one.
POINTS = 190

pytestmark = [pytest.mark.lab, pytest.mark.drill]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with Bench(tmp_path_factory.mktemp("kill")) as made:
        yield made


def drawn(draw: int) -> Case:
    """One in each part of the way, so that a few draws cover every phase; some lose another process, or die twice."""
    chance = random.Random(f"{SEED}-{draw}")
    drill = ("orders-db-lost", "orders-db-crash")[draw % 2]
    at = 1 + int((draw + chance.random()) * POINTS / RUNS)
    if draw % 3 == 2:
        return Case(drill, "process", (Death(f"any {SEED}-{draw}", at),))
    twice = (Death("runner", chance.randint(1, 60)),) if draw % 3 == 1 else ()
    return Case(drill, "boundary", (Death("runner", at),), twice)


@pytest.mark.parametrize("draw", range(RUNS))
def test_killed_anywhere_and_taken_up(bench, draw):
    case = drawn(draw)
    print(f"seed {SEED}, draw {draw}: {case.name}")
    record = measure(bench, case)
    print(page.line(record))
    if record["problems"]:
        bench.renew_lab()
    assert record["problems"] == []


def test_killed_and_never_resumed_the_guard_undoes(bench):
    death = Death("runner", "in restore-latest")
    before = bench.known()
    status, _points, output = bench.start(["run", bench.drills["orders-db-lost"]], [death.as_json()])
    assert status == -signal.SIGKILL, output
    (run,) = bench.known() - before
    assert bench.left(run).undoables == 1
    deadline = time.monotonic() + 180
    while not bench.left(run).guard_acted or bench.left(run).undoables or bench.processes_left(run):
        assert time.monotonic() < deadline, (bench.left(run), bench.processes_left(run))
        time.sleep(0.5)
    code, _points, output = bench.start(["resume", run, "--json"], [])
    assert code in (1, 3, 4), output
    assert bench.left(run).entries[-1].kind == "run_ended"
