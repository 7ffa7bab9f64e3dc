"""What every journal store can do, whatever keeps it. The conformance suite holds each of them to this.

Names only: must never know SQLite or PostgreSQL, nor open anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from drillmark.journal.rows import Digest
from drillmark.model.entry import Entry, Kind
from drillmark.model.stamp import Stamp

# A chain whose name begins so is no run: it is not among the runs, and belongs to the whole workspace.
CHAIN = "@"
# How many runs there are. All rows without the few chains: to ask each of a hundred thousand takes ten times as long.
COUNT = f"""select (select count(*) from {{runs}})
    - (select count(*) from {{runs}} where run >= '{CHAIN}' and run < '{chr(ord(CHAIN) + 1)}')"""  # noqa: S608 (our own words)

UNENDED = f"""and not exists
    (select 1 from {{entries}} as one where one.run = {{runs}}.run and one.kind = '{Kind.RUN_ENDED}')
    order by started_wall_ns, run"""  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, as the list of runs knows it. `directory` is relative to the workspace."""

    run: str
    drill: str
    target: str
    directory: str
    epoch: int
    started_wall_ns: int


class Store(Protocol):
    """All journals of a workspace. Every method raises JournalError where the database cannot be read or written."""

    def close(self) -> None:
        """Let the database go."""
        ...

    def create(self, row: RunRow) -> None:
        """Register a new run."""
        ...

    def begin_chain(self, name: str) -> None:
        """Register a chain of entries that is no run (`@decisions`), epoch 1; one that is there stays."""
        ...

    def add_whole(self, row: RunRow, chain: list[Entry]) -> None:
        """Register a run that is over, with all its entries, or nothing of it."""
        ...

    def forget(self, run: str) -> None:
        """Take a run that has no entry off the list: it never began, and now cannot any more. Others stay."""
        ...

    def raise_epoch(self, run: str, epoch: int) -> None:
        """From now on only this epoch may append. Raises StaleEpochError if a higher one is there already."""
        ...

    def append(
        self, previous: Entry | None, *, run: str, epoch: int, kind: Kind, stamp: Stamp, data: dict[str, Any]
    ) -> Entry:
        """Append an entry after `previous`, durably.

        Raises StaleEpochError where the run's epoch or its last entry is not what the caller believes, and
        JournalError where nothing could be written.
        """
        ...

    def read(self, run: str, after: int = 0, *, digest: Digest | None = None) -> tuple[Entry, ...]:
        """All entries of a run, or of a chain, that come after that one, in order.

        `digest` takes in what is read: by it one sees later that nothing of that has changed, without reading it again.
        """
        ...

    def take_in(self, run: str, count: int, digest: Digest) -> None:
        """Have the digest take in the first so many entries, as they are stored, as `read` does."""
        ...

    def length(self, run: str) -> int:
        """How many entries a run, or a chain, has; 0 where it is not there. Cheap: it is asked for every second."""
        ...

    def epoch_of(self, run: str) -> int:
        """Which epoch may append; 0 where there is no such run. Cheap, as `length`."""
        ...

    def keep_undo(self, run: str, epoch: int, body: str) -> None:
        """Keep a copy of a run's undo file for the other machines, where there may be any.

        Raises StaleEpochError where somebody else has the run in hand.
        """
        ...

    def kept_undo(self, run: str) -> str | None:
        """The copy; None where none is kept."""
        ...

    def runs(self) -> list[RunRow]:
        """Every run, oldest first."""
        ...

    def newest(self, count: int) -> list[RunRow]:
        """The newest runs, newest first, however many there are."""
        ...

    def unended(self) -> list[RunRow]:
        """Every run without an end in its journal, oldest first."""
        ...

    def count(self) -> int:
        """How many runs there are."""
        ...

    def find(self, text: str) -> list[RunRow]:
        """The runs whose id begins with `text`; `last` is the newest."""
        ...
