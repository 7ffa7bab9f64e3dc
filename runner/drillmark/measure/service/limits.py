"""The service level held against many windows at once: met, missed, or not known.

What users are promised: availability by beats, and the load's own objectives. Without an availability objective
every bad beat misses it. Must never call a window met in which something is missing.

Stamps of other machines are known only so far: a request near an edge of a window may be in it or not, each by itself.
So there are what surely is in it, and all that may be. The best case is all that may have gone well, and of what went
badly only what is sure; the worst case the other way round. Missed is what is missed in the best case, met what is met
in the worst one, in which something was surely sent:

- errors: failed > ratio * (failed + right), with `failed` of the one and `right` of the other;
- latency: within < share * (within + slow), likewise, and likewise rounded up to whole requests;
- throughput: completed < rate * length, with the most, and with the least, that may be in the window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.service.beats import Beats
from drillmark.measure.service.load import Load
from drillmark.measure.service.requests import Counts
from drillmark.model.plan import Plan
from drillmark.model.stamp import NANOSECONDS

MET, MISSED, UNKNOWN = 1, 0, -1
THROUGHPUT_SHARE = 0.9  # of the baseline's, where no objective is given
_ROUNDING = 1e-9
Window = NDArray[np.int64]
Answer = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Limits:
    """The objectives that decide whether service is restored.

    Attributes:
        availability: ratio of good beats; None: every bad beat misses it.
        latency_ns: percentile -> nanoseconds.
        error_ratio, throughput_per_second: None where there is none.
        throughput_is_default: it is a share of the baseline's, not an objective of the drill.
        throughput_off_per_second: how far that may be off, as what the baseline held is known only so far.
        loaded: the drill has a load; without one the beats alone decide.
    """

    availability: float | None
    latency_ns: dict[int, int]
    error_ratio: float | None
    throughput_per_second: float | None
    throughput_is_default: bool
    loaded: bool
    throughput_off_per_second: float = 0.0


def limits_of(plan: Plan, load: Load | None, baseline: tuple[int, int] | None) -> Limits:
    """The limits of a plan. The default throughput needs the load's baseline, (begin, end) in ns since I."""
    slo = plan.objectives.slo
    throughput, default, off = slo.throughput_per_second, False, 0.0
    if throughput is None and load is not None and baseline is not None and baseline[1] > baseline[0]:
        bounds = load.bounds(np.array([baseline[0]]), np.array([baseline[1]]))
        least, most = (
            THROUGHPUT_SHARE * float(counts.completed[0]) * NANOSECONDS / (baseline[1] - baseline[0])
            for counts in bounds
        )
        throughput, default, off = (least + most) / 2, True, (most - least) / 2
    return Limits(
        availability=slo.availability_ratio,
        latency_ns=latencies_of(plan),
        error_ratio=slo.error_ratio,
        throughput_per_second=throughput,
        throughput_is_default=default,
        loaded=plan.load is not None,
        throughput_off_per_second=off,
    )


def latencies_of(plan: Plan) -> dict[int, int]:
    """The objectives for latency: percentile -> nanoseconds."""
    latency = plan.objectives.slo.latency
    stated = {50: latency.p50_seconds, 95: latency.p95_seconds, 99: latency.p99_seconds}
    return {share: round(value * NANOSECONDS) for share, value in stated.items() if value is not None}


def hold(beats: Beats, load: Load | None, limits: Limits, begin: Window, end: Window) -> Answer:
    """Whether the service level holds in each window [begin, end): MET, MISSED or UNKNOWN; shape of `begin`."""
    answer = worst(beats_hold(beats, limits, begin, end), load_holds(load, limits, begin, end))
    return answer.astype(np.int8)


def holds_once(beats: Beats, load: Load | None, limits: Limits, begin_ns: int, end_ns: int) -> bool | None:
    """Whether the service level holds in one window; None: not known."""
    answer = int(hold(beats, load, limits, np.array([begin_ns]), np.array([end_ns]))[0])
    return None if answer == UNKNOWN else answer == MET


def worst(first: Answer, second: Answer) -> Answer:
    """Missed if either is, else unknown if either is."""
    missed = (first == MISSED) | (second == MISSED)
    unknown = (first == UNKNOWN) | (second == UNKNOWN)
    return np.where(missed, MISSED, np.where(unknown, UNKNOWN, MET)).astype(np.int8)


def beats_hold(beats: Beats, limits: Limits, begin: Window, end: Window) -> Answer:
    """Availability by beats. Missed only where it would be even if every absent beat had been good."""
    low = np.searchsorted(beats.first, begin, side="left")
    high = np.searchsorted(beats.first, end, side="left")
    good = np.concatenate(([0], np.cumsum(beats.good)))
    count = high - low
    bad = count - (good[high] - good[low])
    slots = np.maximum(count, np.round((end - begin) / beats.slot_ns).astype(np.int64))
    if limits.availability is None:
        missed = bad > 0
        met = (bad == 0) & (count > 0)
    else:
        missed = bad > (1 - limits.availability) * slots + _ROUNDING
        met = (bad <= (1 - limits.availability) * count + _ROUNDING) & (count > 0)
    whole = ~_touched(beats, begin, end)
    return np.where(missed, MISSED, np.where(met & whole, MET, UNKNOWN)).astype(np.int8)


def load_holds(load: Load | None, limits: Limits, begin: Window, end: Window) -> Answer:
    """The load's own objectives. A drill without load has none of these."""
    if not limits.loaded:
        return np.full(len(begin), MET, dtype=np.int8)
    if load is None:
        return np.full(len(begin), UNKNOWN, dtype=np.int8)
    sure, most = load.bounds(begin, end)
    seconds = (end - begin) / NANOSECONDS
    missed = _missed(most, sure, limits, seconds, -limits.throughput_off_per_second)
    met = ~_missed(sure, most, limits, seconds, limits.throughput_off_per_second) & (sure.sent > 0)
    answer = np.where(missed, MISSED, np.where(met, MET, UNKNOWN))
    return np.where(load.lived(begin, end), answer, UNKNOWN).astype(np.int8)


def _missed(well: Counts, badly: Counts, limits: Limits, seconds: NDArray[np.float64], off: float) -> NDArray[np.bool_]:
    """Whether windows are missed that hold what went well by one count, and what went badly by another."""
    missed = np.zeros(len(seconds), dtype=np.bool_)
    for share, limit in limits.latency_ns.items():
        within, slow = well.within[limit], badly.sent - badly.within[limit]
        missed |= within < np.ceil(share / 100 * (within + slow) - _ROUNDING)
    if limits.error_ratio is not None:
        right = well.sent - well.failed
        missed |= badly.failed > limits.error_ratio * (badly.failed + right) + _ROUNDING
    if limits.throughput_per_second is not None:
        wanted = (limits.throughput_per_second + off) * seconds
        # One request more or less at the window's edges is no difference in rate.
        missed |= well.completed < np.floor(wanted + _ROUNDING)
    return missed


def _touched(beats: Beats, begin: Window, end: Window) -> NDArray[np.bool_]:
    # Gaps are looked for once over all windows, then each window is held against them. One that reaches over
    # a window's end counts only for what lies inside it: more than two periods, or beyond what is known.
    there = beats.present
    low = np.searchsorted(there, begin, side="left")
    high = np.searchsorted(there, end, side="left")
    wide = np.concatenate(([0], np.cumsum(np.diff(there) > beats.absence_ns))) if len(there) else np.zeros(1, np.int64)
    inside = high > low
    first = there[np.minimum(low, len(there) - 1)] if len(there) else end
    last = there[np.maximum(high - 1, 0)] if len(there) else begin
    between = np.where(inside, wide[np.maximum(high - 1, 0)] - wide[np.minimum(low, len(wide) - 1)], 0) > 0
    head = np.where(inside, first, end) - begin > beats.absence_ns
    tail = end - np.where(inside, last, begin) > beats.absence_ns
    return between | head | tail | (end > beats.horizon + 1)
