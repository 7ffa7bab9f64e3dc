"""A gap: something that fell short, from the run that found it to the retest that closes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Occurrence(BaseModel):
    """One run in which the gap showed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    at: str  # ISO 8601, UTC
    observed: str
    evidence: list[str]


class Gap(BaseModel):
    """One line of the gap register, `reports/gaps/GAP-*.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # GAP-<first 8 of the fingerprint>
    fingerprint: str  # SHA-256 of (drill, target, objective, kind)
    drill: str  # empty where a target has no passing drill
    target: str
    objective: str
    kind: Literal["missed", "unmeasured", "failed", "undetected", "overdue"]
    severity: Literal["high", "medium", "low"]
    title: str
    objective_value: str
    observed: str
    recommendation: str
    owner: str
    due: str  # ISO date
    state: Literal["open", "closed"]
    opened_by: str  # run id; the quarter of one that is overdue
    closed_by: str | None = None  # the run id of the passing retest
    risk: dict[str, Any] | None = None
    occurrences: list[Occurrence]
