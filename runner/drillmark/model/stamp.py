"""Instants and intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NANOSECONDS = 1_000_000_000
# Year 2262: what 64 bits hold, and what can be told as a date.
_LIMIT_NS = 2**63


@dataclass(frozen=True, slots=True)
class Stamp:
    """One instant, as one machine saw it.

    Monotonic values of two hosts or two boots cannot be compared; then wall time plus its error is used.
    """

    monotonic_ns: int
    wall_ns: int
    host: str
    boot: str

    def same_clock(self, other: Stamp) -> bool:
        """Whether the two monotonic values can be subtracted."""
        return self.host == other.host and self.boot == other.boot

    def as_json(self) -> dict[str, Any]:
        """The form that stands in files."""
        return {
            "monotonic_ns": self.monotonic_ns,
            "wall_ns": self.wall_ns,
            "host": self.host,
            "boot": self.boot,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Stamp:
        """The inverse of `as_json`. Raises KeyError, TypeError or ValueError on anything else."""
        monotonic_ns, wall_ns = data["monotonic_ns"], data["wall_ns"]
        for value in (monotonic_ns, wall_ns):
            if type(value) is not int or not -_LIMIT_NS < value < _LIMIT_NS:
                raise ValueError(f"not a stamp in nanoseconds: {str(value)[:40]}")
        return cls(monotonic_ns, wall_ns, str(data["host"]), str(data["boot"]))


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured duration in seconds: the truth lies in [lo, hi]. `hi` None: unbounded."""

    lo: float
    hi: float | None

    def __post_init__(self) -> None:
        if self.lo < 0 or (self.hi is not None and self.hi < self.lo):
            message = f"not an interval of seconds: [{self.lo}, {self.hi}]"
            raise ValueError(message)

    def as_json(self) -> dict[str, float | None]:
        """The form that stands in `result.json`."""
        return {"lo": self.lo, "hi": self.hi}
