"""What measuring reads: the plan, the journal's entries, and the sample tables. Nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillmark.model.entry import Entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Observers read and write tables, and need no plans: it would cost each of their starts a third of a second.
    from drillmark.model.plan import Plan


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


@dataclass(frozen=True, slots=True)
class Written:
    """What one marker writer left: what it wrote, and what was read back."""

    ledger: Table | None = None
    survivors: Table | None = None


@dataclass(frozen=True, slots=True)
class LoadPart:
    """What one worker of a load in several processes recorded. `worker` counts from 1."""

    worker: int
    requests: Table | None
    users: Table | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A run as it lies on disk. A table that is None was never written. `written`: by the marker writers' names."""

    plan: Plan
    entries: tuple[Entry, ...]
    beats: Table | None = None
    load: Table | None = None
    load_users: Table | None = None
    written: Mapping[str, Written] = field(default_factory=dict[str, Written])
    positions: Table | None = None
    side: Table | None = None
    load_parts: tuple[LoadPart, ...] = ()
    load_clocks: Table | None = None
