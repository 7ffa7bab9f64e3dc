"""One plain run to vary: a drill with a recovery, or a check without one, with round numbers. Times in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from drillmark import judge, measure
from drillmark.model.entry import Effect, Entry
from drillmark.model.evidence import Evidence, Table, Written
from drillmark.model.measurement import Measurements
from drillmark.model.plan import Plan
from drillmark.model.verdict import Verdict
from rig import service as service_of
from rig import store as store_of
from rig.journal import Journal, make_plan
from rig.service import Prober, Service, Stretch
from rig.store import Store

ACTIONS = [{"name": "break", "status": "succeeded", "error": ""}]
ROLLBACKS = [{"index": 0, "name": "mend", "status": "succeeded", "error": ""}]


@dataclass(slots=True)
class Run:
    """A run as evidence, and what comes of it. `journal` changes entries, `tables` tables."""

    evidence: Evidence
    made: list[Any] = field(default_factory=list)

    @property
    def measured(self) -> Measurements:
        return measure.measure(self.evidence)

    @property
    def verdict(self) -> Verdict:
        return judge.judge(self.evidence, self.measured)

    def outcome(self, name: str) -> str:
        judged = self.verdict.of(name)
        return "none" if judged is None else str(judged.outcome)

    def reason(self, name: str) -> str:
        judged = self.verdict.of(name)
        return "" if judged is None else judged.reason


def drill(
    *,
    down: Sequence[Stretch] = ((0.25, 6.05),),
    failure: str = "refused",
    effect: float | None = 1.0,
    probed: bool = True,
    recover: Sequence[tuple[float, float]] = ((2.0, 4.0), (4.0, 6.0)),
    recover_data: dict[str, Any] | None = None,
    verify: Sequence[tuple[float, float, bool]] = ((6.1, 6.4, True),),
    soak_end: float = 20.0,
    undo: bool = True,
    prober: Prober | None = None,
    store: Store | None = None,
    load: tuple[Table, Table] | None = None,
    plan: dict[str, Any] | None = None,
    edit: Callable[[Journal], None] = lambda _: None,
    tables: Callable[[Evidence], Evidence] = lambda evidence: evidence,
) -> Run:
    """A drill with a recovery. Beats every 0.1 s at whole tenths from -10 s on; the hold window is 5 s."""
    prober = prober or Prober(end=soak_end + 3)
    journal = Journal()
    _before(journal)
    _fault(journal, effect, probed=probed)
    journal.intent(Effect.DETECT, 1.5)
    journal.outcome(Effect.DETECT, 1.5, declared_at=journal.at(1.5).as_json(), by="unattended")
    for index, (begin, end) in enumerate(recover):
        key = f"{index}:recover-{index}"
        last = index == len(recover) - 1
        journal.did(Effect.RECOVER, begin, end, key, good=True, output=(recover_data if last else None))
    for index, (begin, end, good) in enumerate(verify):
        journal.did(Effect.VERIFY, begin, end, f"{index}:verify-{index}", good=good)
    journal.did(Effect.SOAK, 6.5, soak_end, restored=True)
    ledger, survivors, _ = (None, None, None) if store is None else store_of.run(store, Random(1))
    if store is not None:
        journal.did(Effect.READ_BACK, soak_end + 0.5, soak_end + 0.9)
    if undo:
        _undo(journal, soak_end + 1.0, soak_end + 1.1)
    journal.did(Effect.STOP_OBSERVERS, soak_end + 2.0, soak_end + 2.5)
    edit(journal)
    wanted: dict[str, Any] = {
        "recover": len(recover),
        "verify": len(verify),
        "probes": prober.probes,
        "markers": store is not None,
        "load": load is not None,
        "effect": probed,
    }
    return _run(wanted | (plan or {}), journal, down, failure, prober, ledger, survivors, load, tables)


def check(
    *,
    down: Sequence[Stretch] = ((0.25, 6.05),),
    failure: str = "refused",
    undo: tuple[float, float] = (30.0, 30.4),
    end: float = 50.0,
    prober: Prober | None = None,
    load: tuple[Table, Table] | None = None,
    plan: dict[str, Any] | None = None,
    edit: Callable[[Journal], None] = lambda _: None,
    tables: Callable[[Evidence], Evidence] = lambda evidence: evidence,
) -> Run:
    """A check: the fault stays until the undo at 30 s."""
    prober = prober or Prober(end=end + 3)
    journal = Journal()
    _before(journal)
    _fault(journal, 1.0, probed=True)
    journal.did(Effect.FAULT, 1.0, undo[0] - 0.001)
    _undo(journal, *undo)
    journal.did(Effect.AFTER_UNDO, undo[1] + 0.1, end, restored=True)
    journal.did(Effect.STOP_OBSERVERS, end + 1, end + 2)
    edit(journal)
    wanted: dict[str, Any] = {"probes": prober.probes, "load": load is not None}
    return _run(wanted | (plan or {}), journal, down, failure, prober, None, None, load, tables)


def steady_load(
    begin: float = -10.0,
    end: float = 23.0,
    *,
    every: float = 0.02,
    latency: Callable[[float], float] = lambda _: 0.03,
    ok: Callable[[float], bool] = lambda at: not 0.25 <= at < 6.05,
    **options: Any,
) -> tuple[Table, Table]:
    """A request every so often, each as the functions say for when it was sent."""
    count = round((end - begin) / every)
    times = [begin + every * number for number in range(count)]
    return service_of.load_tables([(at, latency(at), ok(at)) for at in times], begin, end, **options)


def replaced(run_entries: list[Entry], effect: Effect, kind: str) -> Entry:
    """The entry of an effect, to look at or to take out."""
    return next(entry for entry in run_entries if entry.effect is effect and entry.kind == kind)


def _before(journal: Journal) -> None:
    journal.start(-12.0, clock_error_seconds=0.05)
    journal.did(Effect.OBSERVERS, -11.0, -9.0)
    journal.intent(Effect.BASELINE, -8.0)
    journal.outcome(Effect.BASELINE, -0.5, met=True, reason="")


def _fault(journal: Journal, effect: float | None, *, probed: bool) -> None:
    journal.intent(Effect.INJECT, 0.0)
    journal.outcome(Effect.INJECT, 0.5, actions=ACTIONS, gate_failed=False, nothing_began=False)
    journal.intent(Effect.PROVE_EFFECT, 0.5)
    if effect is None:
        journal.outcome(Effect.PROVE_EFFECT, 10.5, status="failed", error="db-was-restarted was not true")
    elif probed:
        journal.outcome(Effect.PROVE_EFFECT, effect + 0.01, ended=effect)
    else:
        journal.outcome(Effect.PROVE_EFFECT, 0.51, status="skipped", ended=0.5)


def _undo(journal: Journal, begin: float, end: float) -> None:
    journal.did(Effect.UNDO, begin, end, lag=0.05, rollbacks=ROLLBACKS)
    journal.did(Effect.PROVE_UNDONE, end + 0.05, end + 0.2)


def _run(
    wanted: dict[str, Any],
    journal: Journal,
    down: Sequence[Stretch],
    failure: str,
    prober: Prober,
    ledger: Table | None,
    survivors: Table | None,
    load: tuple[Table, Table] | None,
    tables: Callable[[Evidence], Evidence],
) -> Run:
    plan: Plan = make_plan(**wanted)
    beats = service_of.beats(Service(list(down), failure), prober, Random(1)) if plan.probes else None
    requests, users = load or (None, None)
    evidence = Evidence(
        plan,
        journal.sorted(),
        beats=beats,
        load=requests,
        load_users=users,
        written={"": Written(ledger, survivors)},
    )
    return Run(tables(evidence))
