"""Which tier-1 targets have no passing drill in a quarter. Pure: runs and targets are handed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from drillmark.periods import Period, quarter_of

_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A tier-1 target that no drill has passed on in this quarter. `drills` are those that there are for it."""

    target: str
    quarter: Period
    drills: tuple[str, ...]
    owner: str
    ends_soon: bool


def overdue(
    tiers: Mapping[str, int | None],
    drills: Iterable[tuple[str, str, str]],
    passed: Iterable[tuple[str, date]],
    today: date,
) -> list[Overdue]:
    """The tier-1 targets without a passing drill this quarter.

    `drills`: (id, target, owner) of every drill that is more than a check; `passed`: (target, day) of every run of such
    a drill that passed.
    """
    quarter = quarter_of(today)
    met = {target for target, day in passed if quarter.first <= day <= quarter.last}
    known = list(drills)
    found: list[Overdue] = []
    for target, tier in sorted(tiers.items()):
        if tier != 1 or target in met:
            continue
        own = [(name, owner) for name, aimed, owner in known if aimed == target]
        names = tuple(name for name, _ in own)
        found.append(Overdue(target, quarter, names, own[0][1] if own else "nobody", quarter.last - today < _SOON))
    return found
