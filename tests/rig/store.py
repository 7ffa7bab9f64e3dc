"""A store with a scripted life, and the ledger and survivors that marker writer and read-back would have left.

Writes commit on the old store until it is lost or fenced; those that committed up to the recovery point come back.
From the switch on they commit on the new store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from drillmark.model.evidence import Table
from rig.journal import ORIGIN_NS, ns, table

INVOKED, ACKNOWLEDGED, FAILED, INDETERMINATE = range(4)


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
    recovered: int = 0
    unexpected: int = 0
    split_brain: int = 0
    indeterminate: int = 0
    last_lost_commit: float | None = None
    age_is_defined: bool = True  # holes have no one recovery point


@dataclass(slots=True)
class _Write:
    id: int
    writer: int
    invoked: float
    committed: float | None
    acked: float | None
    failed: float | None
    on_new: bool  # where it went
    old: bool = True  # how it counts


def run(store: Store, random: Random) -> tuple[Table, Table, Truth]:
    writes = _writes(store, random)
    for one in writes:
        edge = store.restored_from
        one.old = not one.on_new if one.acked is not None else edge is None or one.invoked < edge
    old = [one for one in writes if one.old]
    back = [one for one in writes if one.committed is not None and _comes_back(store, one, one.committed)]
    acked = [one for one in old if one.acked is not None]
    if store.empty or store.absent:
        back = [one for one in back if one.on_new and not store.absent]
    victims: list[_Write] = []
    if store.oldest_lost and acked:
        victims.append(min(acked, key=lambda one: one.invoked))
    inner = [one for one in back if one.old and one.acked is not None][1:-1]
    victims += random.sample(inner, min(store.holes, len(inner)))
    gone = {one.id for one in victims}
    back = [one for one in back if one.id not in gone]
    survived = {one.id for one in back}
    truth = Truth(acknowledged=len(acked))
    lost = [one for one in acked if one.id not in survived]
    truth.lost = {one.id for one in lost}
    newest = max((one.invoked for one in back if one.old), default=float("-inf"))
    truth.holes = {one.id for one in lost if one.acked is not None and one.acked < newest}
    truth.recovered = sum(1 for one in back if one.old and one.acked is None)
    truth.indeterminate = sum(1 for one in writes if one.acked is None and one.failed is None)
    commits = [one.committed for one in lost if one.committed is not None]
    truth.last_lost_commit = max(commits, default=None)
    truth.age_is_defined = not gone
    first_new = min((one.acked for one in writes if not one.old and one.acked is not None), default=float("inf"))
    truth.split_brain = sum(1 for one in acked if one.invoked > first_new)
    ids = [one.id for one in back]
    top = max((one.id for one in writes), default=0)
    ids += [top + 1000 + n for n in range(store.unexpected)]
    truth.unexpected = store.unexpected
    ids += ids[: store.duplicates]
    random.shuffle(ids)
    survivors = table(
        {"id": ids},
        {
            "reads": 2,
            "identity": "same",
            "system_identifier": "1",
            "table_absent": store.absent,
            "timeline": (2 if store.restored_from is not None else 1) if store.timelines else 0,
        },
    )
    return _ledger(writes, store, random), survivors, truth


def _comes_back(store: Store, one: _Write, committed: float) -> bool:
    if one.on_new or store.recovery_point is None or committed <= store.recovery_point:
        return True
    return store.back_from is not None and committed >= store.back_from


def _writes(store: Store, random: Random) -> list[_Write]:
    found: list[_Write] = []
    split_left = store.split_brain
    for writer in range(store.writers):
        at = store.begin + random.uniform(0, store.every)
        while at < store.end:
            took = random.uniform(0.001, 0.02)
            commit, ack = at + took * random.uniform(0.2, 0.8), at + took
            new = store.new_from is not None and commit >= store.new_from
            alive = commit < store.gone_at or (store.back_from is not None and commit >= store.back_from)
            one = _Write(len(found) + 1, writer, at, None, None, None, new)
            found.append(one)
            if new and split_left and store.new_from is not None and at > store.new_from + 1.0:
                split_left -= 1
                one.on_new, one.committed, one.acked = False, commit, ack
            elif new or alive:
                one.committed = commit
                cut_off = not new and commit < store.gone_at <= ack
                one.acked = None if cut_off or random.random() < store.indeterminate else ack
            elif random.random() < 0.5:
                one.failed = ack
            at += store.every * random.uniform(0.5, 1.5)
    if store.sparse_ids:
        step = random.choice([1_000_003, 77_777_777])
        for one in found:
            one.id *= step
    return found


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
        },
        {"store": "postgres", "table": "rig", "system_identifier": "1", "writers": store.writers},
    )
