"""Random checks with known truth: no recovery; the fault stays, then the undo ends it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from drillmark.measure.outage.rta import ENDED_BY_UNDO, UNDO_WITHIN_HOLD
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Measurements
from rig import service as service_of
from rig.journal import Journal, make_plan
from rig.service import Prober, Service

KINDS = ("heals", "down", "nothing", "too_late", "shaken_by_undo")


@dataclass(slots=True)
class CheckScenario:
    """A check: what happened really, and what it left behind."""

    kind: str
    evidence: Evidence
    disaster: float
    restored: float | None  # by itself, before the undo
    undo_begin: float
    undo_end: float
    back_after_undo: float  # when service was really there after the undo's end
    hold: float
    period: float
    timeout: float


def make(random: Random) -> CheckScenario:
    kind = random.choice(KINDS)
    hold = random.choice([1.0, 2.0])
    period = random.choice([0.05, 0.1, 0.2])
    baseline = hold + 0.7
    disaster = random.uniform(0.0, 0.3)
    effect = disaster + random.uniform(0.0, 0.5)
    fault = 3 * hold + random.uniform(0.0, 3.0)
    undo = effect + fault
    undo_end = undo + random.uniform(0.01, 1.0)
    restored: float | None = None
    down: list[tuple[float, float]] = []
    back = undo_end
    if kind in ("heals", "shaken_by_undo"):
        restored = disaster + random.uniform(1.5 * period, undo - hold - 3 * period - disaster)
        down.append((disaster, restored))
    elif kind == "too_late":
        restored = undo - random.uniform(4 * period, hold - 4 * period)
        down.append((disaster, restored))
    elif kind == "down":
        back = undo_end + random.uniform(-0.005, 2.0)
        down.append((disaster, back))
    if kind == "shaken_by_undo":
        back = undo + random.uniform(1.5 * period, 2.0)
        down.append((undo, back))
    service = Service(down, random.choice(["refused", "timeout", "error_page"]))
    end = max(back, undo_end) + hold + random.uniform(0.5, 3.0)
    prober = Prober(
        period=period,
        timeout=random.choice([0.3, 1.0]),
        begin=-baseline - 0.5,
        end=end + 1.5,
        jitter=random.choice([0.0, 0.05]),
    )
    plan = make_plan(period=period, timeout=prober.timeout, hold=hold, rto=1.0, after_undo=1.0)
    journal = Journal()
    journal.start(-baseline - 2)
    journal.intent(Effect.BASELINE, -baseline)
    journal.outcome(Effect.BASELINE, -0.1, met=True, reason="")
    journal.intent(Effect.INJECT, 0.0)
    journal.outcome(Effect.INJECT, disaster + 0.001, actions=[{"name": "break", "status": "succeeded", "error": ""}])
    journal.intent(Effect.PROVE_EFFECT, disaster + 0.001)
    journal.outcome(Effect.PROVE_EFFECT, effect + 0.01, ended=effect)
    journal.did(Effect.FAULT, effect + 0.01, undo - 0.001)
    rollbacks = [{"index": 0, "name": "mend", "status": "succeeded", "error": ""}]
    journal.did(Effect.UNDO, undo, undo_end, lag=0.01, rollbacks=rollbacks)
    journal.did(Effect.PROVE_UNDONE, undo_end + 0.01, undo_end + 0.02)
    journal.did(Effect.AFTER_UNDO, undo_end + 0.02, end, restored=True)
    journal.did(Effect.STOP_OBSERVERS, end + 1, end + 2)
    beats = service_of.beats(service, prober, random)
    return CheckScenario(
        kind=kind,
        evidence=Evidence(plan, journal.sorted(), beats=beats),
        disaster=disaster,
        restored=restored,
        undo_begin=undo,
        undo_end=undo_end,
        back_after_undo=max(back, undo_end),
        hold=hold,
        period=period,
        timeout=prober.timeout,
    )


def problems(scenario: CheckScenario, measured: Measurements) -> list[str]:
    """Everything that is wrong with the numbers."""
    from rig.check import SLACK, outside

    found = [f"a measuring part raised: {error}" for error in measured.errors]
    rta = measured.rta
    if scenario.kind == "nothing":
        if rta.seconds is None or "users saw nothing" not in rta.flags:
            found.append(f"users saw nothing, yet RTA is {rta}")
    elif scenario.kind == "down":
        if rta.seconds is not None or rta.applicable or rta.reason != ENDED_BY_UNDO:
            found.append(f"the undo ended it, yet RTA is {rta}")
    elif scenario.kind == "too_late":
        if rta.seconds is not None or rta.reason != UNDO_WITHIN_HOLD:
            found.append(f"the undo came within the hold window, yet RTA is {rta}")
    elif rta.seconds is None or scenario.restored is None:
        found.append(f"RTA is unknown: {rta.reason}")
    else:
        truth = scenario.restored - scenario.disaster
        found += outside("RTA", truth, rta.seconds.lo, rta.seconds.hi)
    after = measured.durations["after_undo"]
    if after.seconds is None or after.seconds.hi is None:
        return [*found, f"after_undo is unknown: {after.reason}"]
    found += outside("after_undo", scenario.back_after_undo - scenario.undo_end, after.seconds.lo, after.seconds.hi)
    if after.seconds.hi - after.seconds.lo > 2.2 * scenario.period + SLACK:
        found.append(f"after_undo is wide: {after.cited.filled_in}")
    return found
