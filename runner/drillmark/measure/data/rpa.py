"""RPA, the recovery point actual: what was acknowledged and did not come back, and how old that made the data.

RPA = [max(0, E_lo - min(acked_at of lost)), E_hi - invoked_at(newest survivor acknowledged before the first lost
write was invoked)]. Must never say zero: a store that lost nothing lost at most what nobody had written.
"""

from __future__ import annotations

import numpy as np

from drillmark.measure.data import reading
from drillmark.measure.data.counting import Sets, cite, sample_files
from drillmark.measure.data.writes import NEVER
from drillmark.measure.outage.start import Start
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import UnmeasurableError, seconds, show
from drillmark.model.measurement import Cited, Measured, Writes
from drillmark.model.stamp import NANOSECONDS
from drillmark.model.undo_words import undo_words

_NAMES = {
    "newest_survivor_invoked": "newest survivor invoked",
    "recovery_point_reported": "recovery point as the restore reports it",
}


def measured(facts: Facts, begin: Start | None, writes: Writes, sets: Sets) -> list[Measured]:
    """RPA, and its parts before and after t0. Raises where it is not known."""
    if begin is None:
        raise UnmeasurableError("fault not proved")
    if facts.plan.recovers and facts.undo_begun is not None:
        read = facts.read_back.ended
        if read is None or facts.undo_begun.lo < facts.frame.span(read).lo:
            done = undo_words(simulated=facts.plan.simulated).done
            raise UnmeasurableError(f"{done} before everything was read back")
    whole, alive = reading.ledger_state(facts, sets.writer, sets.table)
    flags = () if whole and alive else ("ledger not closed",)
    # A writer that died did not see what the store acknowledged to others after that, and lost. In a simulated
    # disaster nothing after t0 can be lost.
    blind = not alive and facts.read_back_begun is not None and not facts.plan.simulated
    unseen = facts.read_back_begun.hi if blind and facts.read_back_begun is not None else begin.b
    # What was deleted or overwritten later, and nothing later survived, may have been lost as well.
    unseen = max(unseen, sets.most(sets.ledger.acknowledged, sets.doubtful) or unseen)
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
    point, name, refuted = _recovery_point(facts, sets, first_sent, first_acked)
    known = point is not None and whole
    reason = "" if known else _why_unbounded(whole=whole, refuted=refuted)
    terms = {"a": begin.a, "b": begin.b, "E_lo": e_lo, "E_hi": e_hi, "first_lost_acked": first_acked, name: point}

    def one(what: str, lower: tuple[str, int, str, int], upper: tuple[str, int, str, int | None]) -> Measured:
        lo = lower[1] - lower[3]
        hi = None if upper[3] is None or not known else max(0, upper[1] - upper[3])
        right = "null" if hi is None else f"{show(upper[1])} - {show(upper[3])}"
        left = f"max(0, {show(lower[1])} - {show(lower[3])})"
        cited = Cited(
            entries=cite(facts),
            samples=sample_files(sets.writer),
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
    end = max(begin.b, unseen)
    newest, at = _widest(sets, begin.a, begin.b, end)
    hi = None if newest is None or not whole else at - newest
    if newest is None:
        reason = "nothing was acknowledged before the disaster"
    else:
        reason = "" if whole else _why_unbounded(whole=whole)
    cited = Cited(
        entries=cite(facts),
        samples=sample_files(sets.writer),
        formula="nothing lost: RPA = [0, t - newest survivor invoked before t], the most for any t in t0",
        filled_in=f"RPA = [0, {show(at)} - {show(newest)}] = [0, {show(hi)}] s",
        terms={
            "a": begin.a / NANOSECONDS,
            "b": begin.b / NANOSECONDS,
            "t": at / NANOSECONDS,
            "newest_survivor_invoked": None if newest is None else newest / NANOSECONDS,
        },
    )
    rpa = Measured(seconds(0, hi), reason=reason, flags=flags, cited=cited)
    after = None if hi is None else end - begin.b
    return [rpa, rpa, Measured(seconds(0, after), reason=reason, flags=flags, cited=cited)]


def _widest(sets: Sets, a: int, b: int, end: int) -> tuple[int | None, int]:
    """Where in [a, b] the newest survivor acknowledged before was the oldest: when that was sent, and that time.

    The disaster struck somewhere in [a, b]; at its end alone there may be a newer one by chance. `end`: b, or later
    where nobody wrote any more.
    """
    ledger, kept = sets.ledger, sets.old & sets.back & (sets.ledger.acknowledged != NEVER)
    newest = sets.most(ledger.invoked, kept & (ledger.acknowledged <= a + sets.zero))
    inside = np.flatnonzero(kept & (ledger.acknowledged > a + sets.zero) & (ledger.acknowledged < b + sets.zero))
    if newest is None:
        return None, end
    inside = inside[np.argsort(ledger.acknowledged[inside], kind="stable")]
    acked = np.append(ledger.acknowledged[inside] - sets.zero, end)
    before = np.maximum.accumulate(np.append(newest, ledger.invoked[inside] - sets.zero))
    place = int(np.argmax(acked - before))
    return int(before[place]), int(acked[place])


def _recovery_point(facts: Facts, sets: Sets, first_sent: int, first_acked: int) -> tuple[int | None, str, bool]:
    """Where the recovery point may be at its earliest, what tells it, and whether the ledger refutes what was reported.

    A restore that reports a point after a lost write was acknowledged would have had to bring that write back: what it
    says is of something else, and counts as not said.
    """
    acked = sets.ledger.acknowledged
    surely = sets.old & sets.back & (acked != NEVER) & (acked < first_sent + sets.zero)
    newest = sets.most(sets.ledger.invoked, surely)
    if newest is not None:
        return newest, "newest_survivor_invoked", False
    reported = None if facts.report is None else facts.report.recovery_point
    if reported is None or reported.lo >= first_acked:
        return None, "recovery_point_reported", reported is not None
    return reported.lo, "recovery_point_reported", False


def _why_unbounded(*, whole: bool, refuted: bool = False) -> str:
    if not whole:
        return "the ledger is not whole: writes may have been lost that it does not show"
    if refuted:
        return "the restore reports a recovery point after a lost write was acknowledged, which cannot be"
    return "no surviving write is older than the loss, and the restore reports no recovery point"
