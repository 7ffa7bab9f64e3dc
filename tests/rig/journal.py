"""Builders of what a run leaves behind: journal entries and sample tables, on a clock of the rig's own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.evidence import Evidence, LoadPart, Table, Written
from drillmark.model.plan import Latency, Objectives, Phases, Plan, Slo
from drillmark.model.planned import (
    PlannedActivity,
    PlannedAlert,
    PlannedAlerts,
    PlannedFault,
    PlannedLoad,
    PlannedMarkers,
    PlannedProbes,
)
from drillmark.model.stamp import Stamp
from drillmark.model.target import PlannedTarget

SECOND = 1_000_000_000
HOST, BOOT = "rig", "boot-1"
# I stands here on the monotonic clock, far from zero, so that a forgotten subtraction shows.
ORIGIN_NS = 7_777 * SECOND
WALL_NS = 1_700_000_000 * SECOND
PROBE = PlannedActivity(name="probe", activity={"type": "probe"})


def ns(seconds: float) -> int:
    return round(seconds * SECOND)


def stamp(seconds: float) -> Stamp:
    """Seconds since I, as a stamp."""
    return Stamp(ORIGIN_NS + ns(seconds), WALL_NS + ns(seconds), HOST, BOOT)


def activity(name: str) -> PlannedActivity:
    return PlannedActivity(name=name, activity={"name": name, "type": "action"})


def make_plan(
    *,
    recover: int = 0,
    verify: int = 0,
    preflight: int = 0,
    probes: int = 1,
    period: float = 0.1,
    timeout: float = 2.0,
    markers: bool = False,
    load: bool = False,
    hold: float = 5.0,
    rto: float | None = None,
    rpo: float | None = None,
    availability: float | None = None,
    p95: float | None = None,
    error_ratio: float | None = None,
    throughput: float | None = None,
    after_undo: float | None = None,
    mtd: float | None = None,
    effect: bool = True,
    alerts: bool = False,
    detect: float = 0.0,
    time_to_detect: float | None = None,
) -> Plan:
    objectives = Objectives(
        rto_seconds=4 * 3600.0 if rto is None else rto,
        rto_stated=rto is not None,
        rpo_seconds=3600.0 if rpo is None else rpo,
        rpo_stated=rpo is not None,
        after_undo_seconds=after_undo,
        mtd_seconds=mtd,
        time_to_detect_seconds=time_to_detect,
        slo=Slo(
            availability_ratio=availability,
            latency=Latency(p95_seconds=p95),
            error_ratio=error_ratio,
            throughput_per_second=throughput,
        ),
    )
    return Plan(
        drill="rig",
        title="A scripted run",
        owner="rig",
        source="drills/rig.yaml",
        target=PlannedTarget(name="rig", environment="lab"),
        objectives=objectives,
        phases=Phases(hold_seconds=hold, baseline_seconds=hold, soak_seconds=hold, detect_seconds=detect),
        fault=PlannedFault(
            path="experiments/rig.yaml",
            sha256="0" * 64,
            experiment={},
            actions=["break"],
            undos=["mend"],
            effect=PROBE if effect else None,
        ),
        load=PlannedLoad(locustfile="load.py", sha256="0" * 64) if load else None,
        probes=PlannedProbes(every_seconds=period, timeout_seconds=timeout, activities=[PROBE] * probes)
        if probes
        else None,
        markers=PlannedMarkers(secrets="rig") if markers else None,
        alerts=PlannedAlerts(rules=[PlannedAlert(webhook="/alerts")]) if alerts else None,
        preflight=[activity(f"preflight-{n}") for n in range(preflight)],
        recover=[activity(f"recover-{n}") for n in range(recover)],
        verify=[activity(f"verify-{n}") for n in range(verify)],
    )


@dataclass(slots=True)
class Journal:
    """Writes entries; every time is in seconds since I."""

    entries: list[Entry] = field(default_factory=list)
    origin: Stamp = field(default_factory=lambda: stamp(0.0))

    def at(self, seconds: float) -> Stamp:
        origin = self.origin
        return Stamp(origin.monotonic_ns + ns(seconds), origin.wall_ns + ns(seconds), origin.host, origin.boot)

    def add(self, kind: Kind, at: float, **data: Any) -> Entry:
        entry = Entry(len(self.entries) + 1, "rig", 1, kind, self.at(at), data, "", "")
        self.entries.append(entry)
        return entry

    def start(self, at: float, **data: Any) -> None:
        self.add(Kind.RUN_STARTED, at, drill="rig", **data)

    def intent(self, effect: Effect, at: float, key: str = "", attempt: int = 1, **data: Any) -> None:
        self.add(Kind.INTENT, at, effect=str(effect), key=key, attempt=attempt, **data)

    def outcome(
        self,
        effect: Effect,
        at: float,
        key: str = "",
        status: str = "succeeded",
        ended: float | None = None,
        attempt: int = 1,
        **data: Any,
    ) -> None:
        # The outcome is journalled a little after it really ended.
        end = at if ended is None else ended
        self.add(
            Kind.OUTCOME,
            at,
            effect=str(effect),
            key=key,
            attempt=attempt,
            status=status,
            error=data.pop("error", ""),
            ended=self.at(end).as_json(),
            **data,
        )

    def did(self, effect: Effect, begin: float, end: float, key: str = "", lag: float = 0.0, **data: Any) -> None:
        """An effect from begin to end, journalled `lag` later."""
        self.intent(effect, begin, key)
        self.outcome(effect, end + lag, key, ended=end, **data)

    def add_event(self, at: float, what: str, **data: Any) -> None:
        self.add(Kind.EVENT, at, what=what, **data)

    def sorted(self) -> tuple[Entry, ...]:
        return tuple(self.entries)


def table(
    columns: dict[str, Any], meta: dict[str, Any] | None = None, *, closed: bool = True, torn: bool = False
) -> Table:
    kinds = {"ok": "u1", "kind": "u1", "users": "i4", "probe": "i4", "detail": "i4", "name": "i4", "error": "i4"}
    kinds |= {"writer": "i4", "timeline": "i4", "op": "u1"}
    arrays = {name: np.asarray(values, dtype=kinds.get(name, "i8")) for name, values in columns.items()}
    texts = {name: ["word"] for name in ("probe", "detail", "name", "error") if name in columns}
    return Table(arrays, texts, {"run": "rig", "host": HOST, "boot": BOOT} | (meta or {}), torn=torn, closed=closed)


_PLAIN = ("beats", "side", "positions", "load", "load_users", "load_clocks")


def tables_of(evidence: Evidence) -> dict[str, Table | None]:
    """The sample tables of a run, by the names of their files; of a marker writer with a name `ledger-<name>`."""
    found = {name: getattr(evidence, name) for name in _PLAIN}
    for part in evidence.load_parts:
        found |= {f"load-{part.worker}": part.requests, f"load_users-{part.worker}": part.users}
    for name, written in evidence.written.items():
        suffix = f"-{name}" if name else ""
        found |= {f"ledger{suffix}": written.ledger, f"survivors{suffix}": written.survivors}
    return found


def with_tables(evidence: Evidence, tables: dict[str, Table | None]) -> Evidence:
    """The run with other tables in place of some."""
    found = tables_of(evidence) | tables
    written = {
        name: Written(
            found[f"ledger-{name}" if name else "ledger"], found[f"survivors-{name}" if name else "survivors"]
        )
        for name in evidence.written
    }
    parts = tuple(
        LoadPart(part.worker, found[f"load-{part.worker}"], found[f"load_users-{part.worker}"])
        for part in evidence.load_parts
    )
    return replace(evidence, written=written, load_parts=parts, **{name: found[name] for name in _PLAIN})


def cut(whole: Table, rows: int) -> Table:
    """The first rows of a table: what is left when its writer, or the file, ends there."""
    columns = {name: values[:rows] for name, values in whole.columns.items()}
    return Table(columns, whole.texts, whole.meta, torn=True, closed=False)
