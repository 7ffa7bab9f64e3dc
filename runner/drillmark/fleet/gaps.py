"""Files what a drill that never ran leaves open: nobody knows whether its target would have recovered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from drillmark import gaps, workspace
from drillmark.fleet.overdue import Late
from drillmark.model.verdict import Judged, Outcome, Verdict


def file_missed(root: Path, late: Late) -> list[str]:
    """Open (or go on with) the gap of a drill that was missed; returns its id. Raises DrillmarkError."""
    plan = workspace.load_plan(root / late.source, root=root)
    reason = f"{late.occurrence} did not run: {late.says}"
    verdict = Verdict(Outcome.UNKNOWN, (reason,), (Judged("run", Outcome.UNKNOWN, unit="", reason=reason),))
    today = datetime.now(tz=UTC).date()
    return [gap.id for gap in gaps.file(root, plan, late.occurrence, verdict, (), today)]
