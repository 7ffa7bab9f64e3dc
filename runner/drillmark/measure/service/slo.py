"""The service level by phase: what was observed, beside what was promised. For reading and for judging.

Judged in baseline, hold and soak, and in `fault` where there is no recovery; in an outage that is to be recovered
it is reported only. Must never show a number for a window in which the load was not alive all through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.service import production, ranks
from drillmark.measure.service.beats import FOREVER, Beats
from drillmark.measure.service.limits import MET, MISSED, UNKNOWN, Limits, beats_hold, load_holds
from drillmark.measure.service.load import Load
from drillmark.measure.timeline.facts import Facts
from drillmark.model.entry import Effect
from drillmark.model.measurement import Cited, Indicator, PhaseSlo
from drillmark.model.stamp import NANOSECONDS, Interval

PERCENTILES = (50, 95, 99)
_NOTHING = Limits(None, {}, None, None, throughput_is_default=False, loaded=True)
_DEAD = "the load died, stalled, or sent nothing"
_UNSURE = "the clocks of the load's workers leave it open"


@dataclass(frozen=True, slots=True)
class Window:
    """A phase and when it was, in ns since I."""

    phase: str
    begin: int
    end: int
    judged: bool


def windows(facts: Facts, d_first: int | None, d_after_undo: int | None) -> list[Window]:
    """The phases of a run, as far as it came."""
    hold = round(facts.plan.phases.hold_seconds * NANOSECONDS)
    found: list[Window] = []
    if facts.baseline_begun is not None and facts.injected:
        found.append(Window("baseline", facts.baseline_begun.hi, 0, judged=True))
    if not facts.injected:
        return found
    if facts.plan.simulated:
        end = production.watched_until(facts)
        return found if end is None else [*found, Window(production.PHASE, 0, end, judged=True)]
    if facts.plan.recovers:
        begin, d, end = facts.soak_begun, d_first, facts.soak_ended
        if end is not None:
            found.append(Window("outage", 0, end.lo if d is None else d, judged=False))
    else:
        begin, d, end = facts.undo_ended, d_after_undo, facts.after_undo_ended
        if facts.undo_begun is not None:
            found.append(Window("fault", 0, facts.undo_begun.lo, judged=True))
    if end is None:
        return found
    if d is not None:
        return [
            *found,
            Window("hold", d, d + hold, judged=True),
            Window("soak", d, end.lo, judged=True),
        ]
    if begin is not None:
        found.append(Window("soak", begin.hi, end.lo, judged=True))
    return [window for window in found if window.end > window.begin]


def phase(facts: Facts, window: Window, beats: Beats | None, load: Load | None, limits: Limits) -> PhaseSlo:
    """One phase."""
    indicators: dict[str, Indicator] = {}
    bounds = (window.begin / NANOSECONDS, window.end / NANOSECONDS)
    result = PhaseSlo(window.phase, bounds, window.judged, indicators, cited=_cited(facts))
    if beats is not None:
        counted = _counted(beats, window)
        indicators["availability"] = _availability(counted, window, limits)
        result = _with_beats(result, counted, window)
    elif limits.availability is not None:
        indicators["availability"] = Indicator(
            "availability", "ratio", None, limits.availability, None, "no beats were recorded"
        )
    for indicator in _of_load(load, window, limits, baseline=window.phase == "baseline"):
        indicators[indicator.name] = indicator
    if load is not None:
        counts = load.counts(*_edges(window))
        result = replace(result, requests=int(counts.sent[0]), errors=int(counts.failed[0]))
    return result


def _counted(beats: Beats, window: Window) -> Beats:
    # What an edge of ours cut through, the fault's or the undo's, counts for neither side.
    if window.phase in ("baseline", "fault", production.PHASE):
        return beats.settled(window.end)[0]
    return beats.until(window.end)


def _edges(window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.array([window.begin]), np.array([window.end])


def _availability(beats: Beats, window: Window, limits: Limits) -> Indicator:
    inside = beats.first >= window.begin
    good, count = int(np.count_nonzero(beats.good[inside])), int(np.count_nonzero(inside))
    gaps = beats.gaps(window.begin, window.end)
    slots = max(count, round((window.end - window.begin) / beats.slot_ns)) if len(gaps) else count
    observed = Interval(good / slots, (good + slots - count) / slots) if slots else None
    if limits.availability is None:
        return Indicator("availability", "ratio", observed)
    answer = int(beats_hold(beats, limits, *_edges(window))[0])
    met = None if answer == UNKNOWN else answer == MET
    reason = "" if met else "missed" if met is False else "beats are absent"
    return Indicator("availability", "ratio", observed, limits.availability, met, reason)


def _with_beats(result: PhaseSlo, beats: Beats, window: Window) -> PhaseSlo:
    inside = beats.first >= window.begin
    good = int(np.count_nonzero(beats.good[inside]))
    latency = np.sort(np.where(beats.good, beats.latency, FOREVER)[inside])
    neutral = beats.present[beats.present >= window.begin]
    present = len(latency) + int(np.count_nonzero(~np.isin(neutral, beats.first)))
    slots = round((window.end - window.begin) / beats.slot_ns)
    p50, p95, p99 = (_rank(latency, share) for share in PERCENTILES)
    return replace(
        result,
        good_beats=good,
        bad_beats=len(latency) - good,
        absent_beats=max(0, slots - present),
        beat_p50_seconds=p50,
        beat_p95_seconds=p95,
        beat_p99_seconds=p99,
    )


def _rank(in_order: NDArray[np.int64], share: int) -> float | None:
    """The nearest-rank percentile in seconds; None where that one was never answered rightly."""
    if not len(in_order):
        return None
    value = int(in_order[ranks.nearest(share, len(in_order))])
    return None if value >= FOREVER else value / NANOSECONDS


def _of_load(load: Load | None, window: Window, limits: Limits, *, baseline: bool) -> list[Indicator]:
    wanted: list[tuple[str, str, float | None, Limits]] = []
    for share in PERCENTILES:
        limit = limits.latency_ns.get(share)
        only = replace(_NOTHING, latency_ns={} if limit is None else {share: limit})
        wanted.append((f"latency.p{share}", "seconds", None if limit is None else limit / NANOSECONDS, only))
    wanted.append(("error_rate", "ratio", limits.error_ratio, replace(_NOTHING, error_ratio=limits.error_ratio)))
    rate = None if baseline and limits.throughput_is_default else limits.throughput_per_second
    only = replace(_NOTHING, throughput_per_second=rate, throughput_off_per_second=limits.throughput_off_per_second)
    wanted.append(("throughput", "per_second", rate, only))
    if not limits.loaded:
        return [
            Indicator(name, unit, None, objective, None, "the drill has no load")
            for name, unit, objective, _ in wanted
            if objective is not None
        ]
    alive = load is not None and bool(load.lived(*_edges(window))[0])
    seen = _observed(load, window) if load is not None and alive else {}
    found: list[Indicator] = []
    for name, unit, objective, only in wanted:
        observed = seen.get(name)
        if objective is None:
            found.append(Indicator(name, unit, observed))
            continue
        answer = int(load_holds(load, only, *_edges(window))[0])
        met = None if answer == UNKNOWN else answer == MET
        why = "" if met else "missed" if met is False else _UNSURE if "error_rate" in seen else _DEAD
        if observed is not None and name.startswith("latency") and load is not None and load.error:
            observed = _narrowed(observed, objective, answer)
        found.append(Indicator(name, unit, observed, objective, met, why))
    return found


def _observed(load: Load, window: Window) -> dict[str, Interval]:
    """What was surely so. Where stamps may be off, that reaches from the best case to the worst: see `limits`."""
    sure, most = load.bounds(*_edges(window))
    length = window.end - window.begin
    done = [int(counts.completed[0]) * NANOSECONDS / length for counts in (sure, most)]
    found = {"throughput": Interval(done[0], done[1])}
    if not sure.sent[0]:
        return found
    (least, right), (failed, all_right) = (
        (int(counts.failed[0]), int(counts.sent[0] - counts.failed[0])) for counts in (sure, most)
    )
    found["error_rate"] = Interval(least / (least + all_right), failed / (failed + right))
    values = load.percentiles(window.begin, window.end, PERCENTILES)
    for share, (lo, hi) in zip(PERCENTILES, values, strict=True):
        found[f"latency.p{share}"] = Interval(lo / NANOSECONDS, None if hi is None else hi / NANOSECONDS)
    return found


def _narrowed(observed: Interval, objective: float, answer: int) -> Interval:
    """A percentile, of which is known whether it is within an objective: counts tell that more sharply than ranks."""
    if answer == MET and (observed.hi is None or observed.hi > objective):
        return Interval(observed.lo, objective)
    if answer == MISSED and observed.lo < objective:
        return Interval(objective, observed.hi)
    return observed


def _cited(facts: Facts) -> Cited:
    samples = ("samples/beats.dms", "samples/load.dms", "samples/load-users.dms")
    return Cited(
        entries=facts.cite(Effect.BASELINE, Effect.INJECT, Effect.SOAK, Effect.AFTER_UNDO),
        samples=samples if facts.plan.load else samples[:1],
        formula="availability = good / (good + bad); percentiles by nearest rank over all requests sent in the window",
    )
