"""The load's requests: how many there are in any windows, and percentiles of their latency, all of it exact.

Latency is judged over all requests: one that failed was not answered within any limit. Must never take silence for
health: a load that reported nothing for a while was dead or stalled, and such windows are unknown. Must never hold all
requests at once: they are gone through piece by piece, as an hour of load is eighteen million.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.service import ranks
from drillmark.measure.service.beats import FOREVER
from drillmark.measure.service.requests import COLUMNS, Counts, Requests, Times, arranged
from drillmark.measure.timeline.frame import Frame, Span, UnmeasurableError
from drillmark.model.evidence import Rows, Table

SILENCE_NS = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """The requests that one process recorded, and what to subtract from their stamps."""

    rows: Rows
    zero: int


@dataclass(frozen=True, slots=True)
class _Total:
    """What a piece comes to: its earliest and its latest instant, and its counts as `Load._stacked` has them."""

    first: int
    last: int
    counts: Times


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a run; times in ns since I.

    Attributes:
        recorded: the requests, by the processes that recorded them.
        alive: (n, 2) windows in which the load reported without a silence.
        error: how far the stamps of requests may be off, each by itself: other machines stamp by their own clocks.
        limits_ns: latencies of which is asked how many requests were answered within them.
    """

    recorded: tuple[Recorded, ...]
    alive: NDArray[np.int64]
    error: int = 0
    limits_ns: tuple[int, ...] = ()
    _totals: dict[tuple[int, int], _Total] = field(default_factory=dict[tuple[int, int], _Total])
    _newest: dict[tuple[int, int], Requests] = field(default_factory=dict[tuple[int, int], Requests])

    def lived(self, begin: Times, end: Times) -> NDArray[np.bool_]:
        """Whether the load was alive all through each window."""
        if not len(self.alive):
            return np.zeros(len(begin), dtype=np.bool_)
        place = np.searchsorted(self.alive[:, 0], begin, side="right") - 1
        return (place >= 0) & (end <= self.alive[np.maximum(place, 0), 1])

    def counts(self, begin: Times, end: Times) -> Counts:
        """The counts in each window [begin, end)."""
        edges, places = np.unique(np.concatenate((begin, end)), return_inverse=True)
        before = self._before(edges.astype(np.int64))
        found = before[:, places[len(begin) :]] - before[:, places[: len(begin)]]
        sent, failed, completed, *within = found
        return Counts(sent, failed, completed, dict(zip(self.limits_ns, within, strict=True)))

    def bounds(self, begin: Times, end: Times) -> tuple[Counts, Counts]:
        """The counts of what surely is in each window [begin, end), and of all that may be: stamps may be off."""
        if not self.error:
            counts = self.counts(begin, end)
            return counts, counts
        inside, around = begin + self.error, begin - self.error
        return self.counts(inside, np.maximum(inside, end - self.error)), self.counts(around, end + self.error)

    def percentiles(self, begin: int, end: int, shares: Sequence[int]) -> list[tuple[int, int | None]]:
        """Bounds of percentiles, by nearest rank, of the latency of all requests sent in a window.

        Some must surely be in it. What only may be may all be slower than the percentile, or all be faster: that moves
        its rank among all that may be by as many. Where it was never answered rightly there is no upper bound, and the
        lower one is the longest that was waited for any that was.
        """
        least, most = self.bounds(np.array([begin]), np.array([end]))
        spare, answered = int(most.sent[0] - least.sent[0]), int(most.sent[0] - most.failed[0])
        lowest = [ranks.nearest(share, int(least.sent[0])) for share in shares]
        known = sorted({rank for low in lowest for rank in (low, low + spare) if rank < answered})
        values = ranks.at(lambda: self._answered(begin - self.error, end + self.error), answered, known)
        found = {rank: value for rank, value in zip(known, values, strict=True) if value < FOREVER}
        longest = 0
        if not all(low in found for low in lowest):
            sure = self._answered(begin + self.error, end - self.error)
            longest = max((int(np.max(each, where=each < FOREVER, initial=0)) for each in sure), default=0)
        return [(found.get(low, longest), found.get(low + spare)) for low in lowest]

    def pieces(self) -> Iterator[tuple[Requests, int]]:
        """All requests, and each time when the earliest was sent of those that are still to come."""
        places = sorted(
            (recorded.rows.span(number, "start_ns")[0] - recorded.zero, part, number)
            for part, recorded in enumerate(self.recorded)
            for number in range(recorded.rows.pieces)
        )
        for (_, part, number), (upto, _, _) in pairwise([*places, (FOREVER, 0, 0)]):
            yield self._piece(part, number), upto

    def _piece(self, part: int, number: int) -> Requests:
        """A piece, arranged. The last one is kept: often the next question is about it, too."""
        if (part, number) not in self._newest:
            recorded = self.recorded[part]
            self._newest.clear()
            self._newest[part, number] = arranged(recorded.rows.piece(number, *COLUMNS), recorded.zero)
        return self._newest[part, number]

    def _answered(self, begin: int, end: int) -> Iterator[Times]:
        """The latency of requests sent in a window and answered rightly."""
        for recorded in self.recorded:
            since, until = begin + recorded.zero, end + recorded.zero
            for number in range(recorded.rows.pieces):
                first, last = recorded.rows.span(number, "start_ns")
                if first < until and last >= since:
                    piece = recorded.rows.piece(number, *COLUMNS)
                    start = piece["start_ns"]
                    mask = (piece["ok"] != 0) & (start >= since) & (start < until)
                    yield piece["latency_ns"][mask].astype(np.int64, copy=False)

    def _before(self, edges: Times) -> Times:
        """The counts before each of some instants, which are in order; a row for each kind."""
        exact = np.zeros((3 + len(self.limits_ns), len(edges)), dtype=np.int64)
        steps = np.zeros((len(exact), len(edges) + 1), dtype=np.int64)
        for part, recorded in enumerate(self.recorded):
            for number in range(recorded.rows.pieces):
                total, requests = self._totals.get((part, number)), None
                if total is None:
                    requests = self._piece(part, number)
                    total = self._totals[part, number] = self._total(requests)
                # Before `low` none of it has been; from `high` on all of it has.
                low, high = np.searchsorted(edges, (total.first, total.last), side="right").tolist()
                steps[:, high] += total.counts
                if low < high:
                    requests = requests or self._piece(part, number)
                    exact[:, low:high] += self._stacked(requests, edges[low:high])
        return exact + np.cumsum(steps[:, :-1], axis=1)

    def _stacked(self, requests: Requests, edges: Times) -> Times:
        counts = requests.before(edges, self.limits_ns)
        return np.stack([counts.sent, counts.failed, counts.completed, *counts.within.values()])

    def _total(self, requests: Requests) -> _Total:
        first, last = int(requests.start[0]), int(requests.start[-1])
        if len(requests.completed):
            first, last = min(first, int(requests.completed.min())), max(last, int(requests.completed.max()))
        return _Total(first, last, self._stacked(requests, np.array([last + 1]))[:, 0])


def read(
    requests: Rows | None,
    users: Table | None,
    frame: Frame,
    *,
    ended: Sequence[Span] = (),
    whole: bool | None = None,
    limits_ns: tuple[int, ...] = (),
) -> Load:
    """The load of a run.

    Args:
        requests: `load.dms`.
        users: `load-users.dms`.
        frame: the run's axis.
        ended: where the journal says that the load died or stalled.
        whole: whether both tables are known to be complete; None: that does not matter yet (the run goes on).
        limits_ns: as `Load` has them.

    Raises:
        UnmeasurableError: there is no load that can be judged.
    """
    if requests is None or users is None or not len(users):
        raise UnmeasurableError("the load recorded nothing")
    if whole is False:
        raise UnmeasurableError("the load's samples are not whole: slow requests may be missing from them")
    recorded = Recorded(requests, frame.zero_of(requests, "load.dms"))
    at = np.sort(users["at_ns"].astype(np.int64) - frame.zero_of(users, "load-users.dms"))
    return Load((recorded,), alive(at, ended), limits_ns=limits_ns)


def alive(at: NDArray[np.int64], ended: Sequence[Span]) -> NDArray[np.int64]:
    """The windows without a silence, from when the load reported (`at`, in order)."""
    breaks = np.flatnonzero(np.diff(at) > SILENCE_NS)
    begins = at[np.concatenate(([0], breaks + 1))]
    # A row vouches for the second that it opens; what follows is silence until proved otherwise.
    ends = np.append(at[breaks], at[-1]) + 1_000_000_000
    for end in ended:
        # Nobody saw exactly when it died: the last report before is what is certain.
        seen = at[at <= end.lo]
        died = int(seen[-1]) if len(seen) else int(at[0])
        ends = np.where((begins <= end.lo) & (ends > died), died, ends)
    return np.stack([begins, np.maximum(begins, ends)], axis=1).astype(np.int64)
