"""`drillmark.yaml`: the workspace's own settings."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from drillmark.define.base import Strict, wrong
from drillmark.define.drill import HostPort
from drillmark.define.notifications import Notifications
from drillmark.define.safety import BlastRadius, Budget
from drillmark.define.telling import Logs, Metrics
from drillmark.define.units import Name, PositiveSeconds, Seconds, Slug, Written

_VARIABLE = r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"


def _variable(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(_VARIABLE, value):
        return value
    # Never shown: it may be the secret itself.
    raise wrong("a secret does not stand in this file", "write ${NAME}, and set NAME where drills are run")


class Due(Strict):
    """Until when a gap is to be closed, by its severity."""

    high: PositiveSeconds = Field(
        default=7 * 86400.0, description="Gaps of high severity; 7d unless given.", examples=["7d"]
    )
    medium: PositiveSeconds = Field(
        default=30 * 86400.0, description="Gaps of medium severity; 30d unless given.", examples=["30d"]
    )
    low: PositiveSeconds = Field(
        default=90 * 86400.0, description="Gaps of low severity; 90d unless given.", examples=["90d"]
    )


class Gaps(Strict):
    """The gap register."""

    due: Due = Field(default=Due(), description="Until when a gap is to be closed, by its severity.")


class GuardSettings(Strict):
    """The guard: it undoes the fault when the runner is gone."""

    lease: PositiveSeconds = Field(
        default=30.0, description="How long the runner may be silent before the guard acts; 30s unless given."
    )


class AlertSettings(Strict):
    """Where alerts are received while a drill observes them."""

    listen: HostPort = Field(
        default="127.0.0.1:9095",
        description="Address and port of the alert receiver; 127.0.0.1:9095 unless given, port 0: one that is free.",
    )
    clock_error: Seconds = Field(
        default=1.0, description="How far the clock of the machine that raises alerts may be off; 1s unless given."
    )
    token: Annotated[str, Written(_variable, _VARIABLE, ("${ALERTS_TOKEN}",))] | None = Field(
        default=None,
        description="What senders must know (`Authorization: Bearer`), as ${NAME} from the environment; "
        "anybody may send unless given.",
    )


class Limits(Strict):
    """What a workspace allows at most."""

    runs_at_once: int | None = Field(
        default=None, ge=1, le=1000, description="How many drills may run at the same time."
    )
    environments: dict[Slug, int] = Field(
        default_factory=dict,
        description="How many drills may run at the same time in an environment.",
        examples=[{"production": 1}],
    )
    run_time: PositiveSeconds | None = Field(default=None, description="How long one run may take.")


class FleetSettings(Strict):
    """Workers."""

    lease: PositiveSeconds = Field(
        default=30.0,
        description="How long a worker may be silent before it counts as lost; 30s unless given.",
        examples=["30s"],
    )


class Settings(Strict):
    """`drillmark.yaml`."""

    gaps: Gaps = Field(default=Gaps(), description="The gap register.")
    guard: GuardSettings = Field(default=GuardSettings(), description="The guard outside the runner.")
    alerts: AlertSettings = Field(default=AlertSettings(), description="The receiver of alerts.")
    limits: Limits | None = Field(default=None, description="What the workspace allows at most.")
    fleet: FleetSettings = Field(default=FleetSettings(), description="Workers.")
    blast_radius: BlastRadius | None = Field(default=None, description="What drills may reach at most.")
    approvers: list[Name] = Field(default_factory=list, description="Who may approve drills in production.")
    lifters: list[Name] = Field(default_factory=list, description="Who may lift a stop; the approvers unless given.")
    notifications: Notifications = Field(default=Notifications(), description="Who is told of drills.")
    logs: Logs = Field(default=Logs(), description="The structured log, one JSON object in each line.")
    metrics: Metrics = Field(default=Metrics(), description="The worker's own metrics and health.")
    budgets: list[Budget] = Field(default_factory=list, description="Error budgets, which drills respect.")
