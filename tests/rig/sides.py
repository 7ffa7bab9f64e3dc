"""Random simulated disasters with known truth: production goes on, a copy is restored from what was there at t0."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from drillmark import judge
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence, Written
from drillmark.model.measurement import Measurements
from drillmark.model.planned import PlannedActivity, PlannedPositions, PlannedProbes, PlannedSimulation
from drillmark.model.verdict import Outcome
from rig import positions as positions_of
from rig import service as service_of
from rig.journal import ORIGIN_NS, PROBE, Journal, make_plan, ns, table
from rig.positions import Log
from rig.service import Prober, Service

INVOKED, ACKNOWLEDGED, FAILED, _ = range(4)
LISTING = "ab" * 32
SIDE_ACTIVITY = PlannedActivity(name="side", activity={"type": "probe"})
KINDS = ("good", "good", "flapping", "never", "production_down", "later_log", "another_listing", "silent")


@dataclass(slots=True)
class SideScenario:
    """A simulated disaster: what happened really, and what it left behind. Times in seconds since the declaration."""

    kind: str
    evidence: Evidence
    restored: float | None  # when the copy was there for good
    point: float  # what was committed up to here is in the copy
    reached: float  # and no log was written between the two
    acknowledged: int
    lost: int
    unexpected: int
    production_kept: bool | None  # None: beats of production are missing
    by_position_known: bool


def make(random: Random) -> SideScenario:
    kind = random.choice(KINDS)
    hold, period = random.choice([1.0, 2.0]), random.choice([0.05, 0.1, 0.2])
    begin = -hold - 3.0
    start = random.uniform(0.01, 0.3)
    data = start + random.uniform(0.3, 8.0)
    ended = data + random.uniform(0.0, 0.3)
    up = data if kind != "flapping" else ended + random.uniform(0.5, 3.0)
    down = [(begin - 5.0, data)]
    if kind == "flapping":
        down.append((up - random.uniform(2.5, 4.0) * period, up))
    if kind == "never":
        down = [(begin - 5.0, 1e9)]
    end = max(up, ended) + hold + random.uniform(1.0, 3.0)
    undo = end + 0.6
    point = -random.uniform(0.0, 2.5) if random.random() < 0.85 else begin - random.uniform(5.0, 90_000.0)
    if kind == "later_log":
        point = random.uniform(0.1, data)
    production = Service()
    prober = Prober(period=period, timeout=0.5, begin=begin, end=undo + 2.0)
    kept: bool | None = True
    if kind == "production_down":
        at = random.uniform(3 * period, end - 3 * period)
        production.down.append((at, at + 3 * period))
        kept = False
    elif random.random() < 0.1:
        at = random.uniform(0.1, end - 1.0)
        prober.lost.append((at, at + 6 * period))
        kept = None
    written, acknowledged, lost, unexpected = _writes(random, begin, end, point)
    log = Log(positions_of.records(random, begin, undo))
    reader_from = begin if random.random() < 0.9 else 0.5
    plan = make_plan(recover=1, period=period, timeout=0.5, hold=hold, rto=1.0, rpo=1.0, markers=True)
    plan = plan.model_copy(
        update={
            "fault": None,
            "simulation": PlannedSimulation(
                source=PROBE,
                probes=PlannedProbes(every_seconds=period, timeout_seconds=0.5, activities=[SIDE_ACTIVITY]),
                discard=SIDE_ACTIVITY,
            ),
            "positions": PlannedPositions(secrets="rig"),
        }
    )
    journal = _journal(kind, (begin, start, data, ended, end, undo), log.at(point))
    side = Prober(period=period, timeout=0.5, begin=-random.uniform(0.1, 0.8), end=undo + 1.5)
    evidence = Evidence(
        plan,
        journal.sorted(),
        beats=service_of.beats(production, prober, random),
        side=service_of.beats(Service(down, random.choice(["refused", "timeout"])), side, random),
        written={plan.markers[0].name: written},
        positions=positions_of.readings(log, random, begin=reader_from, end=undo, period=period),
    )
    restored = None if kind == "never" else max(data, *(stop for _, stop in down))
    return SideScenario(
        kind, evidence, restored, point, log.reaches(point), acknowledged, lost, unexpected, kept, reader_from == begin
    )


def _journal(kind: str, times: tuple[float, ...], end_position: int) -> Journal:
    begin, start, data, ended, end, undo = times
    journal = Journal()
    journal.start(begin - 1)
    journal.intent(Effect.BASELINE, begin + 2.0)
    journal.outcome(Effect.BASELINE, -0.3, met=True, reason="")
    journal.did(Effect.SIDE, -0.2, -0.1)
    journal.intent(Effect.INJECT, 0.0, simulated=True, source={"file": "source.json", "sha256": LISTING})
    journal.outcome(Effect.INJECT, 0.001, ended=0.0, actions=[], last_action_ended=True)
    report = {
        "data_restored_ns": [ORIGIN_NS + ns(data - 0.02), ORIGIN_NS + ns(data)],
        "restored_end_lsn": end_position,
        "system_identifier": "1",
        "source_sha256": "cd" * 32 if kind == "another_listing" else LISTING,
    }
    if kind == "silent":
        del report["source_sha256"]
    journal.did(Effect.RECOVER, start, ended, "0:recover-0", good=True, output={"drillmark": report})
    journal.did(Effect.SOAK, ended + 0.01, end, restored=True)
    journal.did(Effect.READ_BACK, end + 0.1, end + 0.5)
    rollbacks = [{"index": 0, "name": "side", "status": "succeeded", "error": ""}]
    journal.did(Effect.UNDO, undo, undo + 0.2, rollbacks=rollbacks)
    journal.did(Effect.PROVE_UNDONE, undo + 0.2, undo + 0.3)
    journal.did(Effect.STOP_OBSERVERS, undo + 0.4, undo + 2.2)
    return journal


def _writes(random: Random, begin: float, end: float, point: float) -> tuple[Written, int, int, int]:
    """Production acknowledges all through; what was committed up to the recovery point is in the copy."""
    rows: list[tuple[float, int, int]] = []
    back: list[int] = []
    acknowledged = lost = unexpected = 0
    every = random.choice([0.02, 0.1, 0.3])
    number, at = 0, begin
    while (at := at + every * random.uniform(0.5, 1.5)) < end:
        number += 1
        took = random.uniform(0.001, 0.02)
        commit, ack = at + took * random.uniform(0.2, 0.8), at + took
        told = random.random() > 0.02
        rows.append((at, INVOKED, number))
        if told:
            rows.append((ack, ACKNOWLEDGED, number))
        survived = commit <= point
        if survived:
            back.append(number)
        counts = told and ack < 0
        acknowledged += counts
        lost += counts and not survived
        unexpected += at >= 0 and survived
    rows.sort()
    ledger = table(
        {
            "kind": [kind for _, kind, _ in rows],
            "id": [one for _, _, one in rows],
            "at_ns": [ORIGIN_NS + ns(moment) for moment, _, _ in rows],
            "writer": [0] * len(rows),
            "lsn": [0] * len(rows),
            "timeline": [1 if kind == ACKNOWLEDGED else 0 for _, kind, _ in rows],
        },
        {"store": "postgres", "table": "rig", "system_identifier": "1", "writers": 1},
    )
    survivors = table(
        {"id": back},
        {"reads": 2, "identity": "same", "system_identifier": "1", "table_absent": False, "timeline": 2},
    )
    return Written(ledger, survivors), acknowledged, lost, unexpected


def problems(scenario: SideScenario, measured: Measurements) -> list[str]:
    """Everything that is wrong with the numbers and the verdicts."""
    from rig.check import outside

    found = [f"a measuring part raised: {error}" for error in measured.errors]
    rta, rpa, writes = measured.rta, measured.rpa, measured.writes
    if rta.seconds is None:
        found.append(f"RTA is unknown: {rta.reason}")
    elif scenario.restored is None:
        found += [] if rta.seconds.hi is None else ["the copy never answered, yet the RTA has an upper edge"]
    else:
        found += outside("RTA", scenario.restored, rta.seconds.lo, rta.seconds.hi)
        if rta.seconds.hi is None:
            found.append(f"RTA has no upper edge: {rta.reason}")
    if writes is None or rpa.seconds is None:
        return [*found, f"the writes were not counted: {rpa.reason}"]
    counted = (writes.acknowledged, writes.lost, writes.unexpected)
    truth = (scenario.acknowledged, scenario.lost, scenario.unexpected)
    if counted != truth or writes.lost_after or writes.split_brain:
        found.append(f"acknowledged, lost, unexpected: counted {counted}, truly {truth}")
    age = max(0.0, -scenario.point)
    found += outside("RPA", age, rpa.seconds.lo, rpa.seconds.hi)
    position = measured.durations["rpa_by_position"]
    if position.seconds is not None:
        by_log = max(0.0, -scenario.reached)
        found += outside("RPA by position", by_log, position.seconds.lo, position.seconds.hi)
    elif scenario.by_position_known:
        found.append(f"RPA by position is unknown: {position.reason}")
    return found + _verdicts(scenario, measured)


def _verdicts(scenario: SideScenario, measured: Measurements) -> list[str]:
    verdict = judge.judge(scenario.evidence, measured)
    found: list[str] = []
    words = {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.UNKNOWN}
    production, source, integrity = (verdict.of(name) for name in ("production", "source", "integrity"))
    assert production is not None
    assert source is not None
    assert integrity is not None
    if production.outcome is not words[scenario.production_kept]:
        found.append(f"production is judged {production.outcome}, it kept its level: {scenario.production_kept}")
    if scenario.unexpected and (integrity.outcome is not Outcome.FAILED or verdict.outcome is not Outcome.FAILED):
        found.append("log from after the disaster was used, and the run has not failed")
    wrong = scenario.kind == "another_listing"
    if wrong and source.outcome is not Outcome.FAILED:
        found.append(f"another listing was used, and the source is judged {source.outcome}")
    if scenario.kind in ("good", "flapping", "never") and source.outcome is not Outcome.PASSED:
        found.append(f"nothing later was used, and the source is judged {source.outcome}: {source.reason}")
    # Log that was archived after t0 also holds writes from before it: that no later one is there shows nothing.
    if scenario.kind == "silent" and source.outcome is not Outcome.UNKNOWN:
        found.append(f"the restore names no listing, and the source is judged {source.outcome}: {source.reason}")
    return found
