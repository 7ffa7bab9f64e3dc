"""RPA, the recovery point actual: what was acknowledged and did not come back, and how old that made the data.

RPA = [max(0, E_lo - min(acked_at of lost)), E_hi - invoked_at(newest survivor acknowledged before the first lost
write was invoked)]. Must never say zero: a store that lost nothing lost at most what nobody had written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.data import reading
from drillmark.measure.data.writes import NEVER, Ledger, read_ledger, survived
from drillmark.measure.outage.start import Start
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import UnmeasurableError, seconds, show
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence, Table
from drillmark.model.measurement import LISTED, Cited, Measured, Writes
from drillmark.model.stamp import NANOSECONDS

SAMPLES = ("samples/ledger.dms", "samples/survivors.dms")

_NAMES = {
    "newest_survivor_invoked": "newest survivor invoked",
    "recovery_point_reported": "recovery point as the restore reports it",
}


@dataclass(frozen=True, slots=True)
class Sets:
    """Masks over the ledger's slots, and what the RPA's formula needs of them. Times as the ledger's clock has them.

    Attributes:
        old: writes that belong to what the store had before it was restored.
        lost: acknowledged, old, not read back.
        back: read back.
    """

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


def count(evidence: Evidence, facts: Facts) -> tuple[Writes, Sets]:
    """What became of the writes. Raises where that is not known, or where there were to be none."""
    reading.require(evidence, facts)
    ledger = read_ledger(evidence.ledger)
    survivors = evidence.survivors
    assert evidence.ledger is not None
    assert survivors is not None
    absent = bool(survivors.meta.get("table_absent"))
    ids = np.empty(0, dtype=np.int64) if absent else survivors["id"].astype(np.int64, copy=False)
    back, unexpected, duplicates = survived(ledger, ids)
    acked = ledger.acknowledged != NEVER
    sent = ledger.invoked != NEVER
    zero = facts.frame.zero_of(evidence.ledger, "ledger.dms")
    new = _new(facts, ledger, survivors, acked, zero)
    old = sent & ~new
    sets = Sets(ledger, old, old & acked & ~back, back, zero)
    if not (old & acked).any():
        raise UnmeasurableError("no write was ever acknowledged")
    return _writes(facts, sets, acked, unexpected, duplicates), sets


def measured(facts: Facts, begin: Start | None, evidence: Evidence, writes: Writes, sets: Sets) -> list[Measured]:
    """RPA, and its parts before and after t0. Raises where it is not known."""
    if begin is None:
        raise UnmeasurableError("fault not proved")
    if facts.plan.recovers and facts.undo_begun is not None:
        read = facts.read_back.ended
        if read is None or facts.undo_begun.lo < facts.frame.span(read).lo:
            raise UnmeasurableError("the fault was undone before everything was read back")
    whole, alive = reading.ledger_state(evidence, facts)
    flags = () if whole and alive else ("ledger not closed",)
    # A writer that died did not see what the store acknowledged to others after that, and lost.
    unseen = facts.read_back_begun.hi if not alive and facts.read_back_begun is not None else begin.b
    if not writes.lost:
        return _nothing_lost(facts, begin, sets, unseen, flags, whole=whole)
    return _something_lost(facts, begin, sets, unseen, flags, whole=whole)


def _something_lost(
    facts: Facts, begin: Start, sets: Sets, unseen: int, flags: tuple[str, ...], *, whole: bool
) -> list[Measured]:
    ledger, lost = sets.ledger, sets.lost
    first_acked, last_acked = sets.least(ledger.acknowledged, lost), sets.most(ledger.acknowledged, lost)
    first_sent, last_sent = sets.least(ledger.invoked, lost), sets.most(ledger.invoked, lost)
    assert first_acked is not None
    assert last_acked is not None
    assert first_sent is not None
    assert last_sent is not None
    e_lo, e_hi = max(begin.a, last_sent), max(begin.b, last_acked, unseen)
    point, name = _recovery_point(facts, sets, first_sent)
    known = point is not None and whole
    reason = "" if known else _why_unbounded(whole=whole)
    terms = {"a": begin.a, "b": begin.b, "E_lo": e_lo, "E_hi": e_hi, "first_lost_acked": first_acked, name: point}

    def one(what: str, lower: tuple[str, int, str, int], upper: tuple[str, int, str, int | None]) -> Measured:
        lo = lower[1] - lower[3]
        hi = None if upper[3] is None or not known else max(0, upper[1] - upper[3])
        right = "null" if hi is None else f"{show(upper[1])} - {show(upper[3])}"
        left = f"max(0, {show(lower[1])} - {show(lower[3])})"
        cited = Cited(
            entries=_cite(facts),
            samples=SAMPLES,
            formula=f"{what} = [max(0, {lower[0]} - {lower[2]}), {upper[0]} - {upper[2]}]",
            filled_in=f"{what} = [{left}, {right}] = [{show(max(0, lo))}, {show(hi)}] s",
            terms={term: None if at is None else at / NANOSECONDS for term, at in terms.items()},
        )
        return Measured(seconds(lo, hi), reason=reason, flags=flags, cited=cited)

    acked = "first lost acked"
    return [
        one("RPA", ("E_lo", e_lo, acked, first_acked), ("E_hi", e_hi, _NAMES[name], point)),
        one("RPA before t0", ("a", begin.a, acked, first_acked), ("b", begin.b, _NAMES[name], point)),
        one("RPA after t0", ("E_lo", e_lo, "b", begin.b), ("E_hi", e_hi, "a", begin.a)),
    ]


def _nothing_lost(
    facts: Facts, begin: Start, sets: Sets, unseen: int, flags: tuple[str, ...], *, whole: bool
) -> list[Measured]:
    kept = sets.old & sets.back & (sets.ledger.acknowledged < begin.b + sets.zero)
    newest = sets.most(sets.ledger.invoked, kept)
    end = max(begin.b, unseen)
    hi = None if newest is None or not whole else end - newest
    if newest is None:
        reason = "nothing was acknowledged before the disaster"
    else:
        reason = "" if whole else _why_unbounded(whole=whole)
    cited = Cited(
        entries=_cite(facts),
        samples=SAMPLES,
        formula="nothing lost: RPA = [0, b - newest survivor invoked]",
        filled_in=f"RPA = [0, {show(end)} - {show(newest)}] = [0, {show(hi)}] s",
        terms={"b": begin.b / NANOSECONDS, "newest_survivor_invoked": None if newest is None else newest / NANOSECONDS},
    )
    rpa = Measured(seconds(0, hi), reason=reason, flags=flags, cited=cited)
    after = None if hi is None else end - begin.b
    return [rpa, rpa, Measured(seconds(0, after), reason=reason, flags=flags, cited=cited)]


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
            entries=_cite(facts),
            samples=SAMPLES,
            formula="lost = acknowledged - survived; unexpected = survived - sent",
        ),
    )


def _recovery_point(facts: Facts, sets: Sets, first_sent: int) -> tuple[int | None, str]:
    acked = sets.ledger.acknowledged
    surely = sets.old & sets.back & (acked != NEVER) & (acked < first_sent + sets.zero)
    newest = sets.most(sets.ledger.invoked, surely)
    if newest is not None:
        return newest, "newest_survivor_invoked"
    reported = None if facts.report is None else facts.report.recovery_point
    return (None if reported is None else reported.lo), "recovery_point_reported"


def _why_unbounded(*, whole: bool) -> str:
    if not whole:
        return "the ledger is not whole: writes may have been lost that it does not show"
    return "no surviving write is older than the loss, and the restore reports no recovery point"


def _cite(facts: Facts) -> tuple[int, ...]:
    return facts.cite(Effect.INJECT, Effect.PROVE_EFFECT, Effect.RECOVER, Effect.READ_BACK)
