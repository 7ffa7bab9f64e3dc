"""What was measured, and how it was judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from drillmark.model.stamp import Interval


class Outcome(StrEnum):
    """A verdict. Worst wins: failed, then unknown, then passed."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"  # not judged; takes no part in the worst


@dataclass(frozen=True, slots=True)
class Cited:
    """Where a number comes from."""

    entries: tuple[int, ...] = ()  # journal sequence numbers
    samples: tuple[str, ...] = ()  # sample files, relative to the run
    formula: str = ""  # e.g. "RTA = [max(0, c - b), d - a]"
    filled_in: str = ""  # the same with the numbers
    terms: dict[str, Any] = field(default_factory=dict)  # name of a term -> value (seconds since I unless named)


@dataclass(frozen=True, slots=True)
class Measured:
    """One duration, or the reason why there is none."""

    seconds: Interval | None
    reason: str = ""  # why there is none, or what makes it uncertain; one of the words of measurement.md
    flags: tuple[str, ...] = ()  # e.g. "unattended", "effect not probed", "restored by outcome"
    cited: Cited = Cited()


@dataclass(frozen=True, slots=True)
class Judged:
    """One objective's verdict.

    Attributes:
        name: `rto`, `rpo`, `slo.availability`, `time_to_detect`, `mtd`, `after_undo`, `undo`, `actions`,
            `verification`, `steady_state`, `preflight`, `integrity` (holes, unexpected, split brain).
        objective: the objective as a number (seconds, ratio or per second), None where it is yes or no.
        observed: an interval in the same unit, or None.
        reason: one sentence or word; always there unless passed.
    """

    name: str
    outcome: Outcome
    objective: float | None = None
    observed: Interval | None = None
    unit: str = "seconds"
    reason: str = ""
    cited: Cited = Cited()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The run's verdict: the worst of all that were judged."""

    outcome: Outcome
    reasons: tuple[str, ...]
    judged: tuple[Judged, ...]
    aborted: bool = False
    refused: bool = False

    def of(self, name: str) -> Judged | None:
        """The verdict on one objective."""
        return next((judged for judged in self.judged if judged.name == name), None)
