"""The targets file: what is tested, how it is observed, fenced and restored. Ten drills share a target."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from drillmark.define.activity import Activity
from drillmark.define.base import Strict
from drillmark.define.marker_models import MarkersOrSeveral
from drillmark.define.safety import Scope
from drillmark.define.units import Name, PositiveSeconds, Slug


class TargetPositions(Strict):
    """Where log positions are read, by which data loss is measured without writing anything."""

    store: Literal["postgres"] = Field(default="postgres", description="What kind of store is read.")
    secrets: Name = Field(description="The secrets block that holds the store's `dsn`.")
    every: PositiveSeconds | None = Field(
        default=None, description="The time from reading to reading; 100ms unless given."
    )


class Target(Strict):
    """One system under test. From `probes` on: what a drill takes unless it says otherwise."""

    environment: Slug = Field(
        description="Where it runs: `lab` is started by itself; `production` needs a window and an approval.",
        examples=["lab"],
    )
    tier: int | None = Field(default=None, ge=0, le=9, description="How important it is; 1 is the most important.")
    disposable: bool = Field(default=False, description="A fault without an undo is allowed here.")
    labels: dict[str, str] = Field(
        default_factory=dict, description="What a worker must have to run drills of this target."
    )
    touches: list[Name] = Field(
        default_factory=list, description="What a drill of this target locks too, and never faults."
    )
    scope: Scope | None = Field(
        default=None, description="What it stands in, and of how many instances it consists, for `blast_radius`."
    )
    markers: MarkersOrSeveral | None = Field(
        default=None, description="Where marker writes go, by which data loss is measured: one writer, or a list."
    )
    positions: TargetPositions | None = Field(
        default=None, description="Where log positions are read, for a store in which nothing may be written."
    )
    probes: list[Name] = Field(
        default_factory=list, description="User-level probes, by name: one round of all is a beat."
    )
    side: list[Name] = Field(
        default_factory=list, description="Probes on a restored copy, by name (simulated disasters)."
    )
    source: Name | None = Field(
        default=None, description="The probe that lists what has reached the backup store (simulated disasters)."
    )
    discard: Name | None = Field(
        default=None, description="The action that takes a restored copy away again (simulated disasters)."
    )
    identity: Name | None = Field(
        default=None, description="The probe that tells whose data this is (logical restores)."
    )
    side_identity: Name | None = Field(
        default=None,
        description="The probe that tells whose data a copy holds (simulated disasters, logical restores).",
    )
    effect: Name | None = Field(
        default=None, description="The probe that proves that a fault took effect; true until the undo."
    )
    verify: list[Name] = Field(default_factory=list, description="What must be true of the recovered system, by name.")
    preflight: list[Name] = Field(default_factory=list, description="Probes that must be true before a fault, by name.")
    activities: list[Activity] = Field(default_factory=list, description="The target's Chaos Toolkit activities.")


class Targets(Strict):
    """`targets.yaml`."""

    configuration: dict[str, Any] = Field(
        default_factory=dict, description="Chaos Toolkit's `configuration` block: `${name}` in activities."
    )
    secrets: dict[str, Any] = Field(
        default_factory=dict, description="Chaos Toolkit's `secrets` block: references to secrets, never their values."
    )
    targets: dict[Slug, Target] = Field(min_length=1, description="The targets, by name.")
