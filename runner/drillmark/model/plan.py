"""A plan: a drill with everything resolved. What the engine performs and what measuring and judging refer to.

References to activities are replaced by the activities, defaults are filled in, durations are seconds. Secrets
stay references (Chaos Toolkit's `secrets` block); their values never stand here. A plan is JSON and hashes to
the same value wherever it is made (`plan.digest`).
"""

from __future__ import annotations

from typing import Any, Literal

from drillmark.model.frozen import Frozen, each
from drillmark.model.planned import (
    PlannedActivity,
    PlannedAlerts,
    PlannedFault,
    PlannedGuard,
    PlannedLoad,
    PlannedMarkers,
    PlannedPositions,
    PlannedProbes,
    PlannedSimulation,
)
from drillmark.model.target import BlastRadius, PlannedTarget


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
