"""Production during a simulated disaster: it goes on, and must keep its service level to the end.

The end is that of the undo, which takes the copy away: restoring, reading and discarding it may all hurt production.
"""

from __future__ import annotations

from drillmark.measure.service.beats import Beats
from drillmark.measure.service.limits import Limits, holds_once
from drillmark.measure.service.load import Load
from drillmark.measure.timeline.facts import Facts
from drillmark.model.entry import Effect
from drillmark.model.measurement import Check, Cited

PHASE = "production"


def watched_until(facts: Facts) -> int | None:
    """Until when production counts, in ns since I; None: it was not watched to an end."""
    spans = (facts.undo_ended, facts.undo_begun, facts.soak_ended)
    end = next((span.lo for span in spans if span is not None), None)
    return end if end is None or end > 0 else None


def judge(facts: Facts, beats: Beats | None, load: Load | None, limits: Limits) -> Check:
    """Whether production kept its service level from the declaration to the end. None is unknown."""
    if not facts.plan.simulated or not facts.injected:
        return Check(None, "the disaster is not simulated, or was not declared", applicable=False)
    cited = Cited(
        entries=facts.cite(Effect.INJECT, Effect.SOAK, Effect.UNDO),
        samples=("samples/beats.dms", "samples/load.dms") if facts.plan.load else ("samples/beats.dms",),
    )
    end = watched_until(facts)
    if end is None:
        return Check(None, "production was not watched to the end", cited)
    if beats is None:
        return Check(None, "no beats of production were recorded", cited)
    settled, _ = beats.settled(end)
    kept = holds_once(settled, load, limits, 0, end)
    reasons = {
        True: "",
        False: "production missed its service level during the simulated disaster",
        None: "beats or load of production are missing during the simulated disaster",
    }
    return Check(kept, reasons[kept], cited)
