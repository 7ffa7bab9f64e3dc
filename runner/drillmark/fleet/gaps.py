"""Files what a drill that never ran leaves open: nobody knows whether its target would have recovered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from drillmark import gaps, workspace, workspace_drills
from drillmark.fleet.overdue import Late
from drillmark.model.verdict import Judged, Outcome, Verdict


def source_of(root: Path, late: Late) -> str | None:
    """The file in which its drill stands now; None where there is no such drill any more."""
    return workspace_drills.standing(root, {late.drill: late.source}).get(late.drill)


def file_missed(root: Path, late: Late) -> list[str]:
    """Open (or go on with) the gap of a drill that was missed; returns its id. Raises DrillmarkError."""
    return file_unmeasured(root, late.source, late.occurrence, f"{late.occurrence} did not run: {late.says}")


def file_unmeasured(root: Path, source: str, run: str, reason: str) -> list[str]:
    """The same for a run, or an occurrence, that has no result."""
    plan = workspace.load_plan(root / source, root=root)
    verdict = Verdict(Outcome.UNKNOWN, (reason,), (Judged("run", Outcome.UNKNOWN, unit="", reason=reason),))
    today = datetime.now(tz=UTC).date()
    return [gap.id for gap in gaps.file(root, plan, run, verdict, (), today)]
