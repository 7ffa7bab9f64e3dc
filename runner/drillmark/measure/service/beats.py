"""Beats: rounds of all user-level probes, out of the prober's rows. Which were good, which bad, which are absent.

Must never let a missing row pass for a good one: of a table that its writer did not close, only the slots are
believed before which nothing can still be pending.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.service import rounds
from drillmark.measure.timeline.frame import Frame, UnmeasurableError
from drillmark.model.evidence import Rows

FOREVER = np.iinfo(np.int64).max // 4
# An absence is more than two periods between beats; a quarter more is a send that came late, not a slot missed.
_ABSENCE_PERIODS = 2.25
IN_FLIGHT_TOLERATED = 2


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats that are there, in the order sent. Times in ns since I.

    Attributes:
        first: when the first probe of each was sent (as a lower edge, a beat counts from here).
        last: when its last probe was sent (as an upper edge, from here).
        received: when the last answer, or failure, came.
        good: all probes asked were answered rightly within the time-out; the others are bad.
        full: every probe was asked. Slow probes are not asked in each slot; a good beat without them is counted,
            but proves neither that service was there nor that it was not.
        latency: of the slowest probe.
        period_ns: from one full beat to the next.
        slot_ns: from one slot to the next; the same unless there are slow probes.
        horizon: what was sent up to here is known; FOREVER for a table that was closed.
        newest: when the last row of all was written.
        present: when beats were sent that are there at all, also such as count for neither side.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    received: NDArray[np.int64]
    good: NDArray[np.bool_]
    full: NDArray[np.bool_]
    latency: NDArray[np.int64]
    period_ns: int
    slot_ns: int
    timeout_ns: int
    horizon: int
    newest: int
    present: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def edges(self) -> NDArray[np.bool_]:
        """Beats that tell when service was there, or was not: bad ones, and full ones."""
        return self.full | ~self.good

    @property
    def absence_ns(self) -> int:
        """Longer than this between two sends is an absence."""
        return int(self.period_ns * _ABSENCE_PERIODS)

    def until(self, end_ns: int) -> Beats:
        """Those sent before an end."""
        there = int(np.searchsorted(self.present, end_ns, side="left"))
        return self._only(slice(self._before(end_ns)), self.present[:there])

    def settled(self, end_ns: int) -> tuple[Beats, int]:
        """Those answered by an end, and how many were in flight at it. The latter count for neither side.

        As for absences, beats in flight are there as long as they are no more than `IN_FLIGHT_TOLERATED`.
        """
        sent = slice(self._before(end_ns))
        flying, edges = self.received[sent] > end_ns, self.edges[sent]
        in_flight = int(np.count_nonzero(flying & edges))
        there = edges if in_flight <= IN_FLIGHT_TOLERATED else edges & ~flying
        which = np.flatnonzero(~flying) if flying.any() else sent
        return self._only(which, self.first[sent][there]), in_flight

    def _before(self, end_ns: int) -> int:
        return int(np.searchsorted(self.first, end_ns, side="left"))

    def _only(self, which: slice | NDArray[np.int64], present: NDArray[np.int64]) -> Beats:
        return replace(
            self,
            first=self.first[which],
            last=self.last[which],
            received=self.received[which],
            good=self.good[which],
            full=self.full[which],
            latency=self.latency[which],
            present=present,
        )

    def gaps(self, begin_ns: int, end_ns: int) -> NDArray[np.int64]:
        """(begin, end) of every absence that reaches into a window; shape (n, 2), in order.

        Between beats, before the first, after the last up to the end. Of a table that was not closed, any time
        beyond what is known is an absence, however short.
        """
        there = self.present
        lower, upper = there[:-1], there[1:]
        inside = (upper - lower > self.absence_ns) & (upper > begin_ns) & (lower < end_ns)
        found = [(int(a), int(b)) for a, b in zip(lower[inside], upper[inside], strict=True)]
        first = int(there[0]) if len(there) else end_ns
        if first - begin_ns > self.absence_ns:
            found.insert(0, (begin_ns, first))
        last = int(there[-1]) if len(there) else end_ns
        if end_ns - last > self.absence_ns:
            found.append((last, end_ns))
        elif self.horizon + 1 < end_ns:
            found.append((max(begin_ns, min(self.horizon, last)), end_ns))
        return np.array(found, dtype=np.int64).reshape(-1, 2)


def read(rows: Rows | None, frame: Frame, *, journalled_rows: int | None = None) -> Beats:
    """The beats of a run. Raises UnmeasurableError where there are none that can be used."""
    if rows is None or not len(rows):
        raise UnmeasurableError("no beats were recorded")
    if journalled_rows is not None and len(rows) < journalled_rows:
        raise UnmeasurableError(f"beats.dms holds {len(rows)} rows, the journal says {journalled_rows}")
    zero = frame.zero_of(rows, "beats.dms")
    period, timeout = int(rows.meta["period_ns"]), int(rows.meta["timeout_ns"])
    strides = _strides(rows, period)
    found = rounds.read(rows, zero, timeout)
    slots, first, came = found.slot, found.first, found.came
    due = sum((slots % stride == 0).astype(np.int64) for stride in strides)
    # One bad probe makes a beat bad, whatever became of the others.
    there = ~found.good | (found.size >= due)
    stride = math.lcm(*strides)
    full = (slots % stride == 0) & (found.size >= len(strides))
    in_order = np.argsort(first, kind="stable")
    horizon = FOREVER
    if not rows.closed:
        settled = timeout + period + max(0, int((came - first).max()) - timeout)
        horizon = _horizon(slots[in_order], first[in_order], there[in_order], int(came.max()) - settled)
    keep = in_order[there[in_order] & (first[in_order] <= horizon)]
    if not len(keep):
        raise UnmeasurableError("no whole beat was recorded")
    kept, edges = first[keep], (full | ~found.good)[keep]
    return Beats(
        first=kept,
        last=found.last[keep],
        received=came[keep],
        good=found.good[keep],
        full=full[keep],
        latency=found.latency[keep],
        period_ns=period * stride,
        slot_ns=period,
        timeout_ns=timeout,
        horizon=horizon,
        newest=int(came.max()),
        present=kept if edges.all() else kept[edges],
    )


def _strides(rows: Rows, period_ns: int) -> list[int]:
    """For each probe, in every how many slots it is asked."""
    names = list(rows.meta.get("probes") or ()) or rows.texts.get("probe") or ["probe"]
    periods = rows.meta.get("periods_ns") or {}
    return [max(1, round(int(periods.get(name, period_ns)) / period_ns)) for name in names]


def _horizon(slot: NDArray[np.int64], first: NDArray[np.int64], there: NDArray[np.bool_], surely_ns: int) -> int:
    """Until when every slot is known: before `surely_ns` none is pending; after it, up to the first that is missing."""
    follows = np.concatenate(([True], np.diff(slot) == 1)) & there
    late = first > surely_ns
    missing = np.flatnonzero(late & ~follows)
    if not len(missing):
        return int(first[-1])
    before = first[: missing[0]]
    return max(int(before[-1]) if len(before) else -FOREVER, surely_ns)
