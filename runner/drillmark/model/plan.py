"""A plan: a drill with everything resolved. What the engine performs and what measuring and judging refer to.

References to activities are replaced by the activities, defaults are filled in, durations are seconds. Secrets
stay references (Chaos Toolkit's `secrets` block); their values never stand here. A plan is JSON and hashes to
the same value wherever it is made (`plan.digest`).
"""

from __future__ import annotations

from typing import Any, Literal

from drillmark.model.frozen import Frozen, each


class Latency(Frozen):
    """Latency objectives in seconds, for each percentile."""

    p50_seconds: float | None = None
    p95_seconds: float | None = None
    p99_seconds: float | None = None


class Slo(Frozen):
    """Service level objectives. None: not stated. Ratios lie in [0, 1]."""

    availability_ratio: float | None = None
    latency: Latency = Latency()
    error_ratio: float | None = None
    throughput_per_second: float | None = None


class Objectives(Frozen):
    """What the drill is judged against. `*_stated`: the drill itself states it, so it must be measurable."""

    rto_seconds: float = 4 * 3600.0
    rto_stated: bool = False
    rpo_seconds: float = 3600.0
    rpo_stated: bool = False
    time_to_detect_seconds: float | None = None
    mtd_seconds: float | None = None
    after_undo_seconds: float | None = None
    slo: Slo = Slo()


class Phases(Frozen):
    """How long each phase is, in seconds."""

    baseline_seconds: float = 30.0
    detect_seconds: float = 0.0
    fault_seconds: float = 60.0
    recover_deadline_seconds: float = 8 * 3600.0
    verify_deadline_seconds: float = 1800.0
    soak_seconds: float = 60.0
    hold_seconds: float = 30.0


class PlannedActivity(Frozen):
    """A Chaos Toolkit activity, `ref` resolved and arguments merged, in Chaos Toolkit's own shape."""

    name: str
    activity: dict[str, Any]
    repeatable: bool = False
    timeout_seconds: float | None = None  # enforced from outside; None: the phase's deadline alone


class PlannedHits(Frozen):
    """How many instances the fault hits, as the drill says. Both None: it does not."""

    instances: int | None = None
    share_ratio: float | None = None


class PlannedFault(Frozen):
    """An experiment with its undo, and how its effect is proved."""

    path: str  # from the workspace root
    sha256: str
    experiment: dict[str, Any]  # as Chaos Toolkit's, `ref`s within it left to chaoslib
    actions: list[str]  # names, in method order
    undos: list[str]  # names of the rollbacks, in file order
    effect: PlannedActivity | None = None
    effect_within_seconds: float = 10.0
    runner_lost: Literal["undo", "hold"] = "undo"
    lease_seconds: float = 30.0
    hits: PlannedHits = PlannedHits()


class PlannedLoad(Frozen):
    """Locust as a child process."""

    locustfile: str  # from the workspace root
    sha256: str
    users: int = 10
    spawn_rate_per_second: float = 10.0
    processes: int = 1
    host: str | None = None
    master_host: str | None = None  # where the master of workers on other machines listens
    master_port: int = 0
    workers: int = 0  # how many of them it waits for

    @property
    def parts(self) -> int:
        """How many workers record requests, each in files of its own; 0: one process, which leads nobody."""
        return self.workers or (self.processes if self.processes > 1 else 0)


class PlannedMarkers(Frozen):
    """One marker writer. `secrets` names the block of `Plan.secrets` with the store's `dsn`, or what fills requests."""

    name: str = ""  # empty: the only one, or one of a plan from before there could be several
    store: Literal["postgres", "http"] = "postgres"
    secrets: str | None = None
    every_seconds: float = 0.01
    writers: int = 4
    changes: bool = True  # updates and deletes beside inserts
    timeout_seconds: float = 2.0  # of a write over HTTP
    verify_tls: bool = True
    requests: dict[str, dict[str, Any]] = each(default_factory=dict)  # over HTTP: insert, update, delete, read
    side_secrets: str | None = None  # the block with the `dsn` of a copy that is restored to the side

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.store

    @property
    def role(self) -> str:
        """The name of its process and of that one's files."""
        return self._own("markers")

    @property
    def read_back_role(self) -> str:
        """Likewise of the process that reads back."""
        return self._own("read_back")

    @property
    def ledger(self) -> str:
        """The sample file of what it wrote, without suffix."""
        return self._own("ledger")

    @property
    def survivors(self) -> str:
        """The sample file of what was read back, without suffix."""
        return self._own("survivors")

    def _own(self, what: str) -> str:
        return f"{what}-{self.name}" if self.name else what


class PlannedPositions(Frozen):
    """The position reader: reads the store's log position all through, and writes nothing.

    `secrets` names the block of `Plan.secrets` that holds the store's `dsn`.
    """

    store: Literal["postgres"] = "postgres"
    secrets: str
    every_seconds: float = 0.1


class PlannedProbes(Frozen):
    """User-level probes: one round of all of them is a beat."""

    every_seconds: float = 0.1
    timeout_seconds: float = 2.0
    activities: list[PlannedActivity] = each(default_factory=list)


class PlannedAlert(Frozen):
    """An alert that counts as detection: the route that it comes by, and labels that it must carry."""

    webhook: str
    match: dict[str, str] = each(default_factory=dict)


class PlannedAlerts(Frozen):
    """The alert receiver. Port 0: one that is free. `token_variable`: where its token stands; empty: it has none."""

    host: str = "127.0.0.1"
    port: int = 9095
    clock_error_seconds: float = 1.0  # how far the clock of who raises alerts may be off
    token_variable: str = ""
    rules: list[PlannedAlert] = each(default_factory=list)


class PlannedSimulation(Frozen):
    """A simulated disaster: nothing is injected, the source is frozen at t0, and a copy is restored to the side.

    Attributes:
        source: lists what has reached the backup store, with hashes, into the file that `drillmark_source` names.
        probes: beats on the copy.
        discard: takes the copy away again; what the undo file holds.
        identity: tells whose data the copy holds, where a system identifier does not.
    """

    source: PlannedActivity
    probes: PlannedProbes
    discard: PlannedActivity
    identity: PlannedActivity | None = None
    lease_seconds: float = 30.0

    @property
    def experiment(self) -> dict[str, Any]:
        """What stands in the undo file: an experiment without a method, whose rollback takes the copy away."""
        return {
            "title": "simulated disaster",
            "description": "nothing is injected; what was restored to the side is taken away",
            "method": [],
            "rollbacks": [self.discard.activity],
        }


class PlannedGuard(Frozen):
    """A probe that aborts the run when it fails for so long."""

    name: str
    probe: PlannedActivity
    fails_for_seconds: float
    then: Literal["abort"] = "abort"


class PlannedScope(Frozen):
    """What a target stands in. None: nobody said so, which is not the same as none."""

    accounts: list[str] | None = None
    namespaces: list[str] | None = None
    instances: int | None = None
    counted_by: str | None = None  # the probe that counts the instances


class PlannedTouch(Frozen):
    """A target that a drill of another one touches: locked too, never faulted."""

    name: str
    environment: str | None = None  # None: targets.yaml says nothing of it
    labels: dict[str, str] = each(default_factory=dict)
    scope: PlannedScope = PlannedScope()


class PlannedTarget(Frozen):
    """The system under test."""

    name: str
    environment: str
    tier: int | None = None
    disposable: bool = False
    labels: dict[str, str] = each(default_factory=dict)
    touches: list[str] = each(default_factory=list)
    touched: list[PlannedTouch] = each(default_factory=list)  # what targets.yaml says of `touches`
    scope: PlannedScope = PlannedScope()


class BlastRadius(Frozen):
    """What may be reached at most. None: that rule does not hold."""

    environments: list[str] | None = None
    accounts: list[str] | None = None
    namespaces: list[str] | None = None
    labels: dict[str, str] | None = None
    share_ratio: float | None = None
    at_once: int | None = None


class PlannedWindow(Frozen):
    """The only hours in which a run may begin."""

    days: str | None = None  # such as tue-thu,sat; None: every day
    opens: str  # 02:00
    closes: str  # earlier than `opens`: on the next day
    time_zone: str = "UTC"


class Risk(Frozen):
    """The drill's place in the risk register. Severity of its gaps comes from it."""

    reference: str | None = None
    likelihood: Literal["low", "medium", "high"] = "medium"
    impact: Literal["low", "medium", "high"] = "medium"
    detection: Literal["fast", "slow", "none"] | None = None


class GapDueDays(Frozen):
    """Days until a gap is due, by severity."""

    high: int = 7
    medium: int = 30
    low: int = 90


class Bare(Frozen):
    """How a bare Chaos Toolkit experiment is run: what `chaos run` knows as its options.

    Values of variables do not stand here but in the experiment's configuration, where they hold no secret.
    """

    source: str  # as it was given: a path, or a URL
    folder: str  # where it was started; relative paths in it count from there
    journal_path: str  # absolute
    settings_path: str
    control_files: list[str] = each(default_factory=list)
    var_files: list[str] = each(default_factory=list)
    verify_tls: bool = True
    validated: bool = True
    rollback_strategy: Literal["always", "default", "deviated", "never"] = "always"
    hypothesis_strategy: str | None = None  # None: as settings or experiment say
    hypothesis_frequency_seconds: float = 1.0
    fail_fast: bool = False
    dry: Literal["probes", "actions", "activities", "pause"] | None = None

    @property
    def rehearsed(self) -> bool:
        """Whether anything is left out: then nothing was proved by the run."""
        return self.dry not in (None, "pause")

    @property
    def touches_nothing(self) -> bool:
        """Whether no action is performed, so that there is nothing to undo."""
        return self.dry in ("actions", "activities")


class Plan(Frozen):
    """Everything that a run needs to know beforehand."""

    format: Literal["drillmark.plan/1"] = "drillmark.plan/1"
    drill: str  # the drill's id
    title: str
    owner: str
    source: str  # the drill's file, from the workspace root
    mode: Literal["drill", "check", "gameday", "tabletop", "experiment"] = "drill"
    disaster: str | None = None  # what happens, as a report says it: "the orders database was lost"
    runbook: str | None = None
    risk: Risk = Risk()
    target: PlannedTarget
    objectives: Objectives = Objectives()
    phases: Phases = Phases()
    fault: PlannedFault | None = None
    bare: Bare | None = None  # the fault is all there is: a bare experiment
    simulation: PlannedSimulation | None = None  # in place of a fault
    load: PlannedLoad | None = None
    probes: PlannedProbes | None = None
    markers: tuple[PlannedMarkers, ...] = ()
    positions: PlannedPositions | None = None
    alerts: PlannedAlerts | None = None
    identity: PlannedActivity | None = None
    preflight: list[PlannedActivity] = each(default_factory=list)
    recover: list[PlannedActivity] = each(default_factory=list)
    verify: list[PlannedActivity] = each(default_factory=list)
    guards: list[PlannedGuard] = each(default_factory=list)
    blast_radius: BlastRadius | None = None  # the drill's own; the workspace's is asked when it begins
    window: PlannedWindow | None = None
    configuration: dict[str, Any] = each(default_factory=dict)  # Chaos Toolkit's block, unresolved
    secrets: dict[str, Any] = each(default_factory=dict)  # Chaos Toolkit's block: references, no values
    gap_due_days: GapDueDays = GapDueDays()
    sources: dict[str, str] = each(default_factory=dict)  # path from the workspace root -> SHA-256

    @classmethod
    def _before(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Plans were written with one marker writer or none before there could be several.
        found = values.get("markers", ())
        several = (found,) if isinstance(found, dict | PlannedMarkers) else found or ()
        return values | {"markers": several}

    @property
    def recovers(self) -> bool:
        """Whether the drill has a recovery; without one, the fault stays for `phases.fault_seconds`."""
        return bool(self.recover)

    @property
    def detects(self) -> bool:
        """Whether detection is observed: alerts are listened for, or a person's word is waited for."""
        return self.alerts is not None or self.phases.detect_seconds > 0

    @property
    def simulated(self) -> bool:
        """Whether the disaster is simulated: production goes on, and a copy is restored to the side."""
        return self.simulation is not None

    @property
    def whose(self) -> PlannedActivity | None:
        """What tells whose data is read back. The target's `identity` asks production, which says nothing of a copy."""
        return self.simulation.identity if self.simulation is not None else self.identity

    @property
    def undos(self) -> list[str]:
        """Names of what is to be undone."""
        if self.simulation is not None:
            return [self.simulation.discard.name]
        return list(self.fault.undos) if self.fault else []

    @property
    def undone_by(self) -> dict[str, Any] | None:
        """The experiment whose rollbacks are the undo."""
        if self.simulation is not None:
            # The activity is the target's, and so are its configuration and its secrets.
            return self.simulation.experiment | {"configuration": self.configuration, "secrets": self.secrets}
        return self.fault.experiment if self.fault else None
