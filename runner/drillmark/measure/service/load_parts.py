"""The load of several workers as one: their requests together, alive only where every one of them was.

Workers on other machines stamp by their own clocks. Every second the master asked each for its clock and noted its own
before and after: so the distance of the two is known to an interval, which all that is judged carries on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.service.beats import FOREVER
from drillmark.measure.service.load import Load, Recorded, alive
from drillmark.measure.timeline.frame import Frame, Span, UnmeasurableError
from drillmark.model.evidence import Evidence, LoadPart, Rows, Table

_NARROW_NS = 1_000_000


def read(
    evidence: Evidence,
    frame: Frame,
    *,
    ended: Sequence[Span] = (),
    whole: bool | None = None,
    limits_ns: tuple[int, ...] = (),
) -> Load:
    """The load of a run whose plan has several workers. Raises UnmeasurableError where it cannot be judged."""
    if not evidence.load_parts:
        raise UnmeasurableError("the load recorded nothing")
    if whole is False:
        raise UnmeasurableError("the load's samples are not whole: slow requests may be missing from them")
    # The master runs no users: where all its workers record, it need not be there.
    windows, error = np.array([[-FOREVER, FOREVER]], dtype=np.int64), 0
    recorded: list[Recorded] = []
    for part in evidence.load_parts:
        requests, counts = _both_of(part)
        zero, off = _zero(part.worker, requests, evidence.load_clocks, frame)
        error = max(error, off)
        recorded.append(Recorded(requests, zero))
        lived = alive(np.sort(counts["at_ns"].astype(np.int64) - zero), ended)
        # Where its clock may be off, only what is inside by that much is certain.
        windows = _both(
            windows, np.stack([lived[:, 0] + off, np.maximum(lived[:, 0] + off, lived[:, 1] - off)], axis=1)
        )
    return Load(tuple(recorded), windows, error, limits_ns)


def _both_of(part: LoadPart) -> tuple[Rows, Table]:
    if part.requests is None or part.users is None or not len(part.users):
        raise UnmeasurableError(f"worker {part.worker} of the load recorded nothing")
    return part.requests, part.users


def _zero(worker: int, table: Rows, clocks: Table | None, frame: Frame) -> tuple[int, int]:
    """What to subtract from a worker's stamps, and how far that may be off."""
    name = f"load-{worker}.dms"
    here = (frame.origin.host, frame.origin.boot)
    if (table.meta.get("host"), table.meta.get("boot")) == here:
        return frame.zero_of(table, name), 0
    if clocks is None or not len(clocks):
        raise UnmeasurableError(f"{name} was stamped by another clock, and nobody compared the two")
    zero = frame.zero_of(clocks, "load-clocks.dms")
    mine = clocks["worker"] == worker
    at = clocks["at_ns"].astype(np.int64)[mine]
    lo, hi = at - clocks["received_ns"].astype(np.int64)[mine], at - clocks["sent_ns"].astype(np.int64)[mine]
    if not len(lo):
        raise UnmeasurableError(f"{name} was stamped by another clock, and nobody compared the two")
    # Its clock less ours lies in [lo, hi] each time. The answers that came fast say most; over hours clocks drift.
    width = hi - lo
    fast = width <= 2 * int(width.min()) + _NARROW_NS
    least, most = int(lo[fast].min()), int(hi[fast].max())
    return zero + (least + most) // 2, (most - least + 1) // 2


def _both(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where two lists of windows overlap, in order."""
    found = [(max(a, c), min(b, d)) for a, b in first.tolist() for c, d in second.tolist() if max(a, c) < min(b, d)]
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
