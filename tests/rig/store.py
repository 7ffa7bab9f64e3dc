"""A store with a scripted life, and the ledger and survivors that marker writer and read-back would have left.

Writes commit on the old store until it is lost or fenced; those that committed up to the recovery point come back.
From the switch on they commit on the new store. Rows are inserted, updated and deleted, each by the writer that made it;
a store refuses a change of a row that it does not have as its writer left it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from drillmark.model.evidence import Table
from rig.journal import ORIGIN_NS, ns, table

INVOKED, ACKNOWLEDGED, FAILED, INDETERMINATE = range(4)
INSERT, UPDATE, DELETE = range(3)


@dataclass(slots=True)
class Store:
    """What happens to the data.

    Attributes:
        gone_at: from then on the old store commits nothing.
        recovery_point: old writes that committed up to here are in the restored store; None: all are.
        new_from: the restored store accepts writes; None: there is none.
        restored_from: the last check of the restore that was still false: what was sent before it, and never
            acknowledged, counts as old.
        back_from: without a restored store, the old one commits again from here.
        timelines: the store tells them.
        holes: how many old writes from within what was restored are missing all the same.
        reverted: how many updated rows are, besides, as they were before; `resurrected`: deleted rows there again.
        changes: share of writes that update a row, and as many that delete one.
        compares: stores refuse a change of a row that went back.
        oldest_lost: the very first write is missing.
        empty: nothing came back; `absent`: not even the table.
        duplicates: rows repeated in ledger and survivors.
        unexpected: rows that nobody sent.
        split_brain: writes that the old store still acknowledged after the new one did.
        indeterminate: share of writes whose acknowledgement is lost on the way.
    """

    gone_at: float
    recovery_point: float | None
    new_from: float | None
    restored_from: float | None = None
    back_from: float | None = None
    begin: float = -10.0
    end: float = 60.0
    every: float = 0.05
    writers: int = 2
    timelines: bool = True
    holes: int = 0
    reverted: int = 0
    resurrected: int = 0
    changes: float = 0.0
    compares: bool = True
    oldest_lost: bool = False
    empty: bool = False
    absent: bool = False
    duplicates: int = 0
    unexpected: int = 0
    split_brain: int = 0
    indeterminate: float = 0.02
    sparse_ids: bool = False


@dataclass(slots=True)
class Truth:
    """What really became of the writes."""

    acknowledged: int = 0
    lost: set[int] = field(default_factory=set)
    holes: set[int] = field(default_factory=set)
    reverted: set[int] = field(default_factory=set)
    resurrected: set[int] = field(default_factory=set)
    survived: int = 0
    unproved: int = 0
    recovered: int = 0
    unexpected: int = 0
    split_brain: int | None = 0
    indeterminate: int = 0
    last_lost_commit: float | None = None
    age_is_defined: bool = True  # holes have no one recovery point


@dataclass(slots=True, eq=False)
class _Write:
    id: int
    writer: int
    invoked: float
    committed: float | None
    acked: float | None
    failed: float | None
    on_new: bool  # where it went
    old: bool = True  # how it counts
    op: int = INSERT
    before: _Write | None = None  # the write to the same row that it follows

    @property
    def key(self) -> int:
        return self.id if self.before is None else self.before.key


Rows = dict[int, _Write]  # by row, the write that it is left by


def run(store: Store, random: Random) -> tuple[Table, Table, Truth]:
    writes = _writes(store, random)
    for one in writes:
        edge = store.restored_from
        one.old = not one.on_new if one.acked is not None else edge is None or one.invoked < edge
    rows = _rows(store, writes)
    spoiled = _spoil(store, rows, writes, random)
    truth = _truth(store, writes, rows, spoiled)
    pairs = [(key, one.id) for key, one in rows.items()]
    top = max((one.id for one in writes), default=0)
    pairs += [(top + 1000 + n, top + 1000 + n) for n in range(store.unexpected)]
    truth.unexpected = store.unexpected
    pairs += pairs[: store.duplicates]
    random.shuffle(pairs)
    survivors = table(
        {"id": [key for key, _ in pairs], "value": [value for _, value in pairs]},
        {
            "reads": 2,
            "identity": "same",
            "system_identifier": "1",
            "table_absent": store.absent,
            "timeline": (2 if store.restored_from is not None else 1) if store.timelines else 0,
        },
    )
    return _ledger(writes, store, random), survivors, truth


def _rows(store: Store, writes: list[_Write]) -> Rows:
    """What the store holds in the end: every write that is in its history, one after another."""
    rows: Rows = {}
    if store.absent:
        return rows
    for one in sorted(writes, key=lambda one: one.id):
        if one.committed is None or not _in_the_end(store, one):
            continue
        if one.op == DELETE:
            rows.pop(one.key, None)
        else:
            rows[one.key] = one
    return rows


def _spoil(store: Store, rows: Rows, writes: list[_Write], random: Random) -> set[_Write]:
    """Take rows away, back, and out of the grave; the acknowledged writes that this undoes."""
    undone: set[_Write] = set()
    touched_late = {one.key for one in writes if not one.old}
    untouched = [one for one in rows.values() if one.old and one.acked is not None and one.key not in touched_late]
    untouched.sort(key=lambda one: one.invoked)
    victims = untouched[:1] if store.oldest_lost else []
    victims += random.sample(untouched[1:-1], min(store.holes, max(0, len(untouched) - 2)))
    for one in dict.fromkeys(victims):
        undone |= set(_history(rows.pop(one.key)))
    updated = [one for one in rows.values() if one.op == UPDATE and one in untouched]
    for one in random.sample(updated, min(store.reverted, len(updated))):
        assert one.before is not None
        rows[one.key] = one.before
        undone.add(one)
    dead = [
        one
        for one in writes
        if one.op == DELETE and one.old and one.acked is not None and _in_the_end(store, one) and not store.absent
    ]
    for one in random.sample(dead, min(store.resurrected, len(dead))):
        assert one.before is not None
        rows[one.key] = one.before
        undone.add(one)
    return undone


def _history(one: _Write | None) -> list[_Write]:
    return [] if one is None else [one, *_history(one.before)]


def _truth(store: Store, writes: list[_Write], rows: Rows, undone: set[_Write]) -> Truth:
    """What became of each write, told by the store's own history; and what of it nobody could tell afterwards."""
    old = [one for one in writes if one.old]
    acked = [one for one in old if one.acked is not None]
    deleted = {one.key for one in writes if one.op == DELETE and one.failed is None}

    def there(one: _Write) -> bool:
        return one.committed is not None and not store.absent and _in_the_end(store, one) and one not in undone

    def told(one: _Write) -> bool:
        row = rows.get(one.key)
        if row is None:
            return one.key not in deleted
        return store.compares or row.id <= one.id

    truth = Truth(acknowledged=len(acked))
    lost = [one for one in acked if not there(one)]
    truth.lost = {one.id for one in lost if told(one)}
    shown = [one for one in old if there(one) and told(one) and (one.acked is not None or rows.get(one.key) is one)]
    newest = max((one.invoked for one in shown), default=float("-inf"))
    unexplained = [one for one in lost if told(one) and one.acked is not None and one.acked < newest]
    truth.reverted = {one.id for one in unexplained if one.op == UPDATE and one.key in rows}
    truth.resurrected = {one.id for one in unexplained if one.op == DELETE}
    truth.holes = {one.id for one in unexplained} - truth.reverted - truth.resurrected
    truth.survived = len(shown)
    truth.unproved = sum(1 for one in acked if not told(one))
    truth.recovered = sum(1 for one in shown if one.acked is None)
    truth.indeterminate = sum(1 for one in writes if one.acked is None and one.failed is None)
    truth.last_lost_commit = max((one.committed for one in lost if one.committed is not None), default=None)
    truth.age_is_defined = not undone
    first_new = min((one.acked for one in writes if one.on_new and one.acked is not None), default=float("inf"))
    truth.split_brain = sum(1 for one in acked if one.invoked > first_new) if store.timelines else None
    return truth


def _in_the_end(store: Store, one: _Write) -> bool:
    """Whether a write that committed is in the history of the store that is read back."""
    return one.on_new or (not store.empty and not store.absent and _comes_back(store, one))


def _comes_back(store: Store, one: _Write) -> bool:
    assert one.committed is not None
    if store.recovery_point is None or one.committed <= store.recovery_point:
        return True
    return store.back_from is not None and one.committed >= store.back_from


def _writes(store: Store, random: Random) -> list[_Write]:
    found: list[_Write] = []
    split_left = store.split_brain
    for writer in range(store.writers):
        at = store.begin + random.uniform(0, store.every)
        mine: list[_Write] = []  # by row that may be changed: the write that it is left by, as far as its writer knows
        while at < store.end:
            took = random.uniform(0.001, 0.02)
            commit, ack = at + took * random.uniform(0.2, 0.8), at + took
            new = store.new_from is not None and commit >= store.new_from
            alive = commit < store.gone_at or (store.back_from is not None and commit >= store.back_from)
            one = _Write(len(found) + 1, writer, at, None, None, None, new)
            found.append(one)
            what = random.random() if store.changes else 1.0
            if mine and what < 2 * store.changes:
                one.op = UPDATE if what < store.changes else DELETE
                one.before = mine.pop(random.randrange(len(mine)))
            split = new and split_left and store.new_from is not None and at > store.new_from + 1.0
            if split:
                one.on_new = False
            if (split or new or alive) and not _fits(store, one):
                one.failed = ack
            elif split:
                split_left -= 1
                one.committed, one.acked = commit, ack
            elif new or alive:
                one.committed = commit
                cut_off = not new and commit < store.gone_at <= ack
                one.acked = None if cut_off or random.random() < store.indeterminate else ack
            elif random.random() < 0.5:
                one.failed = ack
            if one.acked is not None and one.op != DELETE:
                mine = [*mine, one][-30:]
            at += store.every * random.uniform(0.5, 1.5)
    if store.sparse_ids:
        step = random.choice([1_000_003, 77_777_777])
        for one in found:
            one.id *= step
    return found


def _fits(store: Store, one: _Write) -> bool:
    """Whether the store that a change goes to has the row as its writer left it."""
    before = one.before
    if before is None or before.on_new == one.on_new:
        return True
    return one.on_new and _in_the_end(store, before)


def _ledger(writes: list[_Write], store: Store, random: Random) -> Table:
    rows: list[tuple[float, int, _Write]] = []
    for one in writes:
        rows.append((one.invoked, INVOKED, one))
        if one.acked is not None:
            rows.append((one.acked, ACKNOWLEDGED, one))
        elif one.failed is not None:
            rows.append((one.failed, FAILED, one))
        elif random.random() < 0.5:
            rows.append((one.invoked + 0.5, INDETERMINATE, one))
    rows += [rows[random.randrange(len(rows))] for _ in range(store.duplicates if rows else 0)]
    rows.sort(key=lambda row: (row[0], row[1]))
    timeline = {True: 2, False: 1}
    return table(
        {
            "kind": [kind for _, kind, _ in rows],
            "id": [one.id for _, _, one in rows],
            "at_ns": [ORIGIN_NS + ns(at) for at, _, _ in rows],
            "writer": [one.writer for _, _, one in rows],
            "lsn": [0] * len(rows),
            "timeline": [
                timeline[one.on_new] if store.timelines and kind == ACKNOWLEDGED else 0 for _, kind, one in rows
            ],
            "op": [one.op for _, _, one in rows],
            "key": [one.key for _, _, one in rows],
        },
        {"system_identifier": "1", "writers": store.writers, "compares": store.compares},
    )
