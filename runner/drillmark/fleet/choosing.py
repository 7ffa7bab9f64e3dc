"""Which waiting drills begin now, and on which worker: pure, so that every rule is tested without a database.

In the order of priority, then of time. What waits for a target keeps the others of its targets free for itself, or a
drill of many targets would wait for ever behind drills of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Waiting:
    """A drill that is due. `holds`: it has its locks already, as somebody else began it."""

    occurrence: str
    targets: frozenset[str]
    labels: Mapping[str, str]
    environment: str
    holds: bool = False


@dataclass(slots=True)
class Free:
    """A worker that can take more."""

    worker: str
    labels: Mapping[str, str]
    slots: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How many drills may run at once: in all, and in an environment."""

    at_once: int | None = None
    environments: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class Chosen:
    """What begins (occurrence -> worker), and why the others do not (occurrence -> sentence)."""

    starts: dict[str, str] = field(default_factory=dict[str, str])
    says: dict[str, str] = field(default_factory=dict[str, str])


def choose(
    waiting: Iterable[Waiting],
    free: list[Free],
    *,
    everybody: Iterable[Mapping[str, str]],
    locked: Mapping[str, str],
    running: Mapping[str, int],
    limits: Limits,
) -> Chosen:
    """Decide for each of `waiting`, the most urgent first.

    `everybody`: the labels of all workers that live, busy ones too; `locked`: target -> who has it; `running`:
    environment -> how many drills run or are about to.
    """
    chosen = Chosen()
    labels = list(everybody)
    taken = dict(locked)
    kept: dict[str, str] = {}
    counts = dict(running)
    for one in waiting:
        says = _hindrance(one, labels, taken, kept, counts, limits)
        if says:
            chosen.says[one.occurrence] = says
            if not one.holds and any(target in taken for target in one.targets):
                kept |= {target: one.occurrence for target in one.targets if target not in kept}
            continue
        able = [each for each in free if each.slots > 0 and has(each.labels, one.labels)]
        if not able:
            chosen.says[one.occurrence] = "every worker that may take it is busy"
            continue
        best = max(able, key=lambda each: each.slots)
        best.slots -= 1
        chosen.starts[one.occurrence] = best.worker
        if not one.holds:
            taken |= dict.fromkeys(one.targets, one.occurrence)
            counts[one.environment] = counts.get(one.environment, 0) + 1
    return chosen


def _hindrance(
    one: Waiting,
    everybody: list[Mapping[str, str]],
    taken: Mapping[str, str],
    kept: Mapping[str, str],
    counts: Mapping[str, int],
    limits: Limits,
) -> str:
    if not any(has(labels, one.labels) for labels in everybody):
        return nobody(one.labels)
    if one.holds:
        return ""
    for target in sorted(one.targets):
        if target in taken:
            return f"target {target} is taken by {taken[target]}"
        if target in kept:
            return f"target {target} is kept for {kept[target]}, which was first"
    return _at_limit(one, counts, limits)


def _at_limit(one: Waiting, counts: Mapping[str, int], limits: Limits) -> str:
    if limits.at_once is not None and sum(counts.values()) >= limits.at_once:
        return f"{limits.at_once} drills run at once already, the limit"
    limit = limits.environments.get(one.environment)
    if limit is not None and counts.get(one.environment, 0) >= limit:
        return f"{limit} drills run in environment {one.environment} already, its limit"
    return ""


def nobody(labels: Mapping[str, str]) -> str:
    """Why nobody can take it."""
    wanted = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
    return f"no worker that lives has {wanted}" if wanted else "no worker lives"


def has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a worker with these labels may do what asks for those."""
    return all(labels.get(name) == value for name, value in wanted.items())
