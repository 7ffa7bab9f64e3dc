"""RPA by position: how old the restored log is, where nothing may be written to the store.

Pairs (time sent, time received, log position) bracket when the log reached the position at which the restore ended.
Must never pass for more than that: holes, split brain and lost acknowledgements cannot be seen in a log position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.outage.start import Start
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, UnmeasurableError, seconds, show
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Cited, Measured
from drillmark.model.stamp import NANOSECONDS

SAMPLES = ("samples/positions.dms",)
FLAG = "by position: holes and split brain cannot be seen"
FORMULA = "= [max(0, E_lo - receipt of the first pair beyond the end position), E_hi - send of the last pair up to it]"
_NO_END = "no read failed after the last position of the old store: nobody saw its end"
_NO_PAIR = "no position up to the restored end was read: the restored log is older than the readings"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Readings in the order in which they ended. Times in ns since I; a reading that failed has no position."""

    sent: NDArray[np.int64]
    received: NDArray[np.int64]
    position: NDArray[np.int64]
    timeline: NDArray[np.int64]
    ok: NDArray[np.bool_]


def planned(facts: Facts) -> bool:
    """Whether positions were to be read."""
    return facts.plan.positions is not None


def read(evidence: Evidence, facts: Facts) -> Pairs:
    """The readings. Raises where there are none, or were to be none."""
    if not planned(facts):
        raise InapplicableError("no log positions are read")
    table = evidence.positions
    if table is None or not len(table):
        raise UnmeasurableError("positions.dms cannot be read, or is empty")
    zero = facts.frame.zero_of(table, "positions.dms")
    order = np.argsort(table["received_ns"], kind="stable")
    return Pairs(
        sent=table["sent_ns"][order] - zero,
        received=table["received_ns"][order] - zero,
        position=table["position"][order],
        timeline=table["timeline"][order].astype(np.int64),
        ok=table["ok"][order].astype(np.bool_),
    )


def measured(facts: Facts, begin: Start | None, evidence: Evidence) -> list[Measured]:
    """RPA by position, and its parts before and after t0. Raises where it is not known."""
    pairs = read(evidence, facts)
    if begin is None:
        raise UnmeasurableError("fault not proved" if facts.injected else facts.not_injected)
    end = end_position(facts, evidence)
    old = _old(facts, pairs)
    if not old.any():
        raise UnmeasurableError("no log position was read before the disaster")
    e_lo, e_hi = _end_of_old(facts, begin, pairs, old)
    beyond = old & (pairs.position > end)
    reached = old & (pairs.position <= end)
    first_beyond = int(pairs.received[beyond][0]) if beyond.any() else None
    last_reached = int(pairs.sent[reached].max()) if reached.any() else None
    return _filled_in(facts, begin, (e_lo, e_hi), (first_beyond, last_reached), end)


def used_later_log(facts: Facts, evidence: Evidence) -> bool | None:
    """Whether the restore certainly holds log from after the disaster: its end lies beyond a position read later.

    None: readings that were to tell it are missing. Where none were planned, or a restore reports no end that could be
    held against them (a logical one has none), they have nothing to say: False.
    """
    if not planned(facts) or not _reports_end(facts):
        return False
    try:
        pairs, end = read(evidence, facts), end_position(facts, evidence)
    except UnmeasurableError:
        return None
    later = pairs.ok & (pairs.sent >= 0)
    if later.any() and end > int(pairs.position[later][0]):
        return True
    return False if later.any() and _whole(facts, evidence) else None


def _reports_end(facts: Facts) -> bool:
    return facts.report is not None and facts.report.values.get("restored_end_lsn") is not None


def _whole(facts: Facts, evidence: Evidence) -> bool:
    table, rows = evidence.positions, facts.rows.get(SAMPLES[0].rsplit("/", 1)[-1])
    return table is not None and table.closed and (rows is None or len(table) >= rows)


def end_position(facts: Facts, evidence: Evidence) -> int:
    """Up to where the restore replayed, as it reports itself. Raises where it does not, or restored another store."""
    values = {} if facts.report is None else facts.report.values
    end = values.get("restored_end_lsn")
    if not isinstance(end, int) or isinstance(end, bool):
        raise UnmeasurableError("no restore reports the log position at which it ended")
    wrote = None if evidence.positions is None else evidence.positions.meta.get("system_identifier")
    if not wrote or not values.get("system_identifier"):
        raise UnmeasurableError("it is not known whether the restored store is the one whose positions were read")
    if str(wrote) != str(values["system_identifier"]):
        raise UnmeasurableError("the wrong store was restored: its system identifier is another")
    return end


def _old(facts: Facts, pairs: Pairs) -> NDArray[np.bool_]:
    """Pairs of the store as it was: by its timeline, where it tells timelines, else by time.

    In a simulated disaster the store goes on, and what counts is what was answered before the declaration.
    """
    if facts.plan.simulated:
        return pairs.ok & (pairs.received <= 0)
    known = pairs.ok & (pairs.timeline > 0)
    if known.any():
        before = known & (pairs.received <= 0)
        mine = int(pairs.timeline[before][-1] if before.any() else pairs.timeline[known][0])
        return known & (pairs.timeline == mine)
    edge = None if facts.data_restored is None else facts.data_restored.lo
    return pairs.ok if edge is None else pairs.ok & (pairs.received < edge)


def _end_of_old(facts: Facts, begin: Start, pairs: Pairs, old: NDArray[np.bool_]) -> tuple[int, int | None]:
    """E: the end of what could be lost; the declaration, where the disaster is simulated."""
    if facts.plan.simulated:
        return begin.a, begin.b
    last = int(np.flatnonzero(old)[-1])
    below = old & (pairs.position < int(pairs.position[old].max()))
    e_lo = max(begin.a, int(pairs.sent[below].max())) if below.any() else begin.a
    failed = np.flatnonzero(~pairs.ok[last + 1 :])
    e_hi = max(begin.b, int(pairs.received[last + 1 + failed[0]])) if len(failed) else None
    return e_lo, e_hi


def _filled_in(
    facts: Facts,
    begin: Start,
    ends: tuple[int, int | None],
    edges: tuple[int | None, int | None],
    end: int,
) -> list[Measured]:
    (e_lo, e_hi), (beyond, reached) = ends, edges
    reason = _NO_END if e_hi is None else "" if reached is not None else _NO_PAIR
    terms = {"a": begin.a, "b": begin.b, "E_lo": e_lo, "E_hi": e_hi, "first_beyond": beyond, "last_reached": reached}

    def one(what: str, low: int | None, high: int | None) -> Measured:
        lo = 0 if low is None else max(0, low)
        hi = None if high is None else max(lo, high)
        cited = Cited(
            entries=facts.cite(Effect.INJECT, Effect.PROVE_EFFECT, Effect.RECOVER),
            samples=SAMPLES,
            formula=f"{what} {FORMULA}",
            filled_in=f"{what} = [{show(lo)}, {show(hi)}] s, the restored log ends at {end:X}",
            terms={name: None if at is None else at / NANOSECONDS for name, at in terms.items()}
            | {"end_position": end},
        )
        return Measured(seconds(lo, hi), reason=reason if hi is None else "", flags=(FLAG,), cited=cited)

    def less(value: int | None, other: int | None) -> int | None:
        return None if value is None or other is None else value - other

    return [
        one("RPA by position", less(e_lo, beyond), less(e_hi, reached)),
        one("RPA by position before t0", less(begin.a, beyond), less(begin.b, reached)),
        one("RPA by position after t0", e_lo - begin.b, less(e_hi, begin.a)),
    ]
