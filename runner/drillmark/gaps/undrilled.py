"""The gap that a target is whose quarter ends without a passing drill. Pure: opened here, closed by a run that passes.

Must never close one: only a run does (`filing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from drillmark.gaps.filing import Filing, fingerprint
from drillmark.model.gap import Gap, Occurrence

OBJECTIVE = "quarterly_drill"


def decide(
    target: str,
    *,
    quarter: str,
    last: date,
    owner: str,
    drills: Sequence[str],
    ends_soon: bool,
    known: list[Gap],
    today: date,
) -> Filing:
    """What the register is to hold of a target that no drill has passed on in this quarter."""
    mark = fingerprint("", target, OBJECTIVE, "overdue")
    old = next((gap for gap in known if gap.fingerprint == mark), None)
    seen = Occurrence(run=quarter, at=today.isoformat(), observed="no passing drill", evidence=[])
    others = [each for each in old.occurrences if each.run != quarter] if old else []
    is_anew = old is None or old.state == "closed"
    severity: Literal["high", "medium"] = "high" if ends_soon or (others and not is_anew) else "medium"
    told = f"run one of: {', '.join(drills)}" if drills else "write a drill for it, and give it a schedule"
    gap = Gap(
        id=f"GAP-{mark[:8]}",
        fingerprint=mark,
        drill="",
        target=target,
        objective=OBJECTIVE,
        kind="overdue",
        severity=severity,
        title=f"{target}: no passing drill in {quarter}",
        objective_value="a passing drill in every quarter (tier 1)",
        observed=f"none in {quarter}",
        recommendation=f"{told[0].upper()}{told[1:]}, before {last.isoformat()} is over.",
        owner=old.owner if old else owner,
        due=last.isoformat() if is_anew or old is None else old.due,
        state="open",
        opened_by=old.opened_by if old else quarter,
        occurrences=[*others, next((each for each in (old.occurrences if old else []) if each.run == quarter), seen)],
    )
    return Filing(opened=(gap,)) if old is None else Filing(updated=(gap,))
