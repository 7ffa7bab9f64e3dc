"""RTA, the recovery time actual: RTA = [max(0, c - b), d - a], and what makes it unknown.

Must never begin at the moment a command was issued, stop at the objective, or end before everything that the
recovery still had to do was done.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from drillmark.measure.outage import ending, start
from drillmark.measure.outage.ending import Ending
from drillmark.measure.outage.start import Start
from drillmark.measure.service.beats import Beats
from drillmark.measure.service.limits import Limits, holds_once
from drillmark.measure.service.load import Load
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, Span, UnmeasurableError, seconds, show
from drillmark.model.entry import Effect
from drillmark.model.measurement import Cited, Measured
from drillmark.model.stamp import NANOSECONDS
from drillmark.model.undo_words import undo_words

FORMULA = "RTA = [max(0, c - b), d - a]"
ENDED_BY_UNDO = "ended by undo"
UNDO_WITHIN_HOLD = "undo within hold"
UNDONE_EARLY = "undone before restored"
NOT_RESTORED = "not restored"
NOT_PROVED = "fault not proved"


@dataclass(frozen=True, slots=True)
class Service:
    """When service was there again, in ns since I: d in [c, d]; `d_first` is the first send of that beat.

    None where it was not restored, with the reason.
    """

    c: int
    d: int | None
    d_first: int | None
    reason: str


def hold_ns(facts: Facts) -> int:
    """The length of the window that proves "restored"."""
    return round(facts.plan.phases.hold_seconds * NANOSECONDS)


def require_fault(facts: Facts) -> Span:
    """E. Raises where there is none."""
    if facts.plan.fault is None and not facts.plan.simulated:
        raise InapplicableError("the drill has no fault")
    if not facts.injected:
        raise UnmeasurableError(facts.not_injected)
    if facts.effect is None:
        raise UnmeasurableError(NOT_PROVED)
    return facts.effect


def disaster(facts: Facts, beats: Beats | None) -> Start:
    """t0. Raises UnmeasurableError where the fault is not proved."""
    effect = require_fault(facts)
    if facts.plan.simulated:
        return Start(0, 0, "the disaster is simulated: t0 = I, its declaration", None)
    if beats is not None and facts.undo_begun is not None:
        beats, _ = beats.settled(facts.undo_begun.lo)  # what the undo does to users is another matter
    return start.find(beats, effect, facts.restore_start)


def service(facts: Facts, beats: Beats, load: Load | None, limits: Limits, begin: Start) -> Service:
    """When service was restored. Raises where that is unknown or does not apply."""
    if facts.plan.recovers:
        return _recovered(facts, beats, load, limits, begin)
    return _unaided(facts, beats, load, limits, begin)


def floor_of(facts: Facts, begin: Start) -> int:
    """Before this, no beat is the first of the restored service."""
    edges = [begin.b]
    if facts.data_restored is not None:
        edges.append(facts.data_restored.hi)
    if facts.last_recover_ended is not None:
        edges.append(facts.last_recover_ended.hi)
    return max(edges)


def lower_edges(facts: Facts) -> list[int]:
    """Until these, the recovery certainly had not ended."""
    spans = (facts.data_restored, facts.last_recover_begun)
    return [span.lo for span in spans if span is not None]


def _recovered(facts: Facts, beats: Beats, load: Load | None, limits: Limits, begin: Start) -> Service:
    end, why = _end_of_watch(facts, beats)
    found = ending.find(
        beats.until(end), load, limits, since_ns=0, floor_ns=floor_of(facts, begin), end_ns=end, hold_ns=hold_ns(facts)
    )
    if facts.undo_begun is not None and facts.undo_by:
        done = None if found.d is None else found.d[0] + hold_ns(facts)
        if done is None or facts.undo_begun.lo < done:
            raise UnmeasurableError(f"{UNDONE_EARLY}, by {facts.undo_by}")
    if not facts.recovered and not why:
        why = "the recovery did not end"
    return _judged(facts, found, why, lower_edges(facts))


def _end_of_watch(facts: Facts, beats: Beats) -> tuple[int, str]:
    """Until when the restored service was watched, and why that does not prove anything (or empty)."""
    if facts.soak_ended is not None:
        return facts.soak_ended.lo, ""
    if facts.undo_begun is not None:
        done = undo_words(simulated=facts.plan.simulated).done
        return facts.undo_begun.lo, f"{done} before service was watched"
    return int(beats.first[-1]) + 1 if len(beats) else 0, "the soak did not end"


def _judged(facts: Facts, found: Ending, why: str, edges: list[int]) -> Service:
    """What an ending means once verification and the order of things are taken into account."""
    c = max([edge for edge in (found.c, *edges) if edge is not None], default=0)
    failed = facts.failed_verification
    if failed is not None and found.d is not None:
        # A start that verification voids is refuted too.
        return Service(max(c, found.d[0]), None, None, f"{NOT_RESTORED}: a verification failed")
    if found.d is None or why:
        missing = "; beats or load are missing" if found.missing and found.d is None else ""
        return Service(c, None, None, (why or NOT_RESTORED) + missing)
    return Service(c, found.d[1], found.d[0], "")


def _unaided(facts: Facts, beats: Beats, load: Load | None, limits: Limits, begin: Start) -> Service:
    undo = facts.undo_begun
    if undo is None:
        raise UnmeasurableError("the fault was never undone")
    settled, _ = beats.settled(undo.lo)
    hold = hold_ns(facts)
    found = ending.find(
        settled, load, limits, since_ns=0, floor_ns=floor_of(facts, begin), end_ns=undo.lo, hold_ns=hold
    )
    if found.d is None:
        if facts.undo_by:
            raise UnmeasurableError(f"{UNDONE_EARLY}, by {facts.undo_by}")
        # Beats that were still unanswered when the undo began are no absence.
        if ending.missing(beats.until(undo.lo), load, limits, floor_of(facts, begin), undo.lo):
            raise UnmeasurableError("beats or load are missing between the fault and the undo")
        if found.down_at_end:
            raise InapplicableError(ENDED_BY_UNDO)
        raise UnmeasurableError(UNDO_WITHIN_HOLD)
    return _judged(facts, found, "", [])


def unseen(facts: Facts, beats: Beats, load: Load | None, limits: Limits) -> Measured | None:
    """RTA where users saw nothing: no recovery, no bad beat, and the service level kept from I to the undo."""
    undo = facts.undo_begun
    if facts.plan.recovers or undo is None:
        return None
    settled, _ = beats.settled(undo.lo)
    after = settled.first >= 0
    if (~settled.good[after]).any():
        return None
    if len(settled.gaps(0, undo.lo)):
        raise UnmeasurableError("no bad beat was seen, but beats are absent after the fault")
    if undo.lo < hold_ns(facts):
        raise UnmeasurableError(UNDO_WITHIN_HOLD)
    kept = holds_once(settled, load, limits, 0, undo.lo)
    if kept is None:
        raise UnmeasurableError("no bad beat was seen, but the load is not known to have kept the service level")
    if not kept:
        return None
    sends = [0, *(int(at) for at in settled.present[settled.present >= 0]), undo.lo]
    largest = max(later - earlier for earlier, later in itertools.pairwise(sends))
    return Measured(
        seconds(0, largest + beats.timeout_ns),
        flags=("users saw nothing",),
        cited=Cited(
            entries=facts.cite(Effect.INJECT, Effect.PROVE_EFFECT, Effect.UNDO),
            samples=("samples/beats.dms",),
            formula="users saw nothing: RTA = [0, largest gap between beats + timeout]",
            filled_in=f"RTA = [0, {show(largest)} + {show(beats.timeout_ns)}] s",
            terms={"largest_gap": largest / NANOSECONDS, "timeout": beats.timeout_ns / NANOSECONDS},
        ),
    )


def _samples(facts: Facts) -> tuple[str, ...]:
    if facts.plan.simulated:
        return ("samples/side.dms",)
    return ("samples/beats.dms", "samples/load.dms") if facts.plan.load else ("samples/beats.dms",)


def measured(facts: Facts, begin: Start, found: Service) -> Measured:
    """RTA out of its four terms."""
    lo = max(0, found.c - begin.b)
    hi = None if found.d is None else found.d - begin.a
    flags: list[str] = []
    if facts.effect_flagged:
        flags.append("effect not probed")
    if facts.data_restored_flagged:
        flags.append("restored by outcome")
    if facts.plan.simulated:
        flags.append("of a copy restored to the side")
    away = sum(max(0, min(span.hi, found.c) - max(span.lo, begin.b)) for span in facts.away)
    terms = {"a": begin.a, "b": begin.b, "c": found.c, "d": found.d}
    right = "null" if found.d is None else f"{show(found.d)} - {show(begin.a)}"
    return Measured(
        seconds(lo, hi),
        reason=found.reason,
        flags=tuple(flags),
        cited=Cited(
            entries=facts.cite(
                Effect.INJECT, Effect.PROVE_EFFECT, Effect.RECOVER, Effect.VERIFY, Effect.SOAK, Effect.UNDO
            ),
            samples=_samples(facts),
            formula=FORMULA,
            filled_in=f"RTA = [max(0, {show(found.c)} - {show(begin.b)}), {right}] = [{show(lo)}, {show(hi)}] s",
            terms={name: None if at is None else at / NANOSECONDS for name, at in terms.items()}
            | {"start": begin.rule},
        ),
        away_seconds=min(away, lo) / NANOSECONDS,
    )
