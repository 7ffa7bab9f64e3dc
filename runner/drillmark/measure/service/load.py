"""The load's requests, arranged so that any window of them is counted at once.

Latency is judged over all requests: one that failed was not answered within any limit. Must never take silence
for health: a load that reported nothing for a while was dead or stalled, and such windows are unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.service.beats import FOREVER
from drillmark.measure.timeline.frame import Frame, Span, UnmeasurableError
from drillmark.model.evidence import Table

SILENCE_NS = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """Requests in the order in which they were sent; times in ns since I.

    Attributes:
        start: when each was sent.
        latency: FOREVER for one that failed.
        ok: whether it was answered rightly.
        completed: when those that were answered rightly were answered, in order.
        alive: (n, 2) windows in which the load reported without a silence.
        error: how far `start` and `completed` may be off: what other machines recorded is stamped by their clocks.
    """

    start: NDArray[np.int64]
    latency: NDArray[np.int64]
    ok: NDArray[np.bool_]
    completed: NDArray[np.int64]
    alive: NDArray[np.int64]
    error: int = 0

    def lived(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the load was alive all through each window."""
        if not len(self.alive):
            return np.zeros(len(begin), dtype=np.bool_)
        place = np.searchsorted(self.alive[:, 0], begin, side="right") - 1
        return (place >= 0) & (end <= self.alive[np.maximum(place, 0), 1])

    def between(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of the first request sent in each window and of the first after it."""
        return np.searchsorted(self.start, begin, side="left"), np.searchsorted(self.start, end, side="left")

    def completions(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many were answered rightly in each window, whenever they were sent."""
        return np.searchsorted(self.completed, end, side="left") - np.searchsorted(self.completed, begin, side="left")


def read(
    requests: Table | None,
    users: Table | None,
    frame: Frame,
    *,
    ended: Sequence[Span] = (),
    whole: bool | None = None,
) -> Load:
    """The load of a run.

    Args:
        requests: `load.dms`.
        users: `load-users.dms`.
        frame: the run's axis.
        ended: where the journal says that the load died or stalled.
        whole: whether both tables are known to be complete; None: that does not matter yet (the run goes on).

    Raises:
        UnmeasurableError: there is no load that can be judged.
    """
    if requests is None or users is None or not len(users):
        raise UnmeasurableError("the load recorded nothing")
    if whole is False:
        raise UnmeasurableError("the load's samples are not whole: slow requests may be missing from them")
    start = requests["start_ns"].astype(np.int64) - frame.zero_of(requests, "load.dms")
    ok, latency = requests["ok"] != 0, requests["latency_ns"].astype(np.int64, copy=False)
    at = np.sort(users["at_ns"].astype(np.int64) - frame.zero_of(users, "load-users.dms"))
    return arranged(start, latency, ok, alive(at, ended))


def arranged(
    start: NDArray[np.int64],
    latency: NDArray[np.int64],
    ok: NDArray[np.bool_],
    windows: NDArray[np.int64],
    error: int = 0,
) -> Load:
    """The requests in the order in which they were sent. `start` and `ok` may be kept; `latency` is left as it is.

    An hour of load is eighteen million requests, so that no more copies are made than must be.
    """
    completed = start[ok]
    completed += latency[ok]
    completed.sort()
    latency = np.where(ok, latency, FOREVER)
    # Mostly it is in that order: what is longest in flight is not written first.
    if len(start) > 1 and not (start[1:] >= start[:-1]).all():
        order = np.argsort(start, kind="stable")
        start, latency, ok = start[order], latency[order], ok[order]
    return Load(start, latency, ok, completed, windows, error)


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
