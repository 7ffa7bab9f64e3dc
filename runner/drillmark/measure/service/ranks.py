"""Exact percentiles in bounded memory: the values at some ranks of many, without sorting, or holding, all of them.

The values come in pieces, as often as they are asked for. The first pass counts them in bins, each a thousandth of its
own value wide; the second takes out those of the bins that matter, or counts them in finer bins where they are too
many, and so on. What comes out is what `numpy.sort(values)[rank]` is: nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.int64]

KEPT = 1 << 16  # so many values are sorted at once; more are counted first
BINS = 1 << 16
# The bits of a double rise with it: cut off behind ten bits of its mantissa, they number bins of equal relative width.
_SHIFT, _ONE, _MOST = 42, 1023 << 10, 1 << 52
_LOGARITHMIC_BINS = (52 << 10) + 1
_LEAST, _END = -(1 << 63), 1 << 63


def nearest(share: float, count: int) -> int:
    """The rank, from 0, of a percentile by nearest rank; `share` in percent."""
    return max(0, ceil(share / 100 * count - 1e-9) - 1)


def at(
    pieces: Callable[[], Iterable[Values]], count: int, ranks: Sequence[int], *, kept: int = KEPT, bins: int = BINS
) -> list[int]:
    """The values at these ranks, each less than `count`: how many values `pieces` gives, at each call all of them."""
    found: dict[int, int] = {}
    spans = dict.fromkeys(ranks, _Span(_LEAST, _END, 0, count))
    if spans and count > kept:
        counts = np.zeros(_LOGARITHMIC_BINS, dtype=np.int64)
        for values in pieces():
            counts += np.bincount(_logarithmic(values), minlength=_LOGARITHMIC_BINS)
        spans = {rank: _bin(counts, rank) for rank in ranks}
    while spans:
        looks: dict[_Span, _Kept | _Counted] = {
            span: _Kept() if span.count <= kept else _Counted.of(span, bins) for span in spans.values()
        }
        for values in pieces():
            for span, look in looks.items():
                look.take(values[(values >= span.begin) & (values <= span.end - 1)])
        for rank, span in list(spans.items()):
            value = looks[span].at(rank - span.below)
            if isinstance(value, int):
                found[rank] = value
                del spans[rank]
            else:
                spans[rank] = _Span(value.begin, value.end, span.below + value.below, value.count)
    return [found[rank] for rank in ranks]


@dataclass(frozen=True, slots=True)
class _Span:
    """Values from `begin` to before `end`; how many there are, and how many below them."""

    begin: int
    end: int
    below: int
    count: int


@dataclass(slots=True)
class _Kept:
    """The values of a span, all of them."""

    parts: list[Values] = field(default_factory=list[Values])

    def take(self, values: Values) -> None:
        if len(values):
            self.parts.append(values)

    def at(self, rank: int) -> int:
        return int(np.sort(np.concatenate(self.parts))[rank])


@dataclass(slots=True)
class _Counted:
    """The values of a span, counted in bins of one width."""

    begin: int
    end: int
    width: int
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, span: _Span, bins: int) -> _Counted:
        width = -(-(span.end - span.begin) // bins)
        return cls(span.begin, span.end, width, np.zeros(-(-(span.end - span.begin) // width), dtype=np.int64))

    def take(self, values: Values) -> None:
        # Distances of any two int64 fit into 64 bits without a sign, whatever overflows on the way.
        distance = values.astype(np.uint64) - np.uint64(self.begin % (1 << 64))
        self.counts += np.bincount((distance // np.uint64(self.width)).astype(np.int64), minlength=len(self.counts))

    def at(self, rank: int) -> int | _Span:
        place, below = _place(self.counts, rank)
        begin = self.begin + place * self.width
        end = min(self.end, begin + self.width)
        return begin if end - begin == 1 else _Span(begin, end, below, int(self.counts[place]))


def _logarithmic(values: Values) -> NDArray[np.int64]:
    return (np.clip(values, 1, _MOST).astype(np.float64).view(np.int64) >> _SHIFT) - _ONE


def _bin(counts: NDArray[np.int64], rank: int) -> _Span:
    """The values of the logarithmic bin that holds a rank. What was clipped is in the first and the last one."""
    place, below = _place(counts, rank)
    begin, end = (ceil(np.int64((_ONE + edge) << _SHIFT).view(np.float64)) for edge in (place, place + 1))
    last = len(counts) - 1
    return _Span(_LEAST if place == 0 else begin, _END if place == last else end, below, int(counts[place]))


def _place(counts: NDArray[np.int64], rank: int) -> tuple[int, int]:
    """The bin that holds a rank, and how many values are in those before it."""
    until = np.cumsum(counts)
    place = int(np.searchsorted(until, rank, side="right"))
    return place, int(until[place] - counts[place])
