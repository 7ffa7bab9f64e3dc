"""A result of every kind, measured and judged as the real ones are: `KINDS` by name, each a document.

What a run left behind is scripted (`tests/rig`); measuring, judging, filing of gaps and the document are the program's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from drillmark import judge, measure
from drillmark.gaps import filing
from drillmark.journal.entries import follow
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.evidence import Evidence
from drillmark.model.plan import Bare, Plan
from drillmark.report import document, files
from rig import positions, sides
from rig.journal import Journal, make_plan
from rig.plain import ACTIONS, ROLLBACKS, Run, check, drill, steady_load
from rig.service import Prober
from rig.store import Store

TODAY = date(2026, 3, 2)
RUN = "20260302T100000Z-orders-db-lost-a1b2c3"
WORDS = {
    "drill": "orders-db-lost",
    "title": "The orders database is lost and comes back from backup",
    "owner": "team-orders",
    "source": "drills/quarterly/orders-db-lost.yaml",
    "disaster": "The orders database was lost",
}


class Made(dict[str, Any]):
    """A document, and the evidence that it was made of."""

    evidence: Evidence


def of(evidence: Evidence, *, run: str = RUN, known: tuple[Any, ...] = (), **changes: Any) -> Made:
    """The document of what a run left behind, as its `result.json` holds it."""
    plan = evidence.plan
    target = plan.target.model_copy(update={"name": "orders-db"})
    named = WORDS | {"target": target} | changes
    evidence = replace(evidence, plan=plan.model_copy(update=named), entries=chained(evidence.entries, run))
    measurements = measure.measure(evidence)
    verdict = judge.judge(evidence, measurements)
    filed = filing.decide(evidence.plan, run, verdict, list(known), TODAY)
    made = document.build(evidence.plan, evidence.entries, measurements, verdict, filed.gaps)
    found = Made(json.loads(files.to_json(made)))
    found.evidence = evidence
    return found


def chained(entries: tuple[Entry, ...], run: str) -> tuple[Entry, ...]:
    """The same entries, of that run and hash-chained as the real ones are."""
    made: list[Entry] = []
    for entry in entries:
        data = dict(entry.data)
        previous = made[-1] if made else None
        made.append(follow(previous, run=run, epoch=1, kind=entry.kind, stamp=entry.stamp, data=data))
    return tuple(made)


def _store(**changes: Any) -> Store:
    fields: dict[str, Any] = {
        "gone_at": 0.2,
        "recovery_point": -0.6,
        "new_from": 6.0,
        "restored_from": 5.0,
        "end": 20.0,
    }
    return Store(**(fields | changes))


def _lossless() -> Store:
    return _store(recovery_point=None)


DATA = {"drillmark": {"data_restored_ns": [Journal().at(at).monotonic_ns for at in (4.9, 5.0)]}}


def _lost(**more: Any) -> Run:
    return drill(**({"store": _store(), "recover_data": DATA} | more))


def until(effect: Effect) -> Callable[[Journal], None]:
    """Nothing from the intent of that effect on, but for the end of the observers."""

    def edit(journal: Journal) -> None:
        first = next(n for n, entry in enumerate(journal.entries) if entry.effect is effect)
        last = [entry for entry in journal.entries if entry.effect is Effect.STOP_OBSERVERS]
        journal.entries[first:] = last
        journal.entries[:] = [replace(entry, sequence=n + 1) for n, entry in enumerate(journal.entries)]

    return edit


def _aborted_before(journal: Journal) -> None:
    until(Effect.INJECT)(journal)
    _insert(journal, Kind.ABORT, -0.4, by="person", reason="somebody needs the system")


def _aborted_during(journal: Journal) -> None:
    keep = [e for e in journal.entries if e.effect in (Effect.UNDO, Effect.PROVE_UNDONE, Effect.STOP_OBSERVERS)]
    first = next(n for n, entry in enumerate(journal.entries) if entry.effect is Effect.RECOVER)
    journal.entries[first:] = keep
    _insert(journal, Kind.ABORT, 2.5, before=Effect.UNDO, by="person", reason="it looks wrong")


def _refused(journal: Journal) -> None:
    journal.entries[:] = journal.entries[:1]
    journal.add(Kind.ABORT, -11.9, by="runner", reason="target orders-db is busy: a run holds it", refused=True)
    journal.intent(Effect.STOP_OBSERVERS, -11.8)
    journal.outcome(Effect.STOP_OBSERVERS, -11.7, status="skipped")


def _insert(journal: Journal, kind: Kind, at: float, *, before: Effect = Effect.STOP_OBSERVERS, **data: Any) -> None:
    place = next(n for n, entry in enumerate(journal.entries) if entry.effect is before)
    made = journal.add(kind, at, **data)
    journal.entries.remove(made)
    journal.entries.insert(place, made)
    journal.entries[:] = [replace(entry, sequence=n + 1) for n, entry in enumerate(journal.entries)]


def changed(effect: Effect, **data: Any) -> Callable[[Journal], None]:
    """The outcome of that effect, with other data."""

    def edit(journal: Journal) -> None:
        for n, entry in enumerate(journal.entries):
            if entry.effect is effect and entry.kind is Kind.OUTCOME:
                journal.entries[n] = replace(entry, data=dict(entry.data) | data)

    return edit


def _gate_failed(journal: Journal) -> None:
    until(Effect.PROVE_EFFECT)(journal)
    changed(Effect.INJECT, actions=[], gate_failed=True, error="orders are not answered")(journal)


def _preflight(journal: Journal) -> None:
    until(Effect.BASELINE)(journal)
    place = next(n for n, entry in enumerate(journal.entries) if entry.effect is Effect.STOP_OBSERVERS)
    last = journal.entries[place:]
    del journal.entries[place:]
    journal.did(Effect.PREFLIGHT, -8.0, -7.0, "0:restorable", good=False, error="no restorable backup")
    journal.entries += last
    journal.entries[:] = [replace(entry, sequence=n + 1) for n, entry in enumerate(journal.entries)]


def _bare(*, hypothesis: bool = True, status: str = "completed", imported: bool = False) -> Made:
    plan: Plan = make_plan(probes=0, hold=1.0, effect=False)
    assert plan.fault is not None
    probes = {"title": "it answers", "probes": [{"name": "it-answers", "type": "probe"}]}
    experiment = {"steady-state-hypothesis": probes} if hypothesis else {}
    options = Bare(source="experiment.yaml", folder=".", journal_path="/journal.json", settings_path="/settings.yaml")
    fault = plan.fault.model_copy(update={"experiment": experiment})
    plan = plan.model_copy(update={"bare": options, "fault": fault, "mode": "experiment"})
    journal = Journal()
    journal.start(-2.0, **({"imported": {"sha256": "ab" * 32, "node": "build-7"}} if imported else {}))
    journal.intent(Effect.INJECT, 0.0)
    played = {"status": status, "deviated": status == "failed"}
    journal.outcome(
        Effect.INJECT, 1.0, actions=ACTIONS, gate_failed=False, nothing_began=False, played=played, strategy="default",
        met=["hypothesis_before"],
    )  # fmt: skip
    journal.did(Effect.UNDO, 2.0, 2.5, rollbacks=ROLLBACKS, played=played, met=["hypothesis_after"])
    journal.did(Effect.PROVE_UNDONE, 2.5, 2.6)
    journal.did(Effect.STOP_OBSERVERS, 2.7, 2.8)
    return of(Evidence(plan, journal.sorted()), disaster=None, source="experiment.yaml")


def _side(kind: str, edit: Callable[[Journal], None] = lambda _: None) -> Made:
    evidence = next(one for seed in range(400) if (one := sides.make(Random(seed))).kind == kind).evidence
    journal = Journal(list(evidence.entries))
    edit(journal)
    return of(replace(evidence, entries=tuple(journal.entries)), disaster=None)


def _aborted_during_soak(journal: Journal) -> None:
    last = [e for e in journal.entries if e.effect in (Effect.UNDO, Effect.PROVE_UNDONE, Effect.STOP_OBSERVERS)]
    first = next(n for n, entry in enumerate(journal.entries) if entry.effect is Effect.SOAK)
    journal.entries[first:] = last
    _insert(journal, Kind.ABORT, 5.0, before=Effect.UNDO, by="person", reason="it looks wrong")


def _position() -> Made:
    found = (positions.make(Random(seed)) for seed in range(400))
    made = next(one for one in found if not one.blind and one.truth > 0.5)
    return of(made.evidence)


_DOWN_TO_THE_UNDO = ((0.25, 30.2),)
_FOREVER = ((0.25, 1e9),)

_MAKERS: dict[str, Callable[[], Made]] = {
    "passed": lambda: of(_lost().evidence),
    "nothing lost": lambda: of(_lost(store=_lossless()).evidence),
    "rto missed": lambda: of(_lost(plan={"rto": 2.0}).evidence),
    "rpo missed": lambda: of(_lost(plan={"rpo": 0.1}).evidence),
    "straddling": lambda: of(_lost(plan={"rto": 5.8}).evidence),
    "unknown": lambda: of(_lost(prober=Prober(end=23.0, lost=[(3.0, 1e9)], closed=False)).evidence),
    "censored": lambda: of(_lost(down=_FOREVER, plan={"rto": 60.0}).evidence),
    "censored and missed": lambda: of(_lost(down=_FOREVER, plan={"rto": 5.0}).evidence),
    "everything lost": lambda: of(_lost(store=_store(recovery_point=-90_000.0)).evidence),
    "aborted before the fault": lambda: of(_lost(edit=_aborted_before).evidence),
    "aborted": lambda: of(_lost(edit=_aborted_during).evidence),
    "refused": lambda: of(_lost(edit=_refused).evidence),
    "not at its end": lambda: of(_lost(edit=until(Effect.SOAK)).evidence),
    "steady state not met": lambda: of(_lost(edit=_gate_failed).evidence),
    "preflight failed": lambda: of(_lost(plan={"preflight": 1}, edit=_preflight).evidence),
    "fault not proved": lambda: of(_lost(effect=None).evidence),
    "effect not probed": lambda: of(_lost(probed=False).evidence),
    "undo failed": lambda: of(
        _lost(edit=changed(Effect.UNDO, rollbacks=[ROLLBACKS[0] | {"status": "failed", "error": "no route"}])).evidence
    ),
    "verification failed": lambda: of(_lost(verify=((6.1, 6.4, False),)).evidence),
    "holes": lambda: of(_lost(store=_store(holes=3)).evidence),
    "split brain": lambda: of(_lost(store=_store(split_brain=2)).evidence),
    "no markers": lambda: of(drill().evidence),
    "no markers, an RPO stated": lambda: of(drill(plan={"rpo": 60.0}).evidence),
    "by position": _position,
    "load": lambda: of(_lost(load=steady_load(), plan={"p95": 0.2, "availability": 0.99}).evidence),
    "service level missed": lambda: of(
        _lost(load=steady_load(latency=lambda at: 0.4 if at > 7 else 0.03), plan={"p95": 0.2}).evidence
    ),
    "one beat": lambda: of(_lost(prober=Prober(begin=-0.1, end=0.05)).evidence),
    "no recovery": lambda: of(check(plan={"rto": 30.0}).evidence),
    "ended by undo": lambda: of(check(down=_DOWN_TO_THE_UNDO).evidence),
    "ended by undo, an RTO stated": lambda: of(check(down=_DOWN_TO_THE_UNDO, plan={"rto": 30.0}).evidence),
    "never back after the undo": lambda: of(check(down=_FOREVER, plan={"after_undo": 10.0}).evidence),
    "undo within hold": lambda: of(check(down=((0.25, 27.0),)).evidence),
    "users saw nothing": lambda: of(check(down=()).evidence),
    "simulated": lambda: _side("good"),
    "simulated, production down": lambda: _side("production_down"),
    "simulated, later log used": lambda: _side("later_log"),
    "simulated, never answered": lambda: _side("never"),
    "simulated, aborted before": lambda: _side("good", _aborted_before),
    "simulated, aborted": lambda: _side("good", _aborted_during),
    "simulated, aborted and nothing known": lambda: _side("never", _aborted_during_soak),
    "simulated, copy left": lambda: _side("good", changed(Effect.PROVE_UNDONE, status="failed", error="it answers")),
    "simulated, not at its end": lambda: _side("good", until(Effect.SOAK)),
    "experiment": _bare,
    "experiment without a hypothesis": lambda: _bare(hypothesis=False),
    "experiment deviated": lambda: _bare(status="failed"),
    "experiment interrupted": lambda: _bare(status="interrupted"),
    "imported": lambda: _bare(imported=True),
}
_made: dict[str, Made] = {}
KINDS = tuple(_MAKERS)


def kind(name: str) -> dict[str, Any]:
    """The document of that kind: a fresh copy, so that a test may change it."""
    return json.loads(json.dumps(_of_kind(name)))


def evidence_of(name: str) -> Evidence:
    """What the document of that kind was made of."""
    return _of_kind(name).evidence


def _of_kind(name: str) -> Made:
    if name not in _made:
        _made[name] = _MAKERS[name]()
    return _made[name]
