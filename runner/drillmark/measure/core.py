"""All measurements of a run, each on its own: one that cannot be made is unknown and stops no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from drillmark.measure import scene
from drillmark.measure.data import counting, positions, rpa, source, writers
from drillmark.measure.outage import after_undo, durations, rta
from drillmark.measure.outage.rta import Service
from drillmark.measure.outage.start import Start
from drillmark.measure.scene import Scene
from drillmark.measure.service import production, slo, steady
from drillmark.measure.timeline.frame import InapplicableError, Span, UnmeasurableError
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence, Written
from drillmark.model.measurement import Check, Cited, Measured, Measurements, PhaseSlo, Writer
from drillmark.model.planned import PlannedMarkers

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """What measuring one thing came to."""

    value: T | None
    reason: str = ""
    applicable: bool = True

    def require(self) -> T:
        """The value; raises as measuring it did."""
        if self.value is None:
            raise (UnmeasurableError if self.applicable else InapplicableError)(self.reason)
        return self.value


def measure(evidence: Evidence) -> Measurements:
    """Everything that a run says in numbers. Never raises: what cannot be measured is unknown, and says why."""
    errors: list[str] = []
    made = _attempt("journal", lambda: scene.build(evidence, live=False), errors)
    if made.value is None:
        unknown = Measured(None, made.reason)
        return Measurements(
            None,
            durations=dict.fromkeys(("rta", "rpa"), unknown),
            steady_state=Check(None, made.reason),
            errors=tuple(errors),
        )
    return _measure(made.value, [*errors, *made.value.errors])


def _measure(this: Scene, errors: list[str]) -> Measurements:
    facts = this.facts
    begin = _attempt("t0", lambda: rta.disaster(facts, this.beats), errors)
    found = _attempt("service", lambda: _restored(this, begin), errors)
    after = _attempt("after_undo", lambda: _after_undo(this), errors)
    written = tuple(_writer(this, begin.value, one, errors) for one in this.evidence.plan.markers)
    counted = writers.together(written)
    measured = {name: _one(name, make, errors) for name, make in _makers(this, begin, found).items()}
    measured |= _points(this, begin.value, written, errors)
    return Measurements(
        fault_begin=facts.frame.origin if facts.injected else None,
        stamps=_stamps(this, begin.value, found.value),
        durations=measured,
        slo=_slo(this, found.value, after.value, errors),
        detection=facts.detection.told(),
        writes=counted,
        writers=written,
        steady_state=_attempt("steady_state", lambda: _steady(this), errors).value
        or Check(None, "the steady state could not be measured"),
        production=_attempt(
            "production", lambda: production.judge(facts, this.beats, this.load, this.limits), errors
        ).value
        or Check(None, "production could not be measured"),
        source=_attempt("source", lambda: source.judge(facts, this.evidence), errors).value
        or Check(None, "what was restored from could not be looked at"),
        flags=tuple(dict.fromkeys(facts.flags)),
        errors=tuple(errors),
    )


def _restored(this: Scene, begin: Attempt[Start]) -> Service:
    served = this.restored()
    return rta.service(this.facts, served.beats, served.load, served.limits, begin.require())


def _attempt(name: str, make: Callable[[], T], errors: list[str]) -> Attempt[T]:
    try:
        return Attempt(make())
    except InapplicableError as why:
        return Attempt(None, str(why), applicable=False)
    except UnmeasurableError as why:
        return Attempt(None, str(why))
    except Exception as error:  # noqa: BLE001 (a measuring part that raises makes its measurement unknown)
        errors.append(f"{name}: {error!r}")
        return Attempt(None, f"measuring {name} failed: {error!r}")


def _one(name: str, make: Callable[[], Measured], errors: list[str]) -> Measured:
    made = _attempt(name, make, errors)
    return made.value or Measured(None, made.reason, applicable=made.applicable)


def _makers(this: Scene, begin: Attempt[Start], found: Attempt[Service]) -> dict[str, Callable[[], Measured]]:
    facts = this.facts

    def recovery_time() -> Measured:
        durations.check_order(facts, found.value)
        start = begin.require()
        if facts.plan.simulated:
            return rta.measured(facts, start, found.require())
        unseen = rta.unseen(facts, this.require_beats(), this.load, this.limits)
        return unseen or rta.measured(facts, start, found.require())

    def detection_time() -> Measured:
        if not facts.plan.detects and facts.detection.hi is None:
            raise InapplicableError("no alerts are observed")
        return durations.time_to_detect(facts, begin.require(), found.value)

    return {
        "rta": recovery_time,
        "time_to_detect": detection_time,
        "wrt": lambda: durations.work_recovery(facts, found.require()),
        "rta_and_wrt": lambda: durations.downtime(facts, begin.require(), found.require()),
        "after_undo": lambda: after_undo.measured(facts, this.require_beats(), this.load, this.limits),
        "from_declaration": lambda: durations.from_declaration(facts, found.require()),
        "restore_copy": lambda: durations.restore_part(facts, "copy"),
        "restore_replay": lambda: durations.restore_part(facts, "replay"),
        "restore_verify": lambda: durations.restore_part(facts, "verify"),
    }


def _writer(this: Scene, begin: Start | None, planned: PlannedMarkers, errors: list[str]) -> Writer:
    facts, written = this.facts, this.evidence.written.get(planned.name, Written())
    counted = _attempt(f"writes ({planned.label})", lambda: counting.count(facts, planned, written), errors)

    def points() -> dict[str, Measured]:
        writes, sets = counted.require()
        durations.check_order(facts, None)
        return dict(zip(writers.PARTS, rpa.measured(facts, begin, writes, sets), strict=True))

    made = _attempt(f"rpa ({planned.label})", points, errors)
    missing = dict.fromkeys(writers.PARTS, Measured(None, made.reason, applicable=made.applicable))
    return Writer(planned.label, planned.store, counted.value and counted.value[0], made.value or missing)


def _points(this: Scene, begin: Start | None, written: tuple[Writer, ...], errors: list[str]) -> dict[str, Measured]:
    """The data loss: by markers where there are any, else by position, which stands beside it in any case."""

    def by_position() -> dict[str, Measured]:
        durations.check_order(this.facts, None)
        return dict(zip(writers.PARTS, positions.measured(this.facts, begin, this.evidence), strict=True))

    def points() -> dict[str, Measured]:
        alone = not this.evidence.plan.markers and positions.planned(this.facts)
        return by_position() if alone else writers.points(this.evidence.plan, written)

    made = _attempt("rpa", points, errors)
    missing = Measured(None, made.reason, applicable=made.applicable)
    beside = _one("rpa_by_position", lambda: by_position()["rpa"], errors)
    return (made.value or dict.fromkeys(writers.PARTS, missing)) | {"rpa_by_position": beside}


def _after_undo(this: Scene) -> int:
    end = this.facts.after_undo_ended
    if end is None:
        raise UnmeasurableError("service was not watched to an end after the undo")
    _, found = after_undo.find(this.facts, this.require_beats(), this.load, this.limits, end.lo)
    if found.d is None:
        raise UnmeasurableError(after_undo.STILL_DOWN)
    return found.d[0]


def _slo(this: Scene, found: Service | None, after: int | None, errors: list[str]) -> dict[str, PhaseSlo]:
    result: dict[str, PhaseSlo] = {}
    for window in slo.windows(this.facts, None if found is None else found.d_first, after):
        made = _attempt(
            f"slo in {window.phase}",
            lambda window=window: slo.phase(this.facts, window, this.beats, this.load, this.limits),
            errors,
        )
        if made.value is not None:
            result[window.phase] = made.value
    return result


def _steady(this: Scene) -> Check:
    facts, plan = this.facts, this.evidence.plan
    if plan.probes is None and plan.load is None:
        return Check(None, "neither probes nor load", applicable=False)
    if not facts.injected:
        return Check(None, facts.not_injected)
    beats = None if plan.probes is None else this.require_beats()
    if facts.baseline_begun is None:
        return Check(None, "no baseline was watched")
    met, reason = steady.judge(
        beats, this.load, this.limits, begin_ns=facts.baseline_begun.hi, end_ns=0, hold_ns=rta.hold_ns(facts)
    )
    cited = Cited(entries=facts.cite(Effect.BASELINE, Effect.INJECT), samples=("samples/beats.dms",))
    return Check(met, reason, cited)


def _stamps(this: Scene, begin: Start | None, found: Service | None) -> dict[str, dict[str, float] | None]:
    facts = this.facts
    spans: dict[str, Span | None] = {
        "I": Span(0, 0) if facts.injected else None,
        "e": None if facts.plan.simulated else facts.effect,
        "t0": None if begin is None else Span(begin.a, begin.b),
        "t_detect": facts.detection.at,
        "t_declare": facts.declared,
        "t_restore_start": facts.restore_start,
        "t_data_restored": facts.data_restored,
        "t_verified": facts.verified,
        "t_service_restored": None if found is None or found.d is None else Span(found.c, found.d),
        "first_refused": None
        if begin is None or begin.first_refused is None
        else Span(begin.first_refused, begin.first_refused),
        "undo_begin": facts.undo_begun,
        "undo_end": facts.undo_ended,
        "soak_end": facts.soak_ended if facts.plan.recovers else facts.after_undo_ended,
    }
    return {name: None if span is None else span.as_json() for name, span in spans.items()}
