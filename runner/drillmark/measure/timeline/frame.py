"""The one time axis of a run: nanoseconds since I, whatever clock a stamp was read from.

Stamps of I's own host and boot convert exactly; others by wall time, plus and minus the stated error. Must never
compare monotonic values of two clocks, and must never guess an error that nobody stated.
"""

from __future__ import annotations

from dataclasses import dataclass

from drillmark.model.evidence import Rows
from drillmark.model.stamp import NANOSECONDS, Interval, Stamp


class UnmeasurableError(Exception):
    """This number is unknown; the text says why. Never leaves the measuring part."""


class InapplicableError(Exception):
    """This run has no such number; the text says why. Never leaves the measuring part."""


@dataclass(frozen=True, slots=True)
class Span:
    """An instant that lies between two others, in nanoseconds since I. Mostly both are the same."""

    lo: int
    hi: int

    def as_json(self) -> dict[str, float]:
        """In seconds."""
        return {"lo": self.lo / NANOSECONDS, "hi": self.hi / NANOSECONDS}


@dataclass(frozen=True, slots=True)
class Frame:
    """The axis.

    Attributes:
        origin: where it is zero: I, or the run's first entry where nothing was injected.
        error_ns: stated error of wall-clock differences; None: nobody stated one.
    """

    origin: Stamp
    error_ns: int | None = None

    def span(self, stamp: Stamp) -> Span:
        """A stamp on this axis. Raises UnmeasurableError where the clocks cannot be compared."""
        if stamp.same_clock(self.origin):
            at = stamp.monotonic_ns - self.origin.monotonic_ns
            return Span(at, at)
        if self.error_ns is None:
            raise UnmeasurableError("stamps of two clocks, and no error is stated for the wall time between them")
        at = stamp.wall_ns - self.origin.wall_ns
        return Span(at - self.error_ns, at + self.error_ns)

    def span_of(self, monotonic_ns: int, clock: Stamp) -> Span:
        """A monotonic value that was read from the same clock as `clock`."""
        return self.span(Stamp(monotonic_ns, clock.wall_ns + monotonic_ns - clock.monotonic_ns, clock.host, clock.boot))

    def wall_span(self, wall_ns: int) -> Span:
        """A wall-clock time. Raises UnmeasurableError where no error is stated."""
        if self.error_ns is None:
            raise UnmeasurableError("a wall-clock time, and no error is stated for it")
        at = wall_ns - self.origin.wall_ns
        return Span(at - self.error_ns, at + self.error_ns)

    def zero_of(self, table: Rows, name: str) -> int:
        """What to subtract from a table's monotonic values. Raises UnmeasurableError for another clock's."""
        host, boot = table.meta.get("host"), table.meta.get("boot")
        if (host, boot) != (self.origin.host, self.origin.boot):
            raise UnmeasurableError(f"{name} was stamped by another clock than the journal's entry of the fault")
        return self.origin.monotonic_ns

    def stamp(self, at_ns: int) -> Stamp:
        """The instant `at_ns` after zero, as a stamp of the origin's clock."""
        origin = self.origin
        return Stamp(origin.monotonic_ns + at_ns, origin.wall_ns + at_ns, origin.host, origin.boot)


def seconds(lo_ns: int, hi_ns: int | None) -> Interval:
    """An interval from nanoseconds; a lower edge below zero is zero."""
    lo = max(0, lo_ns)
    return Interval(lo / NANOSECONDS, None if hi_ns is None else max(lo, hi_ns) / NANOSECONDS)


def show(at_ns: int | None) -> str:
    """A number of seconds as formulas print it."""
    return "null" if at_ns is None else f"{at_ns / NANOSECONDS:.3f}"
