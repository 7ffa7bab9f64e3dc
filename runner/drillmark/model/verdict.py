"""How a run was judged: objective by objective, and the worst of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from drillmark.model.measurement import Cited
from drillmark.model.stamp import Interval


class Outcome(StrEnum):
    """A verdict. Worst wins: failed, then unknown, then passed."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"  # not judged; takes no part in the worst

    @property
    def severity(self) -> int:
        """The greater, the worse."""
        return ("not_applicable", "passed", "unknown", "failed").index(self)


@dataclass(frozen=True, slots=True)
class Judged:
    """One objective's verdict.

    Attributes:
        name: `rto`, `rpo`, `slo.availability`, `time_to_detect`, `mtd`, `after_undo`, `undo`, `actions`,
            `verification`, `steady_state`, `preflight`, `integrity` (holes, unexpected, split brain), `fault`
            (its proof), `production` and `source` (simulated disasters), `run` (it came to its end). Objectives of the
            SLO are `slo.availability`, `slo.error_rate`, `slo.latency.p50`, `slo.latency.p95`, `slo.latency.p99`,
            `slo.throughput`.
        objective: the objective as a number (seconds, ratio or per second), None where it is yes or no.
        observed: an interval in the same unit, or None.
        reason: one sentence or word; always there unless passed.
        phase: the phase in which it was observed, of an objective that is judged in several; else empty.
        parts: what it is the worst of, where that is several: `rpo` and `integrity` of each marker writer, by name.
    """

    name: str
    outcome: Outcome
    objective: float | None = None
    observed: Interval | None = None
    unit: str = "seconds"
    reason: str = ""
    phase: str = ""
    cited: Cited = field(default_factory=Cited)
    parts: tuple[Judged, ...] = ()


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
