"""Builders for finished runs: a plan, a journal, measurements and a verdict that agree with each other."""

from __future__ import annotations

from datetime import date

from drillmark.journal.entries import follow
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.gap import Gap, Occurrence
from drillmark.model.measurement import Cited, Indicator, Measured, Measurements, PhaseSlo, Writes
from drillmark.model.plan import Plan
from drillmark.model.planned import PlannedActivity, PlannedFault, PlannedLoad, PlannedMarkers, PlannedProbes
from drillmark.model.stamp import Interval, Stamp
from drillmark.model.target import PlannedTarget
from drillmark.model.verdict import Judged, Outcome, Verdict

RUN = "20260302T100000Z-orders-db-lost-a1b2c3"
BEGAN_NS = 1_772_445_600 * 1_000_000_000
FAULT_SECONDS = 40.0
TODAY = date(2026, 3, 2)


def plan(**changes) -> Plan:
    fields = {
        "drill": "orders-db-lost",
        "title": "The orders database is lost and comes back from backup",
        "owner": "team-orders",
        "source": "drills/quarterly/orders-db-lost.yaml",
        "target": PlannedTarget(name="orders-db", environment="lab"),
        "fault": PlannedFault(
            path="experiments/orders-db-lost.yaml",
            sha256="0" * 64,
            experiment={"title": "x", "description": "x", "method": [], "rollbacks": []},
            actions=["lose-host"],
            undos=["bring-host-back"],
            effect=PlannedActivity(name="db-is-lost", activity={}),
        ),
        "probes": PlannedProbes(),
        "load": PlannedLoad(locustfile="experiments/load/orders.py", sha256="0" * 64),
        "markers": PlannedMarkers(secrets="orders-db"),
        "recover": [PlannedActivity(name=name, activity={}) for name in ("fence", "restore-latest", "switch-over")],
    }
    return Plan(**(fields | changes))


def stamp(seconds: float) -> Stamp:
    """`seconds` after the run began."""
    return Stamp(round(seconds * 1e9) + 5_000_000_000, BEGAN_NS + round(seconds * 1e9), "host", "boot")


class Journal:
    """Entries, chained as the real ones are."""

    def __init__(self, run: str = RUN) -> None:
        self.run = run
        self.entries: list[Entry] = []

    def add(self, at: float, kind: Kind, **data) -> Entry:
        previous = self.entries[-1] if self.entries else None
        entry = follow(previous, run=self.run, epoch=1, kind=kind, stamp=stamp(at), data=data)
        self.entries.append(entry)
        return entry

    def did(self, effect: Effect, begin: float, end: float, key: str = "", status: str = "succeeded", **data) -> None:
        self.add(begin, Kind.INTENT, effect=effect, key=key, attempt=1)
        times = {"started": stamp(begin).as_json(), "ended": stamp(end).as_json()}
        self.add(end, Kind.OUTCOME, effect=effect, key=key, attempt=1, status=status, error="", **times, **data)


def journal() -> list[Entry]:
    made = Journal()
    made.add(
        0.0,
        Kind.RUN_STARTED,
        drill="orders-db-lost",
        target="orders-db",
        plan_hash="ab" * 32,
        versions={"drillmark": "0.1.0", "chaoslib": "1.44.0"},
        clock_error_seconds=0.0,
        unattended=True,
    )
    made.did(Effect.PREFLIGHT, 0.1, 1.0, key="0:restorable")
    made.did(Effect.BASELINE, 5.0, 35.0, met=True)
    action = {"name": "lose-host", "status": "succeeded", "error": ""}
    action |= {"started": stamp(FAULT_SECONDS + 0.1).as_json(), "ended": stamp(41.0).as_json()}
    made.did(Effect.INJECT, FAULT_SECONDS, 41.0, actions=[action], gate_failed=False)
    made.did(Effect.PROVE_EFFECT, 41.0, 41.2)
    made.did(Effect.RECOVER, 42.0, 43.5, key="0:fence", good=True)
    ns = stamp(0).monotonic_ns
    report = {
        "verify_ns": [ns + 44 * 10**9, ns + 47 * 10**9],
        "copy_ns": [ns + 47 * 10**9, ns + 87 * 10**9],
        "replay_ns": [ns + 87 * 10**9, ns + 150 * 10**9],
    }
    made.did(Effect.RECOVER, 44.0, 160.0, key="1:restore-latest", output={"drillmark": report}, good=True)
    made.did(Effect.RECOVER, 160.0, 166.0, key="2:switch-over", good=True)
    made.did(Effect.VERIFY, 166.0, 168.0, key="0:rows-match-orders", good=True)
    made.did(Effect.SOAK, 168.0, 228.0, restored=True)
    rollback = {"name": "bring-host-back", "status": "succeeded", "error": ""}
    rollback |= {"started": stamp(228.1).as_json(), "ended": stamp(228.4).as_json()}
    made.did(Effect.UNDO, 228.1, 228.4, rollbacks=[rollback])
    made.did(Effect.PROVE_UNDONE, 228.4, 228.5)
    made.add(228.5, Kind.UNDONE, experiment="experiments/orders-db-lost.yaml")
    made.add(
        229.0,
        Kind.EVENT,
        what="samples_closed",
        file="samples/beats.dms",
        sha256="cd" * 32,
        rows=2280,
        closed=True,
        torn=False,
    )
    made.add(230.0, Kind.INTENT, effect=Effect.CONCLUDE, key="", attempt=1)
    made.add(231.0, Kind.OUTCOME, effect=Effect.CONCLUDE, key="", attempt=1, status="succeeded")
    made.add(231.0, Kind.RUN_ENDED, verdict="passed", exit_code=0)
    return made.entries


RTA = Measured(
    Interval(127.31, 127.49),
    flags=("unattended",),
    cited=Cited(
        (6, 14),
        ("samples/beats.dms",),
        "RTA = [max(0, c - b), d - a]",
        "[max(0, 127.5 - 0.19), 127.6 - 0.11]",
        {"a": 0.11, "b": 0.19, "c": 127.5, "d": 127.6},
    ),
)
RPA = Measured(
    Interval(0.0, 0.21), cited=Cited((6,), ("samples/ledger.dms", "samples/survivors.dms"), "RPA = [0, b - n]")
)
WRITES = Writes(acknowledged=4012, attempted=4020, survived=4015, lost=0, recovered=3, indeterminate=8)


def measurements(**changes) -> Measurements:
    level = PhaseSlo(
        "hold",
        (128.0, 158.0),
        judged=True,
        indicators={
            "availability": Indicator("availability", "ratio", Interval(0.999, 1.0), 0.99, True),
            "latency.p95": Indicator("latency.p95", "seconds", Interval(0.012, 0.013), 0.2, True),
            "throughput": Indicator("throughput", "per_second", Interval(101.2, 101.2), None, None),
        },
        good_beats=300,
        beat_p50_seconds=0.004,
        beat_p95_seconds=0.009,
        beat_p99_seconds=None,
        requests=3036,
    )
    fields = {
        "fault_begin": stamp(FAULT_SECONDS),
        "stamps": {
            "I": {"lo": 0.0, "hi": 0.0},
            "e": {"lo": 1.2, "hi": 1.2},
            "t0": {"lo": 0.11, "hi": 0.19},
            "t_detect": None,
            "t_service_restored": {"lo": 127.5, "hi": 127.6},
        },
        "durations": {"rta": RTA, "rpa": RPA, "time_to_detect": Measured(None, "no alerts observed", applicable=False)},
        "slo": {"hold": level},
        "writes": WRITES,
        "flags": ("unattended",),
    }
    return Measurements(**(fields | changes))


def judged(name="rto", outcome=Outcome.PASSED, **changes) -> Judged:
    fields = {
        "rto": {"objective": 14400.0, "observed": RTA.seconds, "cited": RTA.cited},
        "rpo": {"objective": 3600.0, "observed": RPA.seconds, "cited": RPA.cited},
    }.get(name, {})
    return Judged(name, outcome, **(fields | changes))


def verdict(*all_judged: Judged, **changes) -> Verdict:
    all_judged = all_judged or (judged("rto"), judged("rpo"), judged("undo"))
    order = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED)
    worst = next((o for o in order if any(j.outcome is o for j in all_judged)), Outcome.UNKNOWN)
    reasons = tuple(j.reason for j in all_judged if j.outcome in (Outcome.FAILED, Outcome.UNKNOWN) and j.reason)
    return Verdict(**({"outcome": worst, "reasons": reasons, "judged": tuple(all_judged)} | changes))


def failed_verdict() -> Verdict:
    return verdict(
        judged("rto", Outcome.FAILED, objective=60.0, reason="RTO missed: 127.3 s at least, 60 s promised"),
        judged("rpo", Outcome.UNKNOWN, observed=Interval(0.5, 2.0), objective=1.0, reason="straddles"),
        judged("time_to_detect", Outcome.NOT_APPLICABLE, reason="no alerts observed"),
        judged(
            "slo.availability",
            Outcome.FAILED,
            objective=0.999,
            observed=Interval(0.98, 0.985),
            unit="ratio",
            reason="98.5 % at most",
        ),
        judged("undo"),
    )


def gap(**changes) -> Gap:
    fields = {
        "id": "GAP-1a2b3c4d",
        "fingerprint": "1a2b3c4d" * 8,
        "drill": "orders-db-lost",
        "target": "orders-db",
        "objective": "rto",
        "kind": "missed",
        "severity": "high",
        "title": "orders-db: recovery time (RTO) missed",
        "objective_value": "60 s",
        "observed": "127.4 s (127.3 to 127.5)",
        "recommendation": "Restore in parallel.",
        "owner": "team-orders",
        "due": "2026-03-09",
        "state": "open",
        "opened_by": RUN,
        "occurrences": [Occurrence(run=RUN, at="2026-03-02T10:00:00Z", observed="x", evidence=["journal entry 6"])],
    }
    return Gap(**(fields | changes))
