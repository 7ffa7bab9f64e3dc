"""Writes as the result holds them: of all marker writers, and of each alone. Pure."""

from __future__ import annotations

from typing import Any

from drillmark.model.measurement import Writer, Writes
from drillmark.model.plan import Plan
from drillmark.model.verdict import Verdict
from drillmark.report.document.numbers import of_cited, of_measured, of_objective, of_part


def of_writes(writes: Writes) -> dict[str, Any]:
    """What became of the acknowledged writes."""
    return {
        "acknowledged": writes.acknowledged,
        "lost": writes.lost,
        "holes": writes.holes,
        "lost_updates": writes.lost_updates,
        "resurrected": writes.resurrected,
        "unexpected": writes.unexpected,
        "indeterminate": writes.indeterminate,
        "attempted": writes.attempted,
        "survived": writes.survived,
        "unproved": writes.unproved,
        "recovered": writes.recovered,
        "split_brain": writes.split_brain,
        "lost_before_t0": writes.lost_before_t0,
        "acknowledged_after": writes.acknowledged_after,
        "lost_after": writes.lost_after,
        "duplicates": writes.duplicates,
        "lost_ids": list(writes.lost_ids),
        "hole_ids": list(writes.hole_ids),
        "lost_update_ids": list(writes.lost_update_ids),
        "resurrected_ids": list(writes.resurrected_ids),
        "unexpected_ids": list(writes.unexpected_ids),
        "split_brain_ids": list(writes.split_brain_ids),
        "cited": of_cited(writes.cited),
    }


def of_writer(writer: Writer, plan: Plan, verdict: Verdict) -> dict[str, Any]:
    """One marker writer: as the whole, by its own writes alone."""
    return {
        "name": writer.name,
        "store": writer.store,
        "rpo": of_objective("rpo", plan.objectives.rpo_seconds, writer.durations["rpa"], verdict, part=writer.name),
        "integrity": str(of_part(verdict.of("integrity"), writer.name).outcome),
        "durations": {name: of_measured(measured) for name, measured in writer.durations.items()},
        "writes": None if writer.writes is None else of_writes(writer.writes),
    }
