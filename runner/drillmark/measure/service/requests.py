"""One piece of the load's requests, arranged so that any window of it is counted at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.service.beats import FOREVER

COLUMNS = ("start_ns", "latency_ns", "ok")
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many requests there are in each of some windows, or before each of some instants.

    Attributes:
        sent: by when they were sent; so `failed` and `within`.
        failed: those that were not answered rightly.
        completed: those that were, by when they were answered, whenever they were sent.
        within: latency in ns -> those that were answered rightly within it.
    """

    sent: Times
    failed: Times
    completed: Times
    within: dict[int, Times]


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in the order in which they were sent; times in ns since I.

    Attributes:
        start: when each was sent.
        latency: FOREVER for one that failed.
        ok: whether it was answered rightly.
        completed: when those that were answered rightly were answered, in no order: sorting costs more than the rest.
    """

    start: Times
    latency: Times
    ok: NDArray[np.bool_]
    completed: Times

    def before(self, edges: Times, limits_ns: Iterable[int] = ()) -> Counts:
        """The counts before each instant."""
        place = np.searchsorted(self.start, edges, side="left")
        return Counts(
            sent=place,
            failed=place - _so_far(self.ok, place),
            completed=np.searchsorted(np.sort(self.completed), edges, side="left"),
            within={limit: _so_far(self.latency <= limit, place) for limit in limits_ns},
        )


def arranged(piece: dict[str, NDArray[Any]], zero_ns: int) -> Requests:
    """The requests of a piece of a sample file. `zero_ns` is what to subtract from its stamps."""
    start = piece["start_ns"].astype(np.int64, copy=False) - zero_ns
    ok = piece["ok"] != 0
    latency = np.where(ok, piece["latency_ns"], FOREVER)
    completed = (start + latency)[ok]
    # Mostly it is nearly in that order: what is longest in flight is not written first.
    if len(start) > 1 and not (start[1:] >= start[:-1]).all():
        order = np.argsort(start, kind="stable")
        start, latency, ok = start[order], latency[order], ok[order]
    return Requests(start, latency, ok, completed)


def _so_far(mask: NDArray[np.bool_], place: Times) -> Times:
    """How many are true before each place."""
    if mask.all():
        return place
    return np.concatenate(([0], np.cumsum(mask)))[place]
