"""What is said of one drill of a workspace: the outcome of checking it, and the checks that need more than its text.

Must never read a file of the workspace: what stands in them is handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from drillmark.define import Experiment, Parsed, rejected
from drillmark.define.drill import Drill
from drillmark.define.marks import Marks, get
from drillmark.define.marks import Path as Keys
from drillmark.define.nearest import hint_for, nearest
from drillmark.define.settings import Settings
from drillmark.define.targets import Targets
from drillmark.errors import Problem
from drillmark.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Checked:
    """A drill, checked with everything that it names.

    Attributes:
        source: its file, from the workspace root.
        plan: what it would do; None where there is any problem.
        problems: everything that is wrong; nothing runs.
        warnings: what is allowed and probably not meant.
        refusals: what `run` refuses, because Drillmark cannot do it yet.
    """

    source: str
    plan: Plan | None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Opened:
    """A drill's file, read, with what it names."""

    source: str
    drill: Parsed[Drill]
    experiment: Experiment | None
    problems: list[Problem]


def activities(targets: Parsed[Targets]) -> dict[Keys, dict[str, Any]]:
    """Every target's activities, by their place; none where the file has problems of its own."""
    return {
        ("targets", name, "activities", index): activity.as_chaos()
        for name, target in (targets.value.targets.items() if targets.value else ())
        for index, activity in enumerate(target.activities)
    }


def rejections(item: Opened, said: list[str]) -> Iterator[Problem]:
    """What Chaos Toolkit itself says against the experiment: where it stands there, else at the fault's line."""
    keys: Keys = ("fault", "experiment") if get(item.drill.raw, "fault", "experiment") else ("fault",)
    for text in said:
        assert item.experiment is not None
        found = rejected.place(item.experiment.value or {}, text)
        if found is not None:
            yield item.experiment.marks.problem(found[0], f"Chaos Toolkit rejects this: {text}", found[1])
        else:
            yield item.drill.marks.problem(keys, f"Chaos Toolkit rejects {item.experiment.file}: {text}")


def taken(item: Opened, first: dict[str, str]) -> Iterator[Problem]:
    """An id that another drill has already. `first`: id -> the drill that has it."""
    name = get(item.drill.raw, "id")
    if isinstance(name, str) and first.setdefault(name, item.source) != item.source:
        message = f"the id `{name}` is taken by {first[name]}"
        yield item.drill.marks.problem(("id",), message, "ids are unique in a workspace")


def budget_problems(settings: Parsed[Settings], targets: Parsed[Targets]) -> Iterator[Problem]:
    """An error budget of a target that is not there: nobody would be held to it."""
    known = targets.value.targets if targets.value else None
    for index, budget in enumerate(settings.value.budgets if settings.value and known is not None else []):
        if known is not None and budget.target not in known:
            hint = hint_for(budget.target, known, what="there are")
            at: Keys = ("budgets", index, "target")
            yield settings.marks.problem(at, f"{targets.file} has no target `{budget.target}`", hint)


def time_zone_problems(drill: Parsed[Drill]) -> Iterator[Problem]:
    """A zone of a drill's schedule that this machine does not know."""
    zone = drill.value.schedule.time_zone if drill.value and drill.value.schedule else None
    if zone is not None:
        yield from _unknown_zone(zone, drill.marks, ("schedule", "time_zone"))


def quiet_zone_problems(settings: Parsed[Settings]) -> Iterator[Problem]:
    """The zone of the quiet hours, likewise."""
    quiet = settings.value.notifications.quiet if settings.value else None
    if quiet is not None:
        yield from _unknown_zone(quiet.time_zone, settings.marks, ("notifications", "quiet", "time_zone"))


def _unknown_zone(zone: str, marks: Marks, at: Keys) -> Iterator[Problem]:
    """A machine that knows no zone at all cannot tell."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zones = available_timezones()
        if zones:
            meant = nearest(zone, zones)
            hint = f"did you mean `{meant}`?" if meant else "names are those of the IANA, such as Europe/Berlin"
            yield marks.problem(at, f'there is no time zone "{zone}"', hint)


def in_order(problems: list[Problem]) -> list[Problem]:
    """Each problem once, by file and place."""
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda problem: (problem.file, problem.line, problem.column))
