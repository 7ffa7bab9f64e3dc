"""RPA, the recovery point actual: what was acknowledged and did not come back, and how old that made the data.

RPA = [max(0, E_lo - min(acked_at of lost)), E_hi - invoked_at(newest survivor acknowledged before the first lost
write was invoked)]. Must never say zero: a store that lost nothing lost at most what nobody had written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.facts import Facts
from drillmark.measure.frame import InapplicableError, UnmeasurableError, seconds, show
from drillmark.measure.start import Start
from drillmark.measure.writes import NEVER, Ledger, read_ledger, survived
from drillmark.model.entry import Effect, Status
from drillmark.model.evidence import Evidence, Table
from drillmark.model.measurement import LISTED, Cited, Measured, Writes
from drillmark.model.stamp import NANOSECONDS

FORMULA_LOST = "RPA = [max(0, E_lo - first lost acked), E_hi - newest survivor invoked]"
FORMULA_WHOLE = "nothing lost: RPA = [0, b - newest survivor invoked]"
SAMPLES = ("samples/ledger.dms", "samples/survivors.dms")


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
    _require(evidence, facts)
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
    whole, alive = _ledger_state(evidence, facts)
    flags = () if whole and alive else ("ledger not closed",)
    if not writes.lost:
        return _nothing_lost(facts, begin, sets, flags, whole=whole)
    first_acked = sets.least(sets.ledger.acknowledged, sets.lost)
    last_acked = sets.most(sets.ledger.acknowledged, sets.lost)
    first_sent = sets.least(sets.ledger.invoked, sets.lost)
    last_sent = sets.most(sets.ledger.invoked, sets.lost)
    assert first_acked is not None
    assert last_acked is not None
    assert first_sent is not None
    assert last_sent is not None
    e_lo, e_hi = max(begin.a, last_sent), max(begin.b, last_acked)
    if not alive and facts.read_back_begun is not None:
        # The writer died: what the store acknowledged to others after that, and lost, nobody saw.
        e_hi = max(e_hi, facts.read_back_begun.hi)
    point, named = _recovery_point(facts, sets, first_sent)
    hi = None if point is None or not whole else e_hi - point
    terms = {"a": begin.a, "b": begin.b, "E_lo": e_lo, "E_hi": e_hi, "first_lost_acked": first_acked, named: point}
    right = "null" if hi is None else f"{show(e_hi)} - {show(point)}"
    lo = max(0, e_lo - first_acked)
    cited = Cited(
        entries=_cite(facts),
        samples=SAMPLES,
        formula=FORMULA_LOST
        if named == "newest_survivor_invoked"
        else FORMULA_LOST.replace("newest survivor invoked", "recovery point as the restore reports it"),
        filled_in=f"RPA = [max(0, {show(e_lo)} - {show(first_acked)}), {right}] = [{show(lo)}, {show(hi)}] s",
        terms={name: None if at is None else at / NANOSECONDS for name, at in terms.items()},
    )
    reason = "" if hi is not None else _why_unbounded(whole=whole)
    return [
        Measured(seconds(lo, hi), reason=reason, flags=flags, cited=cited),
        Measured(
            seconds(begin.a - first_acked, None if hi is None or point is None else max(0, begin.b - point)),
            reason=reason,
            cited=cited,
        ),
        Measured(seconds(e_lo - begin.b, None if hi is None else e_hi - begin.a), reason=reason, cited=cited),
    ]


def _nothing_lost(facts: Facts, begin: Start, sets: Sets, flags: tuple[str, ...], *, whole: bool) -> list[Measured]:
    kept = sets.old & sets.back & (sets.ledger.acknowledged < begin.b + sets.zero)
    newest = sets.most(sets.ledger.invoked, kept)
    hi = None if newest is None or not whole else begin.b - newest
    if newest is None:
        reason = "nothing was acknowledged before the disaster"
    else:
        reason = "" if whole else _why_unbounded(whole=whole)
    cited = Cited(
        entries=_cite(facts),
        samples=SAMPLES,
        formula=FORMULA_WHOLE,
        filled_in=f"RPA = [0, {show(begin.b)} - {show(newest)}] = [0, {show(hi)}] s",
        terms={"b": begin.b / NANOSECONDS, "newest_survivor_invoked": None if newest is None else newest / NANOSECONDS},
    )
    rpa = Measured(seconds(0, hi), reason=reason, flags=flags, cited=cited)
    return [rpa, rpa, Measured(seconds(0, 0 if hi is not None else None), reason=reason, cited=cited)]


def _require(evidence: Evidence, facts: Facts) -> None:
    """Raise where the writes cannot be judged."""
    plan = facts.plan
    if plan.markers is None:
        if plan.objectives.rpo_stated:
            raise UnmeasurableError("the target has no markers")
        raise InapplicableError("the target has no markers")
    if not facts.injected:
        raise UnmeasurableError("fault not injected")
    survivors = evidence.survivors
    if facts.read_back.status != Status.SUCCEEDED or survivors is None:
        error = str(facts.read_back.data.get("error", ""))
        raise UnmeasurableError("nothing was read back" + (f": {error}" if error else ""))
    if not survivors.closed:
        raise UnmeasurableError("survivors.dms is not whole: the reading did not end")
    for name, table in (("survivors.dms", survivors), ("ledger.dms", evidence.ledger)):
        rows = facts.rows.get(name)
        if table is not None and rows is not None and len(table) < rows:
            raise UnmeasurableError(f"{name} holds {len(table)} rows, the journal says {rows}")
    _identify(evidence.ledger, survivors)


def _identify(ledger: Table | None, survivors: Table) -> None:
    identity = survivors.meta.get("identity")
    if identity == "same":
        return
    if identity == "other":
        raise UnmeasurableError("the wrong store answered: it is not the one that was written to")
    wrote, read = (None if table is None else table.meta.get("system_identifier") for table in (ledger, survivors))
    if not wrote or not read:
        raise UnmeasurableError("it is not known whether the store that answered is the one that was written to")
    if str(wrote) != str(read):
        raise UnmeasurableError("the wrong store answered: its system identifier is another")


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


def _ledger_state(evidence: Evidence, facts: Facts) -> tuple[bool, bool]:
    """Whether every row that was written is here, and whether the writer lived until it was told to stop."""
    ledger = evidence.ledger
    assert ledger is not None
    if ledger.closed:
        return True, True
    rows = facts.rows.get("ledger.dms")
    return rows is not None and len(ledger) >= rows, False


def _why_unbounded(*, whole: bool) -> str:
    if not whole:
        return "the ledger is not whole: writes may have been lost that it does not show"
    return "no surviving write is older than the loss, and the restore reports no recovery point"


def _cite(facts: Facts) -> tuple[int, ...]:
    return facts.cite(Effect.INJECT, Effect.PROVE_EFFECT, Effect.RECOVER, Effect.READ_BACK)
