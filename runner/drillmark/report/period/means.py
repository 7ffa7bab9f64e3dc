"""MTTD, MTTR and MTBF over the runs of a period, as intervals, each with its definition. Pure.

They are means over rehearsals, not over what befell production: Drillmark sees no real incident. A run whose number is
not known is left out and counted, so that nobody reads the mean as one over all runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drillmark.model.stamp import Interval
from drillmark.report import clauses

Document = dict[str, Any]

DEFINITIONS = {
    "mttd": "Mean time to detect: from the disaster to the first alert or person that noticed it, over the runs in "
    "which that was measured.",
    "mttr": "Mean time to recover: the mean RTA (from the disaster until users were served again), over the runs "
    "in which it was measured. Simulated disasters are left out, as no service was lost in them.",
    "mtbf": "Mean time between failed drills: the time from the first run that is on record (at the earliest the begin "
    "of the period) to its end, divided by the number of runs that failed. A run that ended unknown may have failed, "
    "so it makes the lower bound. It is a figure of rehearsals: real incidents are not known here.",
}


@dataclass(frozen=True, slots=True)
class Mean:
    """One of them.

    Attributes:
        seconds: the interval that contains it; None: there is nothing to take a mean of.
        counted: over how many runs.
        of: how many runs could have had it.
        reason: why there is none, or no upper bound; empty where all is well.
    """

    seconds: Interval | None
    counted: int
    of: int
    reason: str = ""


def mttd(documents: Sequence[Document], lost: int = 0) -> Mean:
    """Over the drills in which detection was measured. `lost`: how many runs have no result at all."""
    found = [document["durations"].get("time_to_detect") for document in _drills(documents)]
    return _mean([clauses.span(one["seconds"]) if one else None for one in found], "time to detect", lost)


def mttr(documents: Sequence[Document], lost: int = 0) -> Mean:
    """Over the drills in which a fault was injected. `lost`: how many runs have no result at all."""
    real = [document for document in _drills(documents) if not clauses.simulated(document)]
    return _mean([clauses.span(document["rto"]["observed_seconds"]) for document in real], "recovery time", lost)


def mtbf(documents: Sequence[Document], lost: int, seconds: float) -> Mean:
    """`seconds`: the time that is looked at. Refused runs touched nothing and say nothing."""
    ran = [document for document in documents if not document["refused"]]
    failed = sum(document["verdict"] == "failed" for document in ran)
    doubtful = lost + sum(document["verdict"] not in ("passed", "failed") for document in ran)
    total = len(ran) + lost
    if not total:
        return Mean(None, 0, 0, "no drill was run")
    if not failed and not doubtful:
        return Mean(Interval(seconds, None), total, total, "no drill failed")
    known = Interval(seconds / (failed + doubtful), seconds / failed if failed else None)
    return Mean(known, total - doubtful, total, "" if failed else "no drill is known to have failed")


def _drills(documents: Sequence[Document]) -> list[Document]:
    """What injected something into a target that is watched."""
    return [one for one in documents if one["mode"] != "experiment" and clauses.injected(one)]


def _mean(found: list[Interval | None], what: str, lost: int) -> Mean:
    known, total = [one for one in found if one is not None], len(found) + lost
    if not known:
        return Mean(None, 0, total, f"no run has a {what}")
    lo = sum(one.lo for one in known) / len(known)
    bounded = [one.hi for one in known if one.hi is not None]
    if len(bounded) < len(known):
        open_ended = len(known) - len(bounded)
        return Mean(Interval(lo, None), len(known), total, f"{open_ended} of them without an upper bound")
    return Mean(Interval(lo, sum(bounded) / len(known)), len(known), total)
