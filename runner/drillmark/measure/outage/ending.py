"""From when on service was there again: d, and the latest time at which it certainly was not: c.

d is the first good beat, not before a floor, from which on the service level holds over `hold` and to the end.
Must never take a start for refuted because something is missing: that would make the lower edge too late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drillmark.measure.service.beats import Beats
from drillmark.measure.service.limits import (
    MET,
    MISSED,
    UNKNOWN,
    Answer,
    Limits,
    Window,
    beats_hold,
    hold,
    load_holds,
    worst,
)
from drillmark.measure.service.load import Load

# So many starts are held against the service level at once: a dozen arrays are made of them.
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Ending:
    """What was found. Times in ns since I.

    Attributes:
        d: (first send, last send) of the first good beat of the restored service; None: there is none.
        c: first send of the last beat that was bad, or good and refuted as a start, before d or before the first
            start that is not refuted; None: there is none.
        down_at_end: the last beat was bad, or the service level was still missed at the end.
        missing: beats or load are missing somewhere from the floor to the end.
    """

    d: tuple[int, int] | None
    c: int | None
    down_at_end: bool
    missing: bool


def find(
    beats: Beats, load: Load | None, limits: Limits, *, since_ns: int, floor_ns: int, end_ns: int, hold_ns: int
) -> Ending:
    """Look for d among beats sent from `floor_ns` on, and for c among those sent from `since_ns` on.

    `beats` are those that count up to `end_ns`, as `Beats.until` or `Beats.settled` give them.
    """
    places = np.flatnonzero(beats.good & beats.full & (beats.first >= floor_ns))
    begin = beats.first[places]
    answer = _answers(beats, load, limits, begin, end_ns, hold_ns)
    held = np.flatnonzero(answer == MET)
    d = int(places[held[0]]) if len(held) else None
    # Where a beat is absent, service may have begun as well: a start that nothing refutes stands, seen or not.
    unseen = _absent_slots(beats, floor_ns, end_ns)
    possible = unseen[_answers(beats, load, limits, unseen, end_ns, hold_ns) != MISSED]
    standing = min(int(starts[0]) for starts in (begin[answer != MISSED], possible, [end_ns]) if len(starts))
    against = ~beats.good
    against[places[answer == MISSED]] = True
    refuted = np.flatnonzero(against & (beats.first >= since_ns) & (beats.first < standing))
    return Ending(
        d=None if d is None else (int(beats.first[d]), int(beats.last[d])),
        c=int(beats.first[refuted[-1]]) if len(refuted) else None,
        down_at_end=d is None and _down_at_end(beats, load, limits, end_ns, hold_ns),
        missing=missing(beats, load, limits, floor_ns, end_ns),
    )


def _answers(beats: Beats, load: Load | None, limits: Limits, begin: Window, end_ns: int, hold_ns: int) -> Answer:
    """Whether the service level holds from each start on, over `hold` and to the end."""
    parts = [begin[at : at + _AT_ONCE] for at in range(0, len(begin), _AT_ONCE)]
    found = [_answers_of(beats, load, limits, part, end_ns, hold_ns) for part in parts]
    return np.concatenate([np.empty(0, dtype=np.int8), *found])


def _answers_of(beats: Beats, load: Load | None, limits: Limits, begin: Window, end_ns: int, hold_ns: int) -> Answer:
    whole = begin + hold_ns <= end_ns
    end = np.full(len(begin), end_ns, dtype=np.int64)
    answer = worst(
        hold(beats, load, limits, begin, np.minimum(begin + hold_ns, end)), hold(beats, load, limits, begin, end)
    )
    # A window cut short by the end proves nothing, but for a bad beat where none is allowed.
    short = beats_hold(beats, limits, begin, end)
    proof = (short == MISSED) & (limits.availability is None)
    return np.where(whole, answer, np.where(proof, MISSED, UNKNOWN)).astype(np.int8)


def _absent_slots(beats: Beats, floor_ns: int, end_ns: int) -> Window:
    """When beats of all probes would have been sent, from the floor on, that are not there."""
    full = beats.first[beats.full]
    edges = np.concatenate(([floor_ns], full[(full >= floor_ns) & (full < end_ns)], [end_ns])).astype(np.int64)
    missing = np.maximum(0, np.round(np.diff(edges) / beats.period_ns).astype(np.int64) - 1)
    before = np.repeat(edges[:-1], missing)
    number = np.arange(len(before)) - np.repeat(np.cumsum(missing) - missing, missing) + 1
    found = before + number * beats.period_ns
    return np.concatenate(([floor_ns], found)) if edges[1] > floor_ns else found


def _down_at_end(beats: Beats, load: Load | None, limits: Limits, end_ns: int, hold_ns: int) -> bool:
    if not len(beats):
        return False
    if not beats.good[beats.edges][-1:].all():
        return True
    # Beats are well again, but the load's objectives? In doubt it is not called down: they must miss in the whole
    # last hold window, in its second half, and in the last second (or ten beats).
    tails = [hold_ns, hold_ns // 2, min(hold_ns, max(1_000_000_000, 10 * beats.period_ns))]
    begin = end_ns - np.array(tails, dtype=np.int64)
    return bool((load_holds(load, limits, begin, np.full(len(begin), end_ns)) == MISSED).all())


def missing(beats: Beats, load: Load | None, limits: Limits, floor_ns: int, end_ns: int) -> bool:
    """Whether beats or load are missing somewhere in a window."""
    if end_ns <= floor_ns:
        return True
    if len(beats.gaps(floor_ns, end_ns)):
        return True
    if not limits.loaded:
        return False
    return load is None or not bool(load.lived(np.array([floor_ns]), np.array([end_ns]))[0])
