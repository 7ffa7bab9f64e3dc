"""The same questions while a run goes on, over what the files hold so far. Cheap enough for once a second.

These answers only decide how long to watch; what is measured in the end is measured anew over whole files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drillmark.errors import SampleFileError
from drillmark.measure import scene
from drillmark.measure.outage import after_undo as undone
from drillmark.measure.outage import ending, rta
from drillmark.measure.outage.ending import Ending
from drillmark.measure.scene import Scene
from drillmark.measure.service import steady
from drillmark.measure.service.beats import Beats
from drillmark.measure.service.limits import limits_of
from drillmark.measure.service.load import Load
from drillmark.measure.timeline import facts as facts_of
from drillmark.measure.timeline.frame import InapplicableError, UnmeasurableError
from drillmark.model.entry import Entry
from drillmark.model.evidence import Evidence
from drillmark.model.plan import Plan
from drillmark.model.stamp import Stamp


def steady_state(evidence: Evidence, upto_ns: int) -> tuple[bool | None, str]:
    """Whether the baseline so far is a steady state, up to `upto_ns` of this machine's monotonic clock.

    Returns:
        met: None is unknown; nothing may be injected then either. And the reason, empty where it is met.
    """
    plan = evidence.plan
    if plan.probes is None and plan.load is None:
        return True, "neither probes nor load: there is no steady state to look at"
    try:
        return _steady_state(scene.build(evidence, live=True), upto_ns)
    except (UnmeasurableError, SampleFileError) as why:
        return None, str(why)


def _steady_state(this: Scene, upto_ns: int) -> tuple[bool | None, str]:
    facts, plan = this.facts, this.evidence.plan
    if plan.probes is not None and this.beats is None:
        return None, this.beats_reason
    if facts.baseline_begun is None:
        return None, "no baseline has begun"
    upto = upto_ns - facts.frame.origin.monotonic_ns
    end = steady.live_end(this.beats, this.load, upto)
    if end is None:
        return False, "beats or load fell silent in the baseline"
    begin, hold = facts.baseline_begun.hi, rta.hold_ns(facts)
    limits = limits_of(plan, this.load, (begin, end))
    # What is written lags a little behind: as long a window as there is then must do.
    lag = upto - end
    return steady.judge(
        this.beats,
        this.load,
        limits,
        begin_ns=begin,
        end_ns=end,
        hold_ns=min(hold, max(1, end - begin, hold - lag)),
    )


def restored(evidence: Evidence) -> Stamp | None:
    """D as of the samples so far: service restored by the recovery, held for `hold` and to the newest sample."""
    return _looked(evidence, _restored)


def after_undo_restored(evidence: Evidence) -> Stamp | None:
    """The same after the undo, in a drill without a recovery."""
    return _looked(evidence, _after_undo_restored)


def _looked(evidence: Evidence, find: Callable[[Scene], Ending | None]) -> Stamp | None:
    try:
        this = scene.build(evidence, live=True)
        found = find(this)
    except (UnmeasurableError, InapplicableError, SampleFileError):
        return None
    return None if found is None or found.d is None else this.facts.frame.stamp(found.d[1])


def _restored(this: Scene) -> Ending | None:
    facts = this.facts
    if facts.plan.recovers and not facts.recovered:
        return None
    begin, served = rta.disaster(facts, this.beats), this.restored()
    end = _newest(served.beats, served.load)
    return ending.find(
        served.beats.until(end),
        served.load,
        served.limits,
        since_ns=0,
        floor_ns=rta.floor_of(facts, begin),
        end_ns=end,
        hold_ns=rta.hold_ns(facts),
    )


def _after_undo_restored(this: Scene) -> Ending | None:
    if this.beats is None:
        return None
    end = _newest(this.beats, this.load)
    _, found = undone.find(this.facts, this.beats, this.load, this.limits, end)
    return found


def detected(plan: Plan, entries: Sequence[Entry]) -> tuple[str, str, Stamp | None] | None:
    """Who noticed the disaster so far: (`alert` or `person`, its name, the person's stamp), or None."""
    try:
        facts = facts_of.gather(Evidence(plan, tuple(entries)))
    except UnmeasurableError:
        return None
    seen = facts.detection
    if seen.declared is not None:
        return "person", seen.declared_by, seen.declared_at
    return None if seen.hi is None else ("alert", seen.by, None)


def _newest(beats: Beats, load: Load | None) -> int:
    newest = min(beats.horizon + 1, int(beats.first[-1]) + 1)
    if load is not None and len(load.alive):
        newest = min(newest, int(load.alive[-1, 1]))
    return newest
