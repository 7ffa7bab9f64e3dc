"""Who dies where: every case of the kill matrix, enumerated from what an undisturbed run passed.

Nothing is named here: a new effect, a new file, a new process of a run is in the matrix because a run passes it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

PAIRS = 50
SEED = 20261127


@dataclass(frozen=True, slots=True)
class Death:
    """`victim` is killed at a point: the so manieth of a name, or (`at` a number) the so manieth of the process."""

    victim: str
    at: str | int
    occurrence: int = 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def words(self) -> str:
        if isinstance(self.at, int):
            return f"{self.victim} at point {self.at}"
        again = f" ({self.occurrence})" if self.occurrence > 1 else ""
        return f"{self.victim} {self.at}{again}"


@dataclass(frozen=True, slots=True)
class Case:
    """Deaths in a run, and then in the `resume` that follows it."""

    drill: str
    kind: str  # boundary, process, pair
    deaths: tuple[Death, ...]
    in_resume: tuple[Death, ...] = ()

    @property
    def name(self) -> str:
        later = [f"then in resume: {death.words}" for death in self.in_resume]
        return f"{self.drill}: {'; '.join([*(death.words for death in self.deaths), *later])}"

    def as_json(self) -> dict[str, Any]:
        return {
            "drill": self.drill, "kind": self.kind,
            "deaths": [death.as_json() for death in self.deaths],
            "in_resume": [death.as_json() for death in self.in_resume],
        }  # fmt: skip

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Case:
        deaths, later = ([Death(**death) for death in body[key]] for key in ("deaths", "in_resume"))
        return cls(body["drill"], body["kind"], tuple(deaths), tuple(later))


def boundaries(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points between which something happens. A probe that is asked until it is true counts once."""
    return [
        point for point in points
        if point["moved"] and not (point["name"].startswith("in ") and point["occurrence"] > 1)
    ]  # fmt: skip


def phase_of(point: dict[str, Any]) -> str:
    """The phase of the drill: all that starts is one, and all that stops."""
    return point["phase"].partition("_")[0] if point["phase"].startswith(("start_", "stop_")) else point["phase"]


def of_drill(drill: str, points: Sequence[dict[str, Any]]) -> list[Case]:
    """The runner at every boundary, and each other process once in every phase."""
    runner = [
        Case(drill, "boundary", (Death("runner", point["name"], point["occurrence"]),)) for point in boundaries(points)
    ]
    chance = random.Random(f"{SEED} {drill}")
    places: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for point in points:
        for role in point["alive"]:
            places.setdefault((role, phase_of(point)), []).append(point)
    others: list[Case] = []
    for (role, _phase), there in places.items():
        # Where an activity of the phase is under way, if it has any.
        point = chance.choice([point for point in there if point["name"].startswith("in ")] or there)
        others.append(Case(drill, "process", (Death(role, point["name"], point["occurrence"]),)))
    return runner + others


def pairs(runs: dict[str, Sequence[dict[str, Any]]], count: int = PAIRS) -> list[Case]:
    """Two deaths in one run: runner and `resume`, or another process and then the runner, or guard and runner."""
    chance = random.Random(f"{SEED} pairs")
    made: list[Case] = []
    for number in range(count):
        drill = sorted(runs)[number % len(runs)]
        points = boundaries(runs[drill])
        first = chance.randrange(len(points))
        runner = Death("runner", points[first]["name"], points[first]["occurrence"])
        if chance.random() < 0.6:
            # A run that begins anew passes every point again; one that is wound up passes few.
            made.append(Case(drill, "pair", (runner,), (Death("runner", chance.randint(1, 60)),)))
            continue
        earlier = [point for point in points[: first + 1] if point["alive"]]
        if not earlier:
            made.append(Case(drill, "pair", (runner,), (Death("runner", chance.randint(1, 60)),)))
            continue
        point = chance.choice(earlier)
        other = Death(chance.choice(point["alive"]), point["name"], point["occurrence"])
        made.append(Case(drill, "pair", (other, runner)))
    return made


def everything(runs: dict[str, Sequence[dict[str, Any]]]) -> list[Case]:
    """All cases, in an order in which any beginning of the list is a fair sample."""
    made = [case for drill in sorted(runs) for case in of_drill(drill, runs[drill])] + pairs(runs)
    unique = list({case.name: case for case in made}.values())
    random.Random(SEED).shuffle(unique)
    return unique
