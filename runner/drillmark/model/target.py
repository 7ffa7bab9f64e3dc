"""What a plan says of the system under test, of what else it touches, and of what may be reached at most."""

from __future__ import annotations

from collections.abc import Iterable

from drillmark.model.frozen import Frozen, each


def locked_with(name: str, touches: Iterable[str]) -> list[str]:
    """The targets that a drill has for itself: the one that is faulted, and all that it touches."""
    return sorted({name, *touches})


class PlannedScope(Frozen):
    """What a target stands in. None: nobody said so, which is not the same as none."""

    accounts: list[str] | None = None
    namespaces: list[str] | None = None
    instances: int | None = None
    counted_by: str | None = None  # the probe that counts the instances


class PlannedTouch(Frozen):
    """A target that a drill of another one touches: locked too, never faulted."""

    name: str
    environment: str | None = None  # None: targets.yaml says nothing of it
    labels: dict[str, str] = each(default_factory=dict)
    scope: PlannedScope = PlannedScope()


class PlannedTarget(Frozen):
    """The system under test."""

    name: str
    environment: str
    tier: int | None = None
    disposable: bool = False
    labels: dict[str, str] = each(default_factory=dict)
    touches: list[str] = each(default_factory=list)
    touched: list[PlannedTouch] = each(default_factory=list)  # what targets.yaml says of `touches`
    scope: PlannedScope = PlannedScope()

    @property
    def locked(self) -> list[str]:
        """All targets that its drill has for itself."""
        return locked_with(self.name, self.touches)


class BlastRadius(Frozen):
    """What may be reached at most. None: that rule does not hold."""

    environments: list[str] | None = None
    accounts: list[str] | None = None
    namespaces: list[str] | None = None
    labels: dict[str, str] | None = None
    share_ratio: float | None = None
    at_once: int | None = None
