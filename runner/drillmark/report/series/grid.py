"""Bins of equal width over a stretch of time, in steps that people know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drillmark.model.stamp import NANOSECONDS

_MOST_BINS = 900
_WIDTHS_SECONDS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Grid:
    """Bins; times in ns since I. The first begins at `begin`; the last may reach beyond `end`."""

    begin: int
    end: int
    width: int
    count: int

    @classmethod
    def of(cls, begin_ns: int, end_ns: int) -> Grid:
        """The finest grid with few enough bins."""
        length = max(1, end_ns - begin_ns)
        for seconds in _WIDTHS_SECONDS:
            width = round(seconds * NANOSECONDS)
            if length <= width * _MOST_BINS:
                return cls(begin_ns, end_ns, width, -(-length // width))
        width = -(-length // _MOST_BINS)
        return cls(begin_ns, end_ns, width, _MOST_BINS)

    @property
    def seconds(self) -> float:
        """The width of a bin."""
        return self.width / NANOSECONDS

    @property
    def starts(self) -> NDArray[np.int64]:
        """When each bin begins."""
        return self.begin + self.width * np.arange(self.count, dtype=np.int64)

    def place(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """The bin of each instant; those outside are below 0 or not below `count`."""
        return (at - self.begin) // self.width

    def counts(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many instants fall into each bin."""
        place = self.place(at)
        inside = place[(place >= 0) & (place < self.count)]
        return np.bincount(inside, minlength=self.count)

    def times(self) -> list[float]:
        """When each bin begins, in seconds."""
        return [round(float(at) / NANOSECONDS, 3) for at in self.starts]


def quantiles(
    place: NDArray[np.int64], value: NDArray[np.int64], count: int, shares: tuple[float, ...], *, never: int
) -> list[list[float | None]]:
    """For each share the value at that share of each bin, in seconds; None where there is none, or it is `never`.

    Exact: one sort of a key that holds bin and value.
    """
    cap = (1 << 40) - 1  # 18 minutes: no request is waited for as long
    key = (place << 40) | np.minimum(value, cap)
    key.sort()
    sizes = np.bincount(place, minlength=count)
    ends = np.cumsum(sizes)
    found: list[list[float | None]] = []
    for share in shares:
        at = ends - sizes + np.maximum(0, np.ceil(share * sizes - 1e-9).astype(np.int64) - 1)
        chosen = key[np.minimum(at, max(0, len(key) - 1))] & cap if len(key) else np.zeros(count, dtype=np.int64)
        valid = (sizes > 0) & (chosen < min(cap, never))
        found.append(
            [
                round(one / NANOSECONDS, 5) if there else None
                for one, there in zip(chosen.tolist(), valid.tolist(), strict=True)
            ]
        )
    return found
