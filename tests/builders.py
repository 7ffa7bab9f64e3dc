"""Builders for test data: small plans and journals that tests lay their differences over."""

from __future__ import annotations

from typing import Any

from drillmark.decide import Decision, decide
from drillmark.journal import entries as journal_entries
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.plan import Plan
from drillmark.model.planned import PlannedActivity, PlannedFault, PlannedLoad, PlannedMarkers, PlannedProbes
from drillmark.model.stamp import Stamp
from drillmark.model.target import PlannedTarget

RUN = "20261120T000000Z-orders-db-lost-abc123"


def activity(name: str, *, module: str = "drillmark.recovery.postgres_pitr", **more: Any) -> PlannedActivity:
    body = {"name": name, "type": "action", "provider": {"type": "python", "module": module, "func": "restore"}}
    return PlannedActivity(name=name, activity=body, **more)


def plan(*, recovers: bool = True, **more: Any) -> Plan:
    fault = PlannedFault(
        path="experiments/orders-db-lost.yaml",
        sha256="0" * 64,
        experiment={"title": "x", "description": "x", "method": [], "rollbacks": []},
        actions=["lose-host"],
        undos=["bring-host-back"],
        effect=activity("db-is-lost"),
    )
    fields: dict[str, Any] = {
        "drill": "orders-db-lost",
        "title": "The orders database is lost",
        "owner": "team-orders",
        "source": "drills/quarterly/orders-db-lost.yaml",
        "target": PlannedTarget(name="orders-db", environment="lab"),
        "fault": fault,
        "load": PlannedLoad(locustfile="experiments/load/orders.py", sha256="0" * 64),
        "probes": PlannedProbes(activities=[activity("order-read")]),
        "markers": PlannedMarkers(secrets="orders-db"),
        "preflight": [activity("restorable")],
        "recover": [activity("fence"), activity("restore-latest"), activity("switch-over")] if recovers else [],
        "verify": [activity("rows-match-orders")],
    }
    return Plan(**(fields | more))


class Journal:
    """A journal in memory, on a clock that goes on by one second with every entry."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, kind: Kind, **data: Any) -> Entry:
        second = len(self.entries) + 1
        stamp = Stamp(second * 10**9, 1_800_000_000 * 10**9 + second * 10**9, "host", "boot")
        entry = journal_entries.follow(
            self.entries[-1] if self.entries else None, run=RUN, epoch=1, kind=kind, stamp=stamp, data=data
        )
        self.entries.append(entry)
        return entry

    def intent(self, effect: Effect, key: str = "", attempt: int = 1, **data: Any) -> Entry:
        return self.add(Kind.INTENT, effect=effect, key=key, attempt=attempt, **data)

    def outcome(self, effect: Effect, key: str = "", attempt: int = 1, status: str = "succeeded", **data: Any) -> Entry:
        return self.add(Kind.OUTCOME, effect=effect, key=key, attempt=attempt, status=status, **data)

    def perform(self, decision: Decision, status: str = "succeeded", **data: Any) -> None:
        """What the engine would journal for a decision, all in one."""
        assert decision.effect is not None
        if decision.effect is Effect.END:
            self.add(Kind.RUN_ENDED, verdict="passed", exit_code=0)
            return
        self.intent(decision.effect, decision.key, decision.attempt)
        self.outcome(decision.effect, decision.key, decision.attempt, status, **data)

    def perform_until(self, a_plan: Plan, effect: Effect, key: str = "") -> Decision:
        """Perform everything up to (and without) an effect; returns the decision for it."""
        while True:
            decision = decide(a_plan, self.entries)
            assert decision.effect is not None, f"{effect} was never decided"
            if decision.effect is effect and key in ("", decision.key):
                return decision
            self.perform(decision)

    def perform_rest(self, a_plan: Plan) -> list[Effect]:
        """Perform everything that is left; returns the effects in order."""
        effects: list[Effect] = []
        while (decision := decide(a_plan, self.entries)).effect is not None:
            effects.append(decision.effect)
            self.perform(decision)
            assert len(effects) < 200
        return effects
