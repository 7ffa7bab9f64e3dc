"""When the disaster struck: t0 = [a, b], out of the beats around the fault and the proof of its effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drillmark.measure.service.beats import Beats
from drillmark.measure.timeline.frame import Span
from drillmark.model.stamp import NANOSECONDS


@dataclass(frozen=True, slots=True)
class Start:
    """t0 in ns since I, by which rule, and when users were first refused (None: never)."""

    a: int
    b: int
    rule: str
    first_refused: int | None


def find(beats: Beats | None, effect: Span, restore_start: Span | None) -> Start:
    """t0. Without beats it is [I, e].

    The beats must reach on to the end of what is measured. Beats in flight at I count for neither side.
    """
    whole = Start(0, effect.hi, "no outage before the effect was proved: t0 = [I, e]", None)
    if beats is None:
        return whole
    after = beats.first >= 0
    bad = np.flatnonzero(after & ~beats.good)
    refused = int(beats.first[bad[0]]) if len(bad) else None
    before = effect.hi if restore_start is None else min(effect.hi, restore_start.lo)
    if refused is None or refused >= before:
        return Start(whole.a, whole.b, whole.rule, refused)
    first_bad = int(bad[0])
    # An outage may hide in an absence: what was good after it says nothing of what was before.
    gaps = beats.gaps(0, refused)
    limit = min(refused, int(gaps[0, 0]) + 1 if len(gaps) else refused)
    good = np.flatnonzero(after & beats.good & beats.full & (beats.first < limit))
    a = int(beats.first[good[-1]]) if len(good) else 0
    # Good beats after it, or an absence in which there may have been some: the disaster may have come later.
    between = beats.good & (beats.first > refused) & (beats.first < effect.hi)
    if between.any() or len(beats.gaps(refused, effect.hi)):
        rule = f"the bad beat at {refused / NANOSECONDS:.3f} s may have been noise: b = e"
        return Start(a, effect.hi, rule, refused)
    # Its last probe may have been sent after the proof; the disaster came before that.
    b = min(int(beats.last[first_bad]), effect.hi)
    return Start(a, b, "the first bad beat came before the effect was proved", refused)
