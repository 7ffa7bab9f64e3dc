"""What a plan holds of a run's parts: fault, load, probes, markers, alerts, guards, each with everything resolved.

Each process of a run needs its own part of it alone; `plan` puts them together.
"""

from __future__ import annotations

from typing import Any, Literal

from drillmark.model.frozen import Frozen, each


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


class PlannedProbes(Frozen):
    """User-level probes: one round of all of them is a beat."""

    every_seconds: float = 0.1
    timeout_seconds: float = 2.0
    activities: list[PlannedActivity] = each(default_factory=list)


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


class PlannedGuard(Frozen):
    """A probe that aborts the run when it fails for so long."""

    name: str
    probe: PlannedActivity
    fails_for_seconds: float
    then: Literal["abort"] = "abort"
