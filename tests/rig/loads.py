"""Random drills under load: the service answers again, but slowly, or with errors, for a while.

The truth is found by the letter: at a fine grid of starts, the first from which on every objective holds over `hold`
and to the end, counted request by request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Measurements
from rig import service as service_of
from rig.journal import Journal, make_plan
from rig.service import Prober, Service

GRID = 0.005
Request = tuple[float, float, bool]


@dataclass(slots=True)
class LoadScenario:
    evidence: Evidence
    disaster: float
    truth: float | None  # when service was restored, by the letter; None: not before the end
    period: float
    died: bool


def make(random: Random) -> LoadScenario:
    hold = random.choice([2.0, 3.0])
    period = 0.1
    limit, error_limit = 0.2, random.choice([None, 0.05])
    disaster = random.uniform(0.01, 0.1)
    effect = disaster + 0.05
    switched = effect + random.uniform(1.0, 3.0)
    slow_until = switched + random.choice([0.0, random.uniform(0.2, 4.0)])
    faulty_until = slow_until + random.choice([0.0, random.uniform(0.2, 2.0)])
    end = faulty_until + hold + random.uniform(0.5, 3.0)
    rate = random.choice([20.0, 60.0])
    requests = _requests(random, -hold - 1, end + 1.0, rate, (disaster, switched), slow_until, faulty_until)
    died_at = random.uniform(switched, end) if random.random() < 0.15 else None
    load, users = service_of.load_tables(requests, -hold - 2, end + 1.0, died_at=died_at)
    prober = Prober(period=period, timeout=1.0, begin=-hold - 1, end=end + 1.5)
    beats = service_of.beats(Service([(disaster, switched)]), prober, random)
    plan = make_plan(recover=1, period=period, timeout=1.0, hold=hold, load=True, p95=limit, error_ratio=error_limit)
    journal = Journal()
    journal.start(-hold - 2)
    journal.intent(Effect.BASELINE, -hold - 0.5)
    journal.outcome(Effect.BASELINE, -0.1, met=True, reason="")
    journal.intent(Effect.INJECT, 0.0)
    journal.outcome(Effect.INJECT, disaster, actions=[{"name": "break", "status": "succeeded", "error": ""}])
    journal.intent(Effect.PROVE_EFFECT, disaster)
    journal.outcome(Effect.PROVE_EFFECT, effect)
    journal.did(Effect.RECOVER, effect + 0.1, switched, "0:recover-0", good=True)
    if died_at is not None:
        journal.add_event(died_at + 0.1, "load_died")
    journal.did(Effect.SOAK, switched + 0.1, end, restored=True)
    rollbacks = [{"index": 0, "name": "mend", "status": "succeeded", "error": ""}]
    journal.did(Effect.UNDO, end + 0.2, end + 0.3, rollbacks=rollbacks)
    journal.did(Effect.PROVE_UNDONE, end + 0.3, end + 0.4)
    journal.did(Effect.STOP_OBSERVERS, end + 1, end + 2)
    truth = by_the_letter(
        requests,
        start=switched,
        end=end,
        hold=hold,
        p95=limit,
        errors=error_limit,
        floor_rate=_baseline_rate(requests, hold),
    )
    evidence = Evidence(plan, journal.sorted(), beats=beats, load=load, load_users=users)
    return LoadScenario(evidence, disaster, truth, period, died_at is not None)


def _requests(
    random: Random,
    begin: float,
    end: float,
    rate: float,
    down: tuple[float, float],
    slow_until: float,
    faulty_until: float,
) -> list[Request]:
    found: list[Request] = []
    at = begin
    while at < end:
        ok, latency = True, random.uniform(0.01, 0.05)
        if down[0] <= at < down[1]:
            ok, latency = False, 0.002
        elif down[1] <= at < slow_until:
            latency = random.uniform(0.25, 0.6)
        elif slow_until <= at < faulty_until and random.random() < 0.5:
            ok = False
        found.append((at, latency, ok))
        at += random.uniform(0.5, 1.5) / rate
    return found


def _baseline_rate(requests: list[Request], hold: float) -> float:
    begin = -hold - 0.5
    return 0.9 * sum(1 for at, took, ok in requests if ok and begin <= at + took < 0.0) / (0.0 - begin)


def by_the_letter(
    requests: list[Request],
    *,
    start: float,
    end: float,
    hold: float,
    p95: float,
    errors: float | None,
    floor_rate: float,
) -> float | None:
    """The first start from which on the load's objectives hold over `hold` and to the end."""

    def holds(begin: float, until: float) -> bool:
        sent = [(took, ok) for at, took, ok in requests if begin <= at < until]
        done = sum(1 for at, took, ok in requests if ok and begin <= at + took < until)
        if not sent or done < math.floor(floor_rate * (until - begin) + 1e-9):
            return False
        within = sorted(took if ok else math.inf for took, ok in sent)
        if within[math.ceil(0.95 * len(within) - 1e-9) - 1] > p95:
            return False
        return errors is None or sum(1 for _, ok in sent if not ok) <= errors * len(sent) + 1e-9

    at = start
    while at + hold <= end:
        if holds(at, at + hold) and holds(at, end):
            return at
        at += GRID
    return None


def problems(scenario: LoadScenario, measured: Measurements) -> list[str]:
    """Everything that is wrong with the numbers."""
    found = [f"a measuring part raised: {error}" for error in measured.errors]
    seconds = measured.rta.seconds
    if seconds is None:
        return [*found, f"RTA is unknown: {measured.rta.reason}"]
    if scenario.died:
        if seconds.hi is not None:
            found.append(f"the load died, yet service is called restored: {measured.rta.cited.filled_in}")
        if measured.slo["soak"].indicators["throughput"].met is not None:
            found.append("the load died, yet its throughput is judged")
    if scenario.truth is None:
        return found if seconds.hi is None else [*found, f"never restored, yet RTA is {seconds}"]
    truth = scenario.truth - scenario.disaster
    if seconds.hi is None and not scenario.died:
        found.append(f"RTA has no upper edge: {measured.rta.reason}")
    # The truth is known to the width of its grid.
    if truth < seconds.lo - GRID or (seconds.hi is not None and truth > seconds.hi + GRID):
        found.append(f"the truth {truth:.3f} s is outside: {measured.rta.cited.filled_in}")
    return found
