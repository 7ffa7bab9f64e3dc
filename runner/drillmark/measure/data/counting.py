"""Which writes are old, lost, recovered, unexpected, holes: the counts that the data loss rests on. They are exact.

Old is what the store had before it was restored: by its timeline, where timelines tell it apart, else by time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.data import fates, reading
from drillmark.measure.data.fates import Fates
from drillmark.measure.data.writes import NEVER, Ledger, read_ledger, survived
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import UnmeasurableError
from drillmark.model.entry import Effect
from drillmark.model.evidence import Table, Written
from drillmark.model.measurement import LISTED, Cited, Writes
from drillmark.model.planned import PlannedMarkers


@dataclass(frozen=True, slots=True)
class Sets:
    """Masks over the ledger's slots, and what the RPA's formula needs of them. Times as the ledger's clock has them.

    Attributes:
        table: the ledger as it was read.
        old: writes that belong to what the store had before it was restored.
        lost: acknowledged, old, missing.
        back: survived.
        doubtful: acknowledged and old, and not told to have survived by anything: perhaps lost.
    """

    writer: PlannedMarkers
    table: Table
    ledger: Ledger
    old: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    back: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    zero: int

    def least(self, values: NDArray[np.int64], mask: NDArray[np.bool_]) -> int | None:
        """The earliest of some, in ns since I."""
        found = int(np.min(values, where=mask, initial=NEVER))
        return None if found == NEVER else found - self.zero

    def most(self, values: NDArray[np.int64], mask: NDArray[np.bool_]) -> int | None:
        """The latest of some, in ns since I."""
        found = int(np.max(values, where=mask, initial=-NEVER))
        return None if found == -NEVER else found - self.zero


@dataclass(frozen=True, slots=True)
class Blank:
    """A writer's ledger before anything is counted."""

    writer: PlannedMarkers
    table: Table
    ledger: Ledger
    zero: int
    compares: bool


def count(facts: Facts, writer: PlannedMarkers, written: Written) -> tuple[Writes, Sets]:
    """What became of a writer's writes. Raises where that is not known."""
    reading.require(facts, writer, written)
    ledger = read_ledger(written.ledger)
    survivors = written.survivors
    assert written.ledger is not None
    assert survivors is not None
    if survivors.meta.get("table_absent"):
        survivors = replace(survivors, columns={"id": np.empty(0, dtype=np.int64)})
    zero = facts.frame.zero_of(written.ledger, f"{writer.ledger}.dms")
    compares = bool(written.ledger.meta.get("compares"))
    if facts.plan.simulated:
        return _at_t0(facts, Blank(writer, written.ledger, ledger, zero, compares), survivors)
    back, unexpected, duplicates = survived(ledger, survivors)
    fate = fates.of(ledger, back, compares=compares)
    acked = ledger.acknowledged != NEVER
    sent = ledger.invoked != NEVER
    new = _new(facts, ledger, survivors, acked, zero)
    old = sent & ~new
    newest = int(np.max(ledger.invoked, where=old & fate.survived, initial=-NEVER))
    doubtful = old & acked & fate.unproved & (ledger.acknowledged > newest)
    sets = Sets(writer, written.ledger, ledger, old, old & acked & fate.missing, fate.survived, doubtful, zero)
    if not (old & acked).any():
        raise UnmeasurableError("no write was ever acknowledged")
    split = _split(facts, ledger, survivors, acked, zero)
    return _writes(facts, sets, acked, fate, split, unexpected, duplicates, newest), sets


def _at_t0(facts: Facts, read: Blank, survivors: Table) -> tuple[Writes, Sets]:
    """The counts of a simulated disaster: what was sent after t0 cannot be in the copy, and nothing is lost of it."""
    ledger, zero = read.ledger, read.zero
    before = ledger.invoked < zero
    # The disaster came before the others were sent, or acknowledged: nobody was told that they were there.
    told = replace(
        ledger,
        invoked=np.where(before, ledger.invoked, NEVER),
        acknowledged=np.where(before & (ledger.acknowledged < zero), ledger.acknowledged, NEVER),
    )
    back, unexpected, duplicates = survived(told, survivors)
    fate = fates.of(told, back, compares=read.compares)
    acked = told.acknowledged != NEVER
    if not acked.any():
        raise UnmeasurableError("no write was ever acknowledged")
    newest = int(np.max(told.invoked, where=fate.survived, initial=-NEVER))
    doubtful = acked & fate.unproved & (told.acknowledged > newest)
    sets = Sets(read.writer, read.table, told, before, acked & fate.missing, fate.survived, doubtful, zero)
    unsure = (ledger.invoked != NEVER) & (ledger.acknowledged == NEVER) & ~ledger.failed
    later_acked = (ledger.acknowledged != NEVER) & (ledger.acknowledged >= zero)
    return replace(
        _writes(facts, sets, acked, fate, None, unexpected, duplicates, newest),
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


def _split(
    facts: Facts, ledger: Ledger, survivors: Table, acked: NDArray[np.bool_], zero: int
) -> NDArray[np.bool_] | None:
    """What the old store acknowledged after the new one had; None: no timeline tells them apart."""
    old = old_timeline(ledger, acked, zero)
    after = max(int(ledger.timeline.max()), int(survivors.meta.get("timeline") or 0))
    if old == 0 or (facts.plan.recovers and after <= old):
        return None
    known = acked & (ledger.timeline > 0)
    accepted = int(np.min(ledger.acknowledged, where=known & (ledger.timeline > old), initial=NEVER))
    return known & (ledger.timeline <= old) & (ledger.invoked > accepted)


def _writes(
    facts: Facts,
    sets: Sets,
    acked: NDArray[np.bool_],
    fate: Fates,
    split: NDArray[np.bool_] | None,
    unexpected: NDArray[np.int64],
    duplicates: int,
    newest: int,
) -> Writes:
    ledger, old, lost, back = sets.ledger, sets.old, sets.lost, sets.back
    sent = ledger.invoked != NEVER
    # A later write survived: no recovery point explains that these did not.
    unexplained = lost & (ledger.acknowledged < newest)
    reverted, resurrected = unexplained & fate.reverted, unexplained & fate.resurrected
    holes = unexplained & ~reverted & ~resurrected
    new_acked = sent & ~old & acked
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
        lost_updates=int(np.count_nonzero(reverted)),
        resurrected=int(np.count_nonzero(resurrected)),
        unproved=int(np.count_nonzero(old & acked & fate.unproved)),
        split_brain=None if split is None else int(np.count_nonzero(split)),
        acknowledged_after=int(np.count_nonzero(new_acked)),
        lost_after=int(np.count_nonzero(new_acked & fate.missing)),
        duplicates=duplicates,
        lost_before_t0=int(np.count_nonzero(lost & (ledger.acknowledged < at))),
        lost_ids=ids(lost),
        hole_ids=ids(holes),
        unexpected_ids=tuple(int(one) for one in unexpected[:LISTED]),
        lost_update_ids=ids(reverted),
        resurrected_ids=ids(resurrected),
        split_brain_ids=() if split is None else ids(split),
        cited=Cited(
            entries=cite(facts),
            samples=sample_files(sets.writer),
            formula="lost = acknowledged - survived - unproved; unexpected = survived - sent",
        ),
    )


def cite(facts: Facts) -> tuple[int, ...]:
    """The entries that every number about the data rests on."""
    return facts.cite(Effect.INJECT, Effect.PROVE_EFFECT, Effect.RECOVER, Effect.READ_BACK)


def sample_files(writer: PlannedMarkers) -> tuple[str, ...]:
    """The sample files that a writer's numbers rest on."""
    return (f"samples/{writer.ledger}.dms", f"samples/{writer.survivors}.dms")
