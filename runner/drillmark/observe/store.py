"""The port that stores of markers are written against: connect, write, read back. One file for each kind of store.

A store must tell exactly what became of a write: acknowledged, certainly not done, or unknown. A time-out, a connection
that was cut after something may have been sent, and a failure behind a proxy are unknown, never failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drillmark.observe.changes import Write
from drillmark.samples import LedgerKind, LedgerOp


@dataclass(frozen=True, slots=True)
class Written:
    """What came of one write. `lsn` and `timeline` are 0 unless it was acknowledged; `reason` is a short word."""

    kind: LedgerKind
    lsn: int = 0
    timeline: int = 0
    reason: str = ""


class StoreError(Exception):
    """The store cannot be reached, or refuses. The text carries no connection string.

    `final`: asking again will not help (a wrong password, no permission, a connection string that is none).
    """

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


@dataclass(frozen=True, slots=True)
class Reading:
    """One read of the whole run.

    Attributes:
        ids: the rows, sorted; empty where the table is absent.
        values: the number of the write that each row is left by.
        table_absent: the store answers, and has no place for markers.
        system_identifier, timeline: empty and 0 where the store has none.
        from_ns, to_ns: when the read began and ended (monotonic).
    """

    ids: NDArray[np.int64]
    values: NDArray[np.int64]
    table_absent: bool
    system_identifier: str
    timeline: int
    from_ns: int
    to_ns: int

    def agrees(self, other: Reading) -> bool:
        """Whether both saw the same rows of the same store."""
        return (
            self.system_identifier == other.system_identifier
            and self.timeline == other.timeline
            and self.table_absent == other.table_absent
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.values, other.values)
        )


def in_order(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and their values, sorted by row."""
    pairs = pairs.reshape(-1, 2)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[:, 0], pairs[:, 1]


class Link(Protocol):
    """One connection."""

    def is_usable(self) -> bool:
        """Whether nothing says yet that it is gone."""
        ...

    def write(self, write: Write, writer: int) -> Written:
        """Make one write, within a deadline of its own."""
        ...

    def close(self) -> None:
        """Let it go, at once."""
        ...


class Store(Protocol):
    """A store of markers.

    Attributes:
        kinds: what it can do to rows beside inserting them.
        meta: what the ledger says about it. `compares`: it refuses a change of a row that went back.
        longest_seconds: how long one write may take, connecting included.
    """

    kinds: frozenset[LedgerOp]
    meta: dict[str, Any]
    longest_seconds: float

    def prepare(self) -> str:
        """Make ready for markers; the system identifier, or nothing where it has none. Raises StoreError."""
        ...

    def connect(self) -> Link:
        """A connection. Raises StoreError."""
        ...

    def read_once(self) -> Reading:
        """Everything of the run, over a connection of its own. Raises StoreError."""
        ...
