"""A store's log with a scripted life, the readings that the position reader would have left, and real faults of it.

The log grows at random moments. What is restored ends at a scripted instant; the truth by position is how old that
is at the end of what could be lost.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from random import Random

from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence, Table
from drillmark.model.measurement import Measurements
from drillmark.model.planned import PlannedPositions
from rig import service as service_of
from rig.journal import ORIGIN_NS, Journal, make_plan, ns, table
from rig.service import Prober, Service, Stretch

BASE = 0x3000000


@dataclass(slots=True)
class Log:
    """Records at `records` (times, sorted); `gone_at`: no reading succeeds from then on, until `new_from`."""

    records: list[float]
    gone_at: float | None = None
    new_from: float | None = None
    lost: list[Stretch] = field(default_factory=list)  # nobody read in these

    def at(self, moment: float) -> int:
        """The position at an instant."""
        return BASE + 64 * bisect.bisect_right(self.records, moment)

    def reaches(self, point: float) -> float:
        """Up to when everything is in what was restored to `point`: nothing is written until the next record."""
        place = bisect.bisect_right(self.records, point)
        return self.records[place] if place < len(self.records) else float("inf")


def records(random: Random, begin: float, end: float) -> list[float]:
    pace = random.choice([0.01, 0.1, 1.0])
    found, at = [], begin
    while (at := at + random.expovariate(1 / pace)) < end:
        found.append(at)
    return found


def readings(log: Log, random: Random, *, begin: float, end: float, period: float, closed: bool = True) -> Table:
    rows: list[tuple[float, float, int, int, int]] = []
    at = begin
    while at < end:
        took = random.uniform(0.0005, 0.02)
        asked = at + took * random.random()
        if not any(a <= at < b for a, b in log.lost):
            old = log.gone_at is None or asked < log.gone_at
            new = log.new_from is not None and asked >= log.new_from
            if old or new:
                rows.append((at, at + took, log.at(asked), 1 if old else 2, 1))
            else:
                rows.append((at, at + took, 0, 0, 0))
        at += period
    return table(
        {
            "sent_ns": [ORIGIN_NS + ns(row[0]) for row in rows],
            "received_ns": [ORIGIN_NS + ns(row[1]) for row in rows],
            "position": [row[2] for row in rows],
            "timeline": [row[3] for row in rows],
            "ok": [row[4] for row in rows],
            "detail": [0] * len(rows),
        },
        {"store": "postgres", "system_identifier": "1", "period_ns": ns(period)},
        closed=closed,
    )


@dataclass(slots=True)
class PositionScenario:
    """A real fault, measured by position. `truth`: the age of the restored log at the end of what could be lost."""

    evidence: Evidence
    truth: float
    blind: bool  # the reader was dead for a while
    period: float
    b: float


def make(random: Random) -> PositionScenario:
    hold, period = 1.0, random.choice([0.05, 0.1, 0.5])
    disaster = random.uniform(0.0, 1.0)
    effect = disaster + random.uniform(0.0, 0.5)
    fence = effect + random.uniform(0.01, 2.0)
    # A lost host ends at the disaster; a wrong statement lets the store go on to its fence.
    gone = random.choice([disaster, fence])
    data = fence + random.uniform(0.2, 3.0)
    switched = data + random.uniform(0.05, 1.0)
    end = switched + hold + random.uniform(0.5, 2.0)
    begin = -hold - 4.0
    log = Log(records(random, begin, gone), gone_at=gone, new_from=switched)
    point = random.choice([gone, gone - random.uniform(0.0, 4.0), random.uniform(begin, gone), begin - 5.0])
    if random.random() < 0.25:
        centre = random.choice([gone, point, switched])
        log.lost.append((centre - random.uniform(0.0, 1.0), centre + random.uniform(0.1, 2.0)))
    elif random.random() < 0.1:
        log.lost.append((random.uniform(begin, end), 1e9))
    last = log.records[-1] if log.records else disaster
    over = max(disaster, last) if log.at(last) > log.at(point) else disaster
    plan = make_plan(recover=1, period=0.1, timeout=1.0, hold=hold, rpo=1.0)
    plan = plan.model_copy(update={"positions": PlannedPositions(secrets="rig", every_seconds=period)})
    journal = Journal()
    journal.start(begin - 1)
    journal.intent(Effect.BASELINE, -hold - 0.5)
    journal.outcome(Effect.BASELINE, -0.1, met=True, reason="")
    journal.intent(Effect.INJECT, 0.0)
    journal.outcome(Effect.INJECT, disaster, actions=[{"name": "break", "status": "succeeded", "error": ""}])
    journal.intent(Effect.PROVE_EFFECT, disaster)
    journal.outcome(Effect.PROVE_EFFECT, effect)
    report = {
        "data_restored_ns": [ORIGIN_NS + ns(data - 0.02), ORIGIN_NS + ns(data)],
        "restored_end_lsn": log.at(point),
        "system_identifier": "1",
    }
    journal.did(Effect.RECOVER, fence, switched, "0:recover-0", good=True, output={"drillmark": report})
    journal.did(Effect.SOAK, switched + 0.01, end, restored=True)
    rollbacks = [{"index": 0, "name": "mend", "status": "succeeded", "error": ""}]
    journal.did(Effect.UNDO, end + 0.1, end + 0.2, rollbacks=rollbacks)
    journal.did(Effect.PROVE_UNDONE, end + 0.2, end + 0.3)
    journal.did(Effect.STOP_OBSERVERS, end + 0.4, end + 0.6)
    down = [(disaster if gone == disaster else fence, switched)]
    beats = service_of.beats(Service(down), Prober(begin=begin, end=end + 1.5, timeout=1.0), random)
    found = readings(log, random, begin=begin, end=end, period=period)
    return PositionScenario(
        Evidence(plan, journal.sorted(), beats=beats, positions=found),
        max(0.0, over - log.reaches(point)),
        bool(log.lost),
        period,
        effect,
    )


def problems(scenario: PositionScenario, measured: Measurements) -> list[str]:
    from rig.check import outside

    found = [f"a measuring part raised: {error}" for error in measured.errors]
    rpa = measured.rpa
    if measured.durations["rpa_by_position"].seconds != rpa.seconds:
        found.append("without markers the RPA is the one by position")
    if rpa.seconds is None:
        return found + ([] if scenario.blind else [f"RPA by position is unknown: {rpa.reason}"])
    if not any(flag.startswith("by position") for flag in rpa.flags):
        found.append("it is not labelled `by position`")
    return found + outside("RPA by position", scenario.truth, rpa.seconds.lo, rpa.seconds.hi)
