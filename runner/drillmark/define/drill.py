"""The drill file: what one drill is. Names and shape are what people write in `drills/*.yaml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from drillmark.define.activity import Use
from drillmark.define.base import Level, Strict
from drillmark.define.marker_models import MarkersOrSeveral
from drillmark.define.safety import BlastRadius, Hits
from drillmark.define.schedule import Schedule
from drillmark.define.units import (
    Name,
    PerSecond,
    PositivePerSecond,
    PositiveSeconds,
    Ratio,
    Seconds,
    Slug,
    Text,
    Url,
    WorkspacePath,
    worded,
)

Runbook = Annotated[
    str,
    worded(
        r"^(?:https?://[^\s]{1,1000}|(?![/~\\])(?!.*(?:^|/)\.\.(?:/|$))[^\x00-\x1f:]{1,1000})$",
        "a path inside the workspace or an http address",
        "docs/how-to/restore-orders-db.md",
    ),
]
_PORT = r"(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
HostPort = Annotated[str, worded(rf"^[A-Za-z0-9.-]{{1,253}}:{_PORT}$", "host:port", "10.0.0.5:5557")]
Route = Annotated[
    str,
    worded(r"^/[A-Za-z0-9._~/-]{0,200}$", "a route that begins with /, of letters, digits and . _ ~ / -", "/alerts"),
]


class Risk(Strict):
    """The drill's place in the risk register; the severity of its gaps comes from it."""

    reference: Name | None = Field(default=None, description="The entry in the risk register.", examples=["R-012"])
    likelihood: Level = Field(default="medium", description="How likely the disaster is.")
    impact: Level = Field(default="medium", description="How bad it would be.")
    detection: Literal["fast", "slow", "none"] | None = Field(default=None, description="How soon it would be noticed.")


class Latency(Strict):
    """Latency objectives, for each percentile of the load's requests."""

    p50: PositiveSeconds | None = Field(default=None, description="Half of the requests are faster.")
    p95: PositiveSeconds | None = Field(default=None, description="95 of 100 requests are faster.")
    p99: PositiveSeconds | None = Field(default=None, description="99 of 100 requests are faster.")


class Slo(Strict):
    """Service level objectives: judged in baseline, hold and soak."""

    availability: Ratio | None = Field(default=None, description="The share of beats that must be good.")
    latency: Latency | None = Field(default=None, description="Latency objectives of the load's requests.")
    error_rate: Ratio | None = Field(default=None, description="The share of the load's requests that may fail.")
    throughput: PerSecond | None = Field(
        default=None, description="Requests that the load must get through; 90 % of the baseline's unless given."
    )


class Objectives(Strict):
    """What the drill is judged against. Stating `rto` or `rpo` also demands that it can be measured."""

    rto: PositiveSeconds | None = Field(
        default=None, description="Longest acceptable time to recover; 4h unless given.", examples=["4h"]
    )
    rpo: Seconds | None = Field(
        default=None, description="Oldest acceptable data loss; 1h unless given.", examples=["1h"]
    )
    time_to_detect: PositiveSeconds | None = Field(
        default=None, description="Longest time until an alert; judged only where alerts are observed."
    )
    mtd: PositiveSeconds | None = Field(
        default=None, description="Maximum tolerable downtime: recovery and the work to verify it."
    )
    after_undo: PositiveSeconds | None = Field(
        default=None, description="Checks without recovery: from the undo's end until the service is back."
    )
    slo: Slo | None = Field(default=None, description="Service level objectives.")


class Deadline(Strict):
    """A phase that ends by itself, and the latest time for it."""

    deadline: PositiveSeconds = Field(description="How long the phase may take.")


class Phases(Strict):
    """How long each phase is."""

    baseline: PositiveSeconds | None = Field(
        default=None, description="Steady state before the fault, at least `hold`; 30s unless given."
    )
    detect: Seconds | None = Field(
        default=None, description="How long to wait for an alert or `declare`; 0s: recovery begins by itself."
    )
    fault: PositiveSeconds | None = Field(
        default=None,
        description="Only without `recover`: how long the fault stays; longer than `hold`; 60s unless given.",
    )
    recover: Deadline | None = Field(default=None, description="Latest end of the recovery; 2 x rto unless given.")
    verify: Deadline | None = Field(default=None, description="Latest end of the verification; 30m unless given.")
    soak: PositiveSeconds | None = Field(
        default=None, description="How long to watch after the recovery; 60s unless given."
    )
    hold: PositiveSeconds | None = Field(
        default=None, description='Length of the window that proves "restored"; 30s unless given.'
    )


class Fault(Strict):
    """A Chaos Toolkit experiment: its method is the fault, its rollbacks are the undo."""

    experiment: WorkspacePath = Field(description="The experiment's file, from the workspace root.")
    effect: Use | None = Field(
        default=None,
        description="The probe that proves that the fault took effect; true until the undo. The target's unless given.",
    )
    runner_lost: Literal["undo", "hold"] = Field(
        default="undo",
        description="What the guard does when the runner is gone: undo, or hold until the run's deadline.",
    )
    hits: Hits | None = Field(
        default=None, description="How many instances it hits, where its activities do not tell; all unless given."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"experiment": value} if isinstance(value, str) else value


def _fault_tag(value: Any) -> str:
    return "<simulated>" if value == "simulated" else "<fault>"


FaultOrSimulated = Annotated[
    Annotated[Literal["simulated"], Tag("<simulated>")] | Annotated[Fault, Tag("<fault>")], Discriminator(_fault_tag)
]


class Load(Strict):
    """Load on the system: a Locust file of your own, unchanged."""

    locustfile: WorkspacePath = Field(description="The Locust file, from the workspace root.")
    users: int = Field(default=10, ge=1, le=1_000_000, description="Simulated users.")
    spawn_rate: PositivePerSecond = Field(
        default=10.0, description="How many users begin each second; 10/s unless given."
    )
    processes: int = Field(default=1, ge=1, le=1024, description="Locust processes on this machine.")
    host: Url | None = Field(default=None, description="The address under load; the Locust file's own unless given.")
    master: HostPort | None = Field(default=None, description="Distributed load: where the master listens, host:port.")
    workers: int | None = Field(
        default=None, ge=1, le=10_000, description="Distributed load: how many workers to wait for."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"locustfile": value} if isinstance(value, str) else value


class Probes(Strict):
    """The user-level probes: one round of all of them is a beat."""

    every: PositiveSeconds | None = Field(default=None, description="The time from beat to beat; 100ms unless given.")
    timeout: PositiveSeconds | None = Field(default=None, description="How long an answer may take; 2s unless given.")
    use: list[Use] | None = Field(default=None, min_length=1, description="The probes; the target's unless given.")


class Positions(Strict):
    """The position reader: the store's log position, read all through; nothing is written."""

    store: Literal["postgres"] | None = Field(default=None, description="What kind of store is read.")
    secrets: Name | None = Field(default=None, description="The secrets block that holds the store's `dsn`.")
    every: PositiveSeconds | None = Field(
        default=None, description="The time from reading to reading; 100ms unless given."
    )


class Alert(Strict):
    """An alert that counts as detection."""

    webhook: Route = Field(description="The route on which the alert is received.")
    match: dict[str, str] = Field(
        min_length=1,
        description="Labels that the alert must carry, at least one: without any, every alert would count.",
    )


class Observe(Strict):
    """What is observed all through the drill."""

    probes: Probes | None = Field(default=None, description="The user-level probes.")
    markers: MarkersOrSeveral | None = Field(
        default=None, description="The marker writer, or a list, laid over the target's own."
    )
    positions: Positions | None = Field(
        default=None, description="The position reader, laid over the target's own: data loss where nothing is written."
    )
    alerts: list[Alert] | None = Field(default=None, min_length=1, description="Alerts that count as detection.")


class Guard(Strict):
    """A probe that aborts the run when it fails for so long."""

    name: Name = Field(description="The guard's name.")
    probe: Use = Field(description="The probe.")
    fails_for: Seconds = Field(description="How long it must fail.")
    then: Literal["abort"] = Field(default="abort", description="What happens then.")


class Drill(Strict):
    """A drill: what breaks, how it is recovered, and what is measured."""

    id: Slug = Field(description="The drill's id; runs and gaps carry it.")
    title: Text = Field(description="What the drill shows, in one line.")
    owner: Name = Field(description="Who answers for the drill and gets its gaps.")
    mode: Literal["drill", "check", "gameday", "tabletop"] = Field(
        default="drill",
        description="A drill recovers, a check only watches, a gameday has people in it, a tabletop only talks.",
    )
    target: Name = Field(description="The system under test, by its name in `targets.yaml`.")
    disaster: Name | None = Field(
        default=None,
        description="What happens, in the past tense, as the first words of the report.",
        examples=["The orders database was lost"],
    )
    runbook: Runbook | None = Field(default=None, description="Where the procedure is written down.")
    risk: Risk | None = Field(default=None, description="The drill's place in the risk register.")
    objectives: Objectives | None = Field(default=None, description="What the drill is judged against.")
    phases: Phases | None = Field(default=None, description="How long each phase is.")
    fault: FaultOrSimulated | None = Field(
        default=None, description="The experiment that is the fault (a path is enough), or `simulated`."
    )
    load: Load | None = Field(default=None, description="Load on the system: a Locust file (a path is enough).")
    observe: Observe | None = Field(default=None, description="What is observed all through the drill.")
    recover: list[Use] | None = Field(
        default=None, min_length=1, description="The recovery that is measured, step by step."
    )
    verify: list[Use] | None = Field(
        default=None, min_length=1, description="What must be true of the recovered system; the target's unless given."
    )
    guards: list[Guard] | None = Field(
        default=None, min_length=1, description="Probes that abort the run when they fail."
    )
    schedule: Schedule | None = Field(default=None, description="When the drill is due.")
    blast_radius: BlastRadius | None = Field(
        default=None, description="What the drill may reach at most; the workspace's own rules hold beside it."
    )
