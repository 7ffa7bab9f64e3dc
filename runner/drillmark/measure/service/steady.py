"""The steady state before the fault: whether the service level held over the baseline, and just before I.

A baseline in which something is missing is not a steady state: nothing may be injected on top of it.
"""

from __future__ import annotations

import numpy as np

from drillmark.measure.service.beats import IN_FLIGHT_TOLERATED, Beats
from drillmark.measure.service.limits import MET, UNKNOWN, Limits, holds_once, load_holds
from drillmark.measure.service.load import SILENCE_NS, Load
from drillmark.model.stamp import NANOSECONDS

# How far what is written may lag behind what happens while a run goes on.
_LAG_NS = NANOSECONDS


def judge(
    beats: Beats | None, load: Load | None, limits: Limits, *, begin_ns: int, end_ns: int, hold_ns: int
) -> tuple[bool | None, str]:
    """The steady state over [begin, end], and its reason where it is not met or not known.

    `beats` None: the drill has no probes, and the load alone tells.
    """
    if end_ns - begin_ns < hold_ns:
        return None, "the baseline is shorter than the hold window"
    if beats is not None:
        beats, in_flight = beats.settled(end_ns)
        if in_flight > IN_FLIGHT_TOLERATED:
            return False, f"{in_flight} beats were in flight when the baseline ended"
        if len(beats.gaps(begin_ns, end_ns)):
            return False, "beats are absent in the baseline"
    for begin, name in ((begin_ns, "the baseline"), (end_ns - hold_ns, "the last hold window before the fault")):
        held = _held(beats, load, limits, begin, end_ns)
        if held is None:
            clocks = "; or the clocks of its workers leave it open" if load is not None and load.error else ""
            return None, f"the load was not alive, or sent nothing, all through {name}{clocks}"
        if not held:
            return False, f"the service level is missed over {name}"
    return True, ""


def live_end(beats: Beats | None, load: Load | None, upto_ns: int) -> int | None:
    """Until when is known what a run that goes on shows now; None: it has been silent for too long."""
    end = upto_ns
    if beats is not None:
        if upto_ns - beats.newest > _LAG_NS + beats.slot_ns:
            return None
        end = min(end, beats.horizon + 1)
    if load is not None and len(load.alive):
        reported = int(load.alive[-1, 1])
        if upto_ns - reported > SILENCE_NS:
            return None
        end = min(end, reported)
    return end


def _held(beats: Beats | None, load: Load | None, limits: Limits, begin_ns: int, end_ns: int) -> bool | None:
    if beats is not None:
        return holds_once(beats, load, limits, begin_ns, end_ns)
    answer = int(load_holds(load, limits, np.array([begin_ns]), np.array([end_ns]))[0])
    return None if answer == UNKNOWN else answer == MET
