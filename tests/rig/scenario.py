"""Random runs with known truth: an outage, a loss, and everything that could hide them.

The truth about the outage: the disaster struck at `disaster` and service was restored at `restored`, the end of the
last outage, or the end of what the recovery still had to do, whichever came later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from drillmark.model.entry import Effect, Kind
from drillmark.model.evidence import Evidence, Written
from rig import service as service_of
from rig import store as store_of
from rig.journal import Journal, make_plan, ns
from rig.service import Prober, Service
from rig.store import Store

FOREVER = 1e9
KINDS = ("down", "flapping", "relapse", "late", "none", "switch_only", "noise")


@dataclass(slots=True)
class Scenario:
    """One run: what happened really, and what it left behind."""

    kind: str
    evidence: Evidence
    service: Service
    prober: Prober
    disaster: float
    restored: float
    effect: float
    last_activity_seconds: float
    soak_end: float
    writes: store_of.Truth
    recovery_point: float | None  # the scripted one; None: nothing was lost
    rto: float
    rpo: float
    sampled_whole: bool
    notes: list[str] = field(default_factory=list)

    @property
    def rta(self) -> float:
        return max(0.0, self.restored - self.disaster)

    @property
    def rpa(self) -> float | None:
        """The age of the recovery point; None: there is no one such point."""
        if not self.writes.age_is_defined or self.recovery_point is None:
            return None
        end = max(self.disaster, self.writes.last_lost_commit or self.disaster)
        return max(0.0, end - self.recovery_point)


def make(random: Random, *, spoil_end: bool = False) -> Scenario:
    """A drill with a recovery. `spoil_end`: service goes down again just before the soak ends."""
    kind = random.choice(KINDS)
    hold = random.choice([1.0, 2.0, 4.0])
    period = random.choice([0.05, 0.1, 0.25])
    baseline = hold + random.uniform(1.5, 3)
    stride = random.choice([1, 1, 1, 1, 5])
    # What falls between two beats nobody sees, nor what falls into one slot missed: no outage is shorter than that.
    shortest = 2.5 * period * stride
    times = _times(random, kind, hold)
    service = Service(
        _outages(random, kind, times, shortest), random.choice(["refused", "timeout", "slow", "error_page"])
    )
    restored = max(times["switched"], service.last_down())
    prober = _prober(random, period, baseline, times, restored + hold)
    prober.slow_stride, prober.only_slow = stride, stride > 1 and random.random() < 0.5
    # The engine soaks on until a hold window completes.
    seen_again = max(
        [restored, times["last_ended"], times["data_hi"], *(end for _, end in prober.lost if end < FOREVER)]
    )
    soak_end = seen_again + hold + random.uniform(0.1, 4) + 2 * shortest
    prober.end = soak_end + random.uniform(1.5, 3.0)
    if spoil_end:
        service.down.append((soak_end - random.uniform(1.0, 3.0) * shortest, soak_end + random.uniform(0.0, 3.0)))
    activities = random.randint(1, 3)
    if activities == 1:
        times["last_begun"] = times["restore_start"]
    store, point = _store(random, times, baseline, soak_end)
    rto = max(0.1, (restored - times["disaster"]) * random.choice([0.5, 0.9, 0.98, 1.02, 1.1, 2.0]))
    rpo = random.choice([0.05, 0.5, 1.0, 2.0, 5.0, 20.0])
    plan = make_plan(
        recover=activities,
        verify=1,
        probes=prober.probes,
        period=period,
        timeout=prober.timeout,
        markers=True,
        hold=hold,
        rto=rto,
        rpo=rpo,
    )
    ledger, survivors, truth = store_of.run(store, random)
    beats = service_of.beats(service, prober, random)
    journal = _journal(random, times, baseline, soak_end, activities, point)
    return Scenario(
        kind=kind,
        evidence=Evidence(plan, journal.sorted(), beats=beats, written={"": Written(ledger, survivors)}),
        service=service,
        prober=prober,
        disaster=times["disaster"],
        restored=restored,
        effect=times["effect"],
        last_activity_seconds=times["last_ended"] - times["last_begun"],
        soak_end=soak_end,
        writes=truth,
        recovery_point=point,
        rto=rto,
        rpo=rpo,
        sampled_whole=not prober.lost and not prober.dropped and prober.closed,
    )


def _times(random: Random, kind: str, hold: float) -> dict[str, float]:
    disaster = random.uniform(0.0, 1.0) * random.choice([0.02, 1.0])
    effect = disaster + random.uniform(0.0, 2.0) * random.choice([0.05, 1.0])
    restore_start = effect + random.uniform(0.001, 2.0)
    data = restore_start + random.uniform(0.2, 15.0)
    last_begun = data + random.uniform(0.05, 1.0) if random.random() < 0.7 else data - random.uniform(0.0, 0.1)
    switched = max(data, last_begun) + random.uniform(0.01, 1.5)
    last_ended = switched + random.uniform(0.0, 0.5)
    del kind, hold
    return {
        "disaster": disaster,
        "effect": effect,
        "restore_start": restore_start,
        "data": data,
        "data_lo": data - random.uniform(0.0, 0.1),
        "data_hi": data + random.uniform(0.0, 0.1),
        "last_begun": max(last_begun, restore_start),
        "switched": switched,
        "last_ended": last_ended,
    }


def _outages(random: Random, kind: str, times: dict[str, float], shortest: float) -> list[tuple[float, float]]:
    begin = times["disaster"]
    back = times["switched"] + random.uniform(0.0, 2.0)
    if kind == "down":
        return [(begin, back)]
    if kind == "noise":
        # One bad answer between I and the disaster, with good ones after it: not the outage itself.
        early = random.uniform(0.0, begin)
        quiet = early + 1.6 * shortest < begin
        return ([(early, early + 0.36 * shortest)] if quiet else []) + [(begin, back)]
    if kind == "flapping":
        stretches = []
        at = begin
        while at < back:
            end = max(min(back, at + random.uniform(0.3, 3.0)), at + shortest)
            stretches.append((at, end))
            at = end + random.uniform(0.1, 1.0)
        return stretches
    if kind == "relapse":
        first = random.uniform(0.1, 3.0)
        again = back + first
        return [(begin, back), (again, again + max(shortest, random.uniform(0.4, 2.0)))]
    if kind == "late":
        late = times["effect"] + random.uniform(0.5, 3.0)
        return [(late, max(late + 0.2 + shortest, back))]
    if kind == "switch_only":
        begin = max(times["restore_start"], times["switched"] - random.uniform(0.4, 1.0))
        return [(begin, max(times["switched"], begin + shortest))]
    return []


def _prober(random: Random, period: float, baseline: float, times: dict[str, float], until: float) -> Prober:
    prober = Prober(
        period=period,
        timeout=random.choice([0.3, 1.0]),
        probes=random.choice([1, 1, 2, 3]),
        begin=-baseline - random.uniform(0.5, 1.0),
        jitter=random.choice([0.0, 0.05]),
        spread=0.002,
    )
    trouble = random.random()
    if trouble < 0.15:
        prober.dropped = random.choice([0.02, 0.2])
    elif trouble < 0.45:
        # Dead for a while: anywhere, or just where it hurts.
        centre = random.choice([times["disaster"], times["switched"], random.uniform(0.0, until)])
        begin = centre - random.uniform(0.0, 2.0)
        prober.lost.append((max(begin, 0.001), begin + random.uniform(0.2, 5.0)))
    elif trouble < 0.5:
        prober.lost.append((random.uniform(0.0, until), FOREVER))
        prober.closed = False
    return prober


def _store(random: Random, times: dict[str, float], baseline: float, soak_end: float) -> tuple[Store, float | None]:
    data_lo = times["data_lo"]
    # A lost host commits nothing from the disaster on; a wrong statement lets the old store go on to its fence.
    gone = random.choice([times["disaster"], min(times["restore_start"] + 0.01, data_lo)])
    earliest = -baseline + 1.0
    loss = random.choice(["tail", "tail", "point", "nothing", "everything", "absent", "day_old"])
    point: float | None = gone
    if loss == "tail":
        point = gone - random.uniform(0.0, 5.0)
    elif loss == "point":
        point = random.uniform(earliest, gone)
    elif loss in ("everything", "absent", "day_old"):
        point = earliest - random.uniform(5.0, 86_400.0)
    store = Store(
        gone_at=gone,
        recovery_point=point,
        new_from=None if loss == "absent" else times["switched"],
        restored_from=data_lo,
        begin=-baseline - 0.5,
        end=soak_end + 0.5,
        every=random.choice([0.02, 0.1, 0.3]),
        writers=random.choice([1, 2, 4]),
        timelines=random.random() < 0.7,
        absent=loss == "absent",
        indeterminate=random.choice([0.0, 0.05]),
        sparse_ids=random.random() < 0.2,
        changes=random.choice([0.0, 0.1, 0.3]),
        # Where nothing compares, a change of a row that went back would hide that: the store of the rig still refuses.
        compares=random.random() < 0.8,
    )
    spoiled = random.random()
    if spoiled < 0.1:
        store.holes = random.randint(1, 5)
    elif spoiled < 0.15:
        store.oldest_lost = True
    elif spoiled < 0.2:
        store.reverted, store.resurrected = random.randint(0, 3), random.randint(0, 3)
    elif spoiled < 0.25 and not store.absent:
        store.duplicates = random.randint(1, 5)
    elif spoiled < 0.3 and not store.absent:
        store.unexpected = random.randint(1, 5)
    elif spoiled < 0.35 and store.timelines and not store.absent:
        store.split_brain = random.randint(1, 3)
    return store, point


def _journal(
    random: Random, times: dict[str, float], baseline: float, soak_end: float, activities: int, point: float | None
) -> Journal:
    journal = Journal()
    lag = 0.01
    journal.start(-baseline - 2.0, clock_error_seconds=0.01)
    journal.did(Effect.OBSERVERS, -baseline - 1.5, -baseline - 0.2)
    journal.intent(Effect.BASELINE, -baseline)
    journal.outcome(Effect.BASELINE, -0.2, met=True, reason="")
    journal.intent(Effect.INJECT, 0.0)
    action_ended = random.uniform(times["disaster"], times["effect"])
    actions = [{"name": "break", "status": "succeeded", "error": ""}]
    journal.outcome(Effect.INJECT, times["effect"], ended=action_ended, actions=actions, gate_failed=False)
    journal.intent(Effect.PROVE_EFFECT, times["effect"])
    journal.outcome(Effect.PROVE_EFFECT, times["effect"] + lag, ended=times["effect"])
    bounds = [times["restore_start"]]
    for _ in range(activities - 1):
        bounds.append(random.uniform(bounds[-1], times["last_begun"]))
    bounds[-1] = times["last_begun"]
    for index, begin in enumerate(bounds):
        last = index == activities - 1
        end = times["last_ended"] if last else bounds[index + 1]
        output = None
        if last:
            report = {
                "data_restored_ns": [_mono(times["data_lo"]), _mono(times["data_hi"])],
                "last_transaction_ns": None if point is None or random.random() < 0.3 else _mono(point),
            }
            output = {"drillmark": report}
        key = f"{index}:recover-{index}"
        journal.did(Effect.RECOVER, begin, end, key, lag=lag if last else 0.0, good=True, output=output)
    after = times["last_ended"] + lag
    journal.did(Effect.VERIFY, after, after + random.uniform(0.01, 0.3), "0:verify-0", good=True)
    journal.did(Effect.SOAK, after + 0.3, soak_end, restored=True)
    journal.did(Effect.READ_BACK, soak_end + 0.6, soak_end + 0.9)
    rollbacks = [{"index": 0, "name": "mend", "status": "succeeded", "error": ""}]
    journal.did(Effect.UNDO, soak_end + 1.0, soak_end + 1.1, rollbacks=rollbacks)
    journal.did(Effect.PROVE_UNDONE, soak_end + 1.1, soak_end + 1.2)
    journal.add(Kind.UNDONE, soak_end + 1.2, experiment="experiments/rig.yaml")
    journal.did(Effect.STOP_OBSERVERS, soak_end + 1.3, soak_end + 3.1)
    journal.intent(Effect.CONCLUDE, soak_end + 3.2)
    return journal


def _mono(at: float) -> int:
    from rig.journal import ORIGIN_NS

    return ORIGIN_NS + ns(at)
