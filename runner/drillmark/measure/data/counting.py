"""Which writes are old, lost, recovered, unexpected, holes: the counts that the data loss rests on. They are exact.

Old is what the store had before it was restored: by its timeline, where timelines tell it apart, else by time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.data import reading
from drillmark.measure.data.writes import NEVER, Ledger, read_ledger, survived
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import UnmeasurableError
from drillmark.model.entry import Effect
from drillmark.model.evidence import Table, Written
from drillmark.model.measurement import LISTED, Cited, Writes
from drillmark.model.plan import PlannedMarkers


@dataclass(frozen=True, slots=True)
class Sets:
    """Masks over the ledger's slots, and what the RPA's formula needs of them. Times as the ledger's clock has them.

    Attributes:
        table: the ledger as it was read.
        old: writes that belong to what the store had before it was restored.
        lost: acknowledged, old, not read back.
        back: read back.
    """

    writer: PlannedMarkers
    table: Table
    ledger: Ledger
    old: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    back: NDArray[np.bool_]
    zero: int

    def least(self, values: NDArray[np.int64], mask: NDArray[np.bool_]) -> int | None:
        """The earliest of some, in ns since I."""
        found = int(np.min(values, where=mask, initial=NEVER))
        return None if found == NEVER else found - self.zero

    def most(self, values: NDArray[np.int64], mask: NDArray[np.bool_]) -> int | None:
        """The latest of some, in ns since I."""
        found = int(np.max(values, where=mask, initial=-NEVER))
        return None if found == -NEVER else found - self.zero


def count(facts: Facts, writer: PlannedMarkers, written: Written) -> tuple[Writes, Sets]:
    """What became of a writer's writes. Raises where that is not known."""
    reading.require(facts, writer, written)
    ledger = read_ledger(written.ledger)
    survivors = written.survivors
    assert written.ledger is not None
    assert survivors is not None
    absent = bool(survivors.meta.get("table_absent"))
    ids = np.empty(0, dtype=np.int64) if absent else survivors["id"].astype(np.int64, copy=False)
    back, unexpected, duplicates = survived(ledger, ids)
    zero = facts.frame.zero_of(written.ledger, f"{writer.ledger}.dms")
    if facts.plan.simulated:
        return _at_t0(facts, Sets(writer, written.ledger, ledger, back, back, back, zero), unexpected, duplicates)
    acked = ledger.acknowledged != NEVER
    sent = ledger.invoked != NEVER
    new = _new(facts, ledger, survivors, acked, zero)
    old = sent & ~new
    sets = Sets(writer, written.ledger, ledger, old, old & acked & ~back, back, zero)
    if not (old & acked).any():
        raise UnmeasurableError("no write was ever acknowledged")
    return _writes(facts, sets, acked, unexpected, duplicates), sets


def _at_t0(facts: Facts, read: Sets, never_sent: NDArray[np.int64], duplicates: int) -> tuple[Writes, Sets]:
    """The counts of a simulated disaster: what was sent after t0 cannot be in the copy, and nothing is lost of it."""
    ledger, back, zero = read.ledger, read.back, read.zero
    old = ledger.invoked < zero
    # The disaster came before the others were acknowledged: nobody was told that they were there.
    told = replace(ledger, acknowledged=np.where(ledger.acknowledged < zero, ledger.acknowledged, NEVER))
    acked = told.acknowledged != NEVER
    later = ledger.places.ids_at(np.flatnonzero(back & ~old))
    unexpected = np.unique(np.concatenate((never_sent, later)))
    sets = replace(read, ledger=told, old=old, lost=old & acked & ~back, back=back & old)
    if not (old & acked).any():
        raise UnmeasurableError("no write was ever acknowledged")
    unsure = (ledger.invoked != NEVER) & (ledger.acknowledged == NEVER) & ~ledger.failed
    later_acked = (ledger.acknowledged != NEVER) & (ledger.acknowledged >= zero)
    return replace(
        _writes(facts, sets, acked, unexpected, duplicates),
        indeterminate=int(np.count_nonzero(unsure)),
        acknowledged_after=int(np.count_nonzero(later_acked)),
        split_brain=0,
    ), sets


def _new(facts: Facts, ledger: Ledger, survivors: Table, acked: NDArray[np.bool_], zero: int) -> NDArray[np.bool_]:
    """Writes that went to the restored store, not to the old one."""
    if not facts.plan.recovers or facts.data_restored is None:
        return np.zeros(ledger.places.size, dtype=np.bool_)
    edge = facts.data_restored.lo + zero
    by_time = np.where(acked, ledger.acknowledged, ledger.invoked) >= edge
    old = old_timeline(ledger, acked, zero)
    after = max(int(ledger.timeline.max()), int(survivors.meta.get("timeline") or 0))
    if old == 0 or after <= old:
        return by_time  # one timeline all through tells nothing apart
    known = acked & (ledger.timeline > 0)
    return np.where(known, ledger.timeline > old, by_time)


def old_timeline(ledger: Ledger, acked: NDArray[np.bool_], zero: int) -> int:
    """The timeline of what was acknowledged before the fault, else the first ever; 0: not known."""
    known = acked & (ledger.timeline > 0)
    if not known.any():
        return 0
    before = known & (ledger.acknowledged <= zero)
    return int(ledger.timeline[before].max()) if before.any() else int(ledger.timeline[known].min())


def _writes(
    facts: Facts, sets: Sets, acked: NDArray[np.bool_], unexpected: NDArray[np.int64], duplicates: int
) -> Writes:
    ledger, old, lost, back = sets.ledger, sets.old, sets.lost, sets.back
    sent = ledger.invoked != NEVER
    newest_back = int(np.max(ledger.invoked, where=old & back, initial=-NEVER))
    holes = lost & (ledger.acknowledged < newest_back)
    new_acked = sent & ~old & acked
    accepted = int(np.min(ledger.acknowledged, where=new_acked, initial=NEVER))
    split = old & acked & (ledger.invoked > accepted) if (ledger.timeline > 0).any() else np.zeros_like(old)
    at = facts.frame.origin.monotonic_ns

    def ids(mask: NDArray[np.bool_]) -> tuple[int, ...]:
        return tuple(int(one) for one in ledger.places.ids_at(np.flatnonzero(mask)[:LISTED]))

    return Writes(
        acknowledged=int(np.count_nonzero(old & acked)),
        attempted=int(np.count_nonzero(old)),
        survived=int(np.count_nonzero(old & back)),
        lost=int(np.count_nonzero(lost)),
        recovered=int(np.count_nonzero(old & back & ~acked)),
        unexpected=len(unexpected),
        indeterminate=int(np.count_nonzero(sent & ~acked & ~ledger.failed)),
        holes=int(np.count_nonzero(holes)),
        split_brain=int(np.count_nonzero(split)),
        acknowledged_after=int(np.count_nonzero(new_acked)),
        lost_after=int(np.count_nonzero(new_acked & ~back)),
        duplicates=duplicates,
        lost_before_t0=int(np.count_nonzero(lost & (ledger.acknowledged < at))),
        lost_ids=ids(lost),
        hole_ids=ids(holes),
        unexpected_ids=tuple(int(one) for one in unexpected[:LISTED]),
        split_brain_ids=ids(split),
        cited=Cited(
            entries=cite(facts),
            samples=sample_files(sets.writer),
            formula="lost = acknowledged - survived; unexpected = survived - sent",
        ),
    )


def cite(facts: Facts) -> tuple[int, ...]:
    """The entries that every number about the data rests on."""
    return facts.cite(Effect.INJECT, Effect.PROVE_EFFECT, Effect.RECOVER, Effect.READ_BACK)


def sample_files(writer: PlannedMarkers) -> tuple[str, ...]:
    """The sample files that a writer's numbers rest on."""
    return (f"samples/{writer.ledger}.dms", f"samples/{writer.survivors}.dms")
