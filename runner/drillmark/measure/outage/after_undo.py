"""The time from the undo's end until service holds again, in drills without a recovery."""

from __future__ import annotations

from drillmark.measure.outage import ending
from drillmark.measure.outage.ending import Ending
from drillmark.measure.outage.rta import hold_ns
from drillmark.measure.service.beats import Beats
from drillmark.measure.service.limits import Limits
from drillmark.measure.service.load import Load
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, Span, UnmeasurableError, seconds, show
from drillmark.model.entry import Effect
from drillmark.model.measurement import Cited, Measured
from drillmark.model.stamp import NANOSECONDS

STILL_DOWN = "not restored after the undo"
MISSING = "beats or load are missing after the undo"
FORMULA = "after_undo = [max(0, c - undo's end), d - undo's end]"


def find(facts: Facts, beats: Beats, load: Load | None, limits: Limits, end_ns: int) -> tuple[Span, Ending]:
    """The undo's end and what was found after it. Raises where there is no undo to count from."""
    if facts.plan.recovers:
        raise InapplicableError("the drill has a recovery")
    if not facts.injected:
        raise UnmeasurableError(facts.not_injected)
    undone = facts.undo_ended
    if undone is None:
        raise UnmeasurableError("the undo did not end")
    found = ending.find(
        beats.until(end_ns),
        load,
        limits,
        since_ns=undone.lo,
        floor_ns=undone.hi,
        end_ns=end_ns,
        hold_ns=hold_ns(facts),
    )
    return undone, found


def measured(facts: Facts, beats: Beats, load: Load | None, limits: Limits) -> Measured:
    """The duration. Without a d by the end of the soak it has no upper bound, and the reason says why."""
    end = facts.after_undo_ended
    if not facts.plan.recovers and facts.injected and end is None:
        raise UnmeasurableError("service was not watched to an end after the undo")
    undone, found = find(facts, beats, load, limits, 0 if end is None else end.lo)
    c = found.c if found.c is not None else undone.lo
    lo = max(0, c - undone.hi)
    hi = None if found.d is None else found.d[1] - undone.lo
    right = "null" if found.d is None else f"{show(found.d[1])} - {show(undone.lo)}"
    reason = "" if found.d is not None else MISSING if found.missing else STILL_DOWN
    return Measured(
        seconds(lo, hi),
        reason=reason,
        cited=Cited(
            entries=facts.cite(Effect.UNDO, Effect.AFTER_UNDO),
            samples=("samples/beats.dms",),
            formula=FORMULA,
            filled_in=f"after_undo = [max(0, {show(c)} - {show(undone.hi)}), {right}] = [{show(lo)}, {show(hi)}] s",
            terms={
                "undo_end": undone.hi / NANOSECONDS,
                "c": c / NANOSECONDS,
                "d": None if found.d is None else found.d[1] / NANOSECONDS,
            },
        ),
    )
