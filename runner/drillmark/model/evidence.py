"""What measuring reads: the plan, the journal's entries, and the samples. Nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from drillmark.model.entry import Entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Observers read and write tables, and need no plans: it would cost each of their starts a third of a second.
    from drillmark.model.plan import Plan


PIECE_ROWS = 1 << 15


class Rows(Protocol):
    """The rows of a sample file, handed out piece by piece, in their order, as often as somebody asks.

    What is long (beats, requests of the load) is measured by these alone, so that an hour takes no more memory than a
    minute. A `Table` is also one.
    """

    @property
    def texts(self) -> Mapping[str, list[str]]:
        """As `Table.texts`."""
        ...

    @property
    def meta(self) -> Mapping[str, Any]:
        """As `Table.meta`."""
        ...

    @property
    def torn(self) -> bool:
        """As `Table.torn`."""
        ...

    @property
    def closed(self) -> bool:
        """As `Table.closed`."""
        ...

    def __len__(self) -> int: ...

    @property
    def pieces(self) -> int:
        """How many pieces there are; none is empty."""
        ...

    def piece(self, number: int, *names: str) -> dict[str, NDArray[Any]]:
        """These columns of a piece."""
        ...

    def span(self, number: int, name: str) -> tuple[int, int]:
        """The least and the greatest value of an i8 column in a piece, without reading it."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """A sample file, read: columns of equal length.

    Attributes:
        columns: name -> values; int64, int32 or uint8. Text columns hold indexes into `texts`.
        texts: name of a text column -> its dictionary.
        meta: what the writer said when it began (format, host, boot, period, ...).
        torn: the file ends in the middle of a block (its writer was killed); what was whole is here.
        closed: the writer ended by itself and said so.
    """

    columns: dict[str, NDArray[Any]]
    texts: dict[str, list[str]] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    torn: bool = False
    closed: bool = False

    def __len__(self) -> int:
        return 0 if not self.columns else len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> NDArray[np.int64]:
        return self.columns[name]

    @property
    def pieces(self) -> int:
        """As `Rows.pieces`."""
        return -(-len(self) // PIECE_ROWS)

    def piece(self, number: int, *names: str) -> dict[str, NDArray[Any]]:
        """As `Rows.piece`."""
        begin = number * PIECE_ROWS
        return {name: self.columns[name][begin : begin + PIECE_ROWS] for name in names}

    def span(self, number: int, name: str) -> tuple[int, int]:
        """As `Rows.span`."""
        values = self.piece(number, name)[name]
        return int(values.min()), int(values.max())


@dataclass(frozen=True, slots=True)
class Written:
    """What one marker writer left: what it wrote, and what was read back."""

    ledger: Table | None = None
    survivors: Table | None = None


@dataclass(frozen=True, slots=True)
class LoadPart:
    """What one worker of a load in several processes recorded. `worker` counts from 1."""

    worker: int
    requests: Rows | None
    users: Table | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A run as it lies on disk. A table that is None was never written. `written`: by the marker writers' names."""

    plan: Plan
    entries: tuple[Entry, ...]
    beats: Rows | None = None
    load: Rows | None = None
    load_users: Table | None = None
    written: Mapping[str, Written] = field(default_factory=dict[str, Written])
    positions: Table | None = None
    side: Rows | None = None
    load_parts: tuple[LoadPart, ...] = ()
    load_clocks: Table | None = None
