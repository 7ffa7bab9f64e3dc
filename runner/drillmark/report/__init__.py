"""Faces on paper of a finished run: `result.json`, `report.md`, `junit.xml`. Rendered purely from what was measured.

Must never measure or judge anything anew: every number here is one that was handed in. `files` alone touches a disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drillmark.model.entry import Entry
    from drillmark.model.gap import Gap
    from drillmark.model.measurement import Measurements
    from drillmark.model.plan import Plan
    from drillmark.model.verdict import Verdict

__all__ = ["write"]


def write(
    run_dir: Path,
    plan: Plan,
    entries: Sequence[Entry],
    measurements: Measurements,
    verdict: Verdict,
    gaps: Sequence[Gap],
) -> None:
    """Write the three files into a run's directory; see `files.write`, which this imports when it is called."""
    from drillmark.report import files  # noqa: PLC0415 - whoever only needs `words` must not pay for templates

    files.write(run_dir, plan, entries, measurements, verdict, gaps)
