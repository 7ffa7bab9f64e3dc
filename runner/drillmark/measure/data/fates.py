"""What the row that was read back says of every write to it: it is there, it is missing, or nothing can be told.

A row is inserted, perhaps changed some times, perhaps deleted; its writes follow each other. What is read back names
the write that the row is left by. Must never take a row that is absent after its deletion for evidence: it would be
absent, too, if nothing of it had survived.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.data.writes import DELETE, NEVER, UPDATE, Ledger

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fates:
    """Masks over the writes that were sent; every acknowledged one is in exactly one of the first three.

    Attributes:
        survived: the row is left by it; or by a later write that found it there.
        missing: the row is left by an earlier write, or is absent although nobody deleted it.
        unproved: neither can be told: the row was deleted later, or overwritten by a write that did not compare.
        reverted: of `missing`, updates of a row that is there.
        resurrected: of `missing`, deletions.
    """

    survived: Mask
    missing: Mask
    unproved: Mask
    reverted: Mask
    resurrected: Mask


def of(ledger: Ledger, back: Mask, *, compares: bool) -> Fates:
    """The fate of each write. `back`: rows are left by these. `compares`: a change of a row gone back is refused."""
    sent = ledger.invoked != NEVER
    none = np.zeros_like(back)
    if ledger.op is None or ledger.key is None:
        return Fates(back, sent & ~back, none, none, none)
    key, here = ledger.key, np.arange(back.size)
    left_by = np.full(back.size, -1, dtype=np.int64)
    np.maximum.at(left_by, key[back], here[back])  # numbers rise: of two rows of one id, the later
    present = left_by[key] >= 0
    overwritten = sent & present & ~back & (here < left_by[key]) & (ledger.acknowledged != NEVER)
    deleted = none.copy()
    deleted[key[(ledger.op == DELETE) & sent & ~ledger.failed]] = True
    gone = sent & ~present & deleted[key]
    survived = back | overwritten if compares else back
    unproved = gone if compares else gone | overwritten
    missing = sent & ~survived & ~unproved
    changed = missing & present
    return Fates(survived, missing, unproved, changed & (ledger.op == UPDATE), changed & (ledger.op == DELETE))
