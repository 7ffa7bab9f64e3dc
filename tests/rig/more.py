"""Random runs without a truth of their own: of alerts, of a load in several processes, of a bare experiment.

They are there to be cut: what is lost of them must make no verdict better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import numpy as np

from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.evidence import Evidence, LoadPart, Table
from drillmark.model.plan import Bare
from rig import loads
from rig.journal import ORIGIN_NS, WALL_NS, Journal, make_plan, ns, table
from rig.plain import drill

ELSEWHERE = {"host": "elsewhere", "boot": "boot-7"}
AHEAD_NS = ns(1234.5)


@dataclass(slots=True)
class Made:
    evidence: Evidence


def detection(random: Random) -> Made:
    """Alerts of all sorts, a receiver that is away or dies, perhaps a person; some of it, or nothing."""
    events: list[tuple[float, dict[str, object]]] = []
    journal = Journal()
    for _ in range(random.choice([0, 1, 1, 2, 4])):
        at = random.uniform(-6.0, 18.0)
        began = random.choice([None, at - random.uniform(0.0, 2.0), random.uniform(-20.0, at)])
        told = {
            "what": "alert", "received": journal.at(at).as_json(), "route": "/alerts",
            "status": random.choice(["firing", "firing", "firing", "resolved"]), "matched": random.random() < 0.8,
            "labels": {"alertname": random.choice(["Down", "Slow"])},
            "starts_at_ns": None if began is None else WALL_NS + ns(began),
        }  # fmt: skip
        events.append((at, told))
    if random.random() < 0.4:
        begin = random.uniform(-8.0, 15.0)
        end = begin + random.uniform(0.5, 5.0)
        edges = {"from": journal.at(begin).as_json(), "to": journal.at(end).as_json()}
        events.append((end, {"what": "alerts_away"} | edges))
    if random.random() < 0.2:
        at = random.uniform(0.5, 19.0)
        events.append((at, {"what": "declared", "by": "ops", "reason": "", "at": journal.at(at).as_json()}))
    if random.random() < 0.2:
        events.append((random.uniform(0.5, 20.0), {"what": "alerts_died", "error": "disk full"}))
    else:
        events.append((21.9, {"what": "alerts_closed", "stamp": journal.at(21.9).as_json()}))

    def edit(told: Journal) -> None:
        told.entries += [Entry(0, "rig", 1, Kind.EVENT, told.at(at), data, "", "") for at, data in events]
        told.entries.sort(key=lambda entry: entry.stamp.monotonic_ns)
        told.entries = [replace(entry, sequence=number) for number, entry in enumerate(told.entries, 1)]

    return Made(drill(plan={"alerts": True, "time_to_detect": random.choice([1.0, 5.0, 60.0])}, edit=edit).evidence)


def load_parts(random: Random) -> Made:
    """A drill under load of two or three workers, one of which may be on another machine."""
    evidence = loads.make(random).evidence
    requests, users = evidence.load, evidence.load_users
    assert requests is not None
    assert users is not None
    count = random.choice([2, 3])
    chosen = np.array([random.randrange(count) for _ in range(len(requests))])
    elsewhere = random.choice([None, None, count])
    parts: list[LoadPart] = []
    for number in range(1, count + 1):
        mine = chosen == number - 1
        own = replace(requests, columns={name: values[mine] for name, values in requests.columns.items()})
        parts.append(_part(number, own, users, away=number == elsewhere))
    clocks = None
    if elsewhere is not None:
        at = np.arange(-4, 20)
        sent = [ORIGIN_NS + ns(float(one)) for one in at]
        took = [ns(random.uniform(0.001, 0.02)) for _ in at]
        asked = [begin + AHEAD_NS + round(random.random() * each) for begin, each in zip(sent, took, strict=True)]
        received = [begin + each for begin, each in zip(sent, took, strict=True)]
        clocks = table(
            {"worker": [elsewhere] * len(at), "at_ns": asked, "sent_ns": sent, "received_ns": received}, closed=True
        )
    assert evidence.plan.load is not None
    several = evidence.plan.load.model_copy(update={"processes": count})
    plan = evidence.plan.model_copy(update={"load": several})
    return Made(replace(evidence, plan=plan, load=None, load_parts=tuple(parts), load_clocks=clocks))


def _part(number: int, requests: Table, users: Table, *, away: bool) -> LoadPart:
    if not away:
        return LoadPart(number, requests, users)
    return LoadPart(number, _shifted(requests, "start_ns"), _shifted(users, "at_ns"))


def _shifted(found: Table, column: str) -> Table:
    return replace(found, columns=found.columns | {column: found[column] + AHEAD_NS}, meta=found.meta | ELSEWHERE)


def bare(random: Random) -> Made:
    """An experiment run as `chaos run` would: with a hypothesis or without, completed, failed or interrupted."""
    plan = make_plan(probes=0, hold=1.0, effect=False)
    assert plan.fault is not None
    hypothesis = {"title": "it answers", "probes": [{"name": "it-answers", "type": "probe"}]}
    experiment = {"steady-state-hypothesis": hypothesis} if random.random() < 0.7 else {}
    bare_plan = Bare(source="experiment.yaml", folder=".", journal_path="/journal.json", settings_path="/settings.yaml")
    plan = plan.model_copy(
        update={"bare": bare_plan, "fault": plan.fault.model_copy(update={"experiment": experiment})}
    )
    journal = Journal()
    journal.start(-2.0)
    journal.intent(Effect.PREPARE, -1.0)
    journal.outcome(Effect.PREPARE, -0.5)
    status = random.choice(["completed", "completed", "failed", "interrupted"])
    ended = random.choice(["succeeded", "succeeded", "succeeded", "failed"])
    actions = [{"name": "break", "status": ended, "error": ""}]
    played = {"status": status, "deviated": status == "failed"}
    # Sometimes the second check of the hypothesis is not on record: then nobody saw it met.
    met = [["hypothesis_before"], ["hypothesis_after"] if random.random() < 0.9 else []]
    journal.intent(Effect.INJECT, 0.0)
    journal.outcome(
        Effect.INJECT, 1.0, status=ended, actions=actions, gate_failed=False, nothing_began=False,
        last_action_ended=True, played=played, strategy="default", met=met[0],
    )  # fmt: skip
    undone = random.choice(["succeeded", "succeeded", "succeeded", "failed"])
    rollbacks = [{"index": 0, "name": "mend", "status": undone, "error": ""}]
    journal.did(Effect.UNDO, 2.0, 2.5, status=undone, rollbacks=rollbacks, played=played, met=met[1])
    journal.did(Effect.PROVE_UNDONE, 2.5, 2.6)
    journal.did(Effect.STOP_OBSERVERS, 2.7, 2.8)
    return Made(Evidence(plan, journal.sorted()))
