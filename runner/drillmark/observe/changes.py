"""Which row a marker writer writes next: a new one, or one of its own that it changes.

A row belongs to the writer that inserted it, and has one write under way at a time. Once the outcome of a write is not
an acknowledgement, its row is left alone for good: what is there then stays as it is for the reading back to find.
Every change says what it found there before, so that a store that compares refuses it where the row went back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from drillmark.samples import LedgerKind, LedgerOp

# Of ten writes one updates a row and one deletes one. They take the oldest of the rows that are remembered, so that
# changes reach back some seconds; rows that fall out of memory stay as they are.
CYCLE = 10
UPDATE_AT, DELETE_AT = 4, 9
REMEMBERED = 64
OLD_ENOUGH = 8


@dataclass(frozen=True, slots=True)
class Write:
    """One write.

    Attributes:
        id: its number, unique within the run and the marker writer; what an insert calls its row.
        key: the row: the number of the write that inserted it.
        before: the number of the write that last changed the row; 0 for an insert.
    """

    op: LedgerOp
    id: int
    key: int
    before: int = 0


class Changes:
    """The rows of one writer. `kinds`: what it does beside inserting."""

    def __init__(self, kinds: Collection[LedgerOp] = ()) -> None:
        self._kinds = frozenset(kinds)
        self._rows: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self._turn = 0

    def next(self, number: int) -> Write:
        """The next write, which is to carry this number."""
        turn, self._turn = self._turn % CYCLE, self._turn + 1
        op = {UPDATE_AT: LedgerOp.UPDATE, DELETE_AT: LedgerOp.DELETE}.get(turn)
        if op is None or op not in self._kinds or len(self._rows) < OLD_ENOUGH:
            return Write(LedgerOp.INSERT, number, number)
        key, before = self._rows.popleft()
        return Write(op, number, key, before)

    def ended(self, write: Write, kind: LedgerKind) -> None:
        """What came of a write."""
        if kind is LedgerKind.ACKNOWLEDGED and write.op is not LedgerOp.DELETE:
            self._rows.append((write.key, write.id))
