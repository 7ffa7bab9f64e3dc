"""Durations beside RTA and RPA: detection, declaration, the restore's own parts, work recovery time."""

from __future__ import annotations

from drillmark.measure.outage.rta import Service
from drillmark.measure.outage.start import Start
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, Span, UnmeasurableError, seconds, show
from drillmark.model.entry import Effect
from drillmark.model.measurement import Cited, Measured
from drillmark.model.stamp import NANOSECONDS, Interval

SILENCE = "no qualifying alert came"


def check_order(facts: Facts, found: Service | None) -> None:
    """Raise UnmeasurableError where instants certainly stand in an order that cannot be."""
    begin = Span(0, 0)
    restored = None if found is None or found.d is None else Span(found.c, found.d)
    for earlier, later, names in (
        (begin, facts.restore_start, "the recovery began before the fault"),
        (facts.restore_start, facts.data_restored, "the data were restored before the recovery began"),
        (facts.data_restored, restored, "service was restored before the data"),
        (facts.data_restored, facts.verified, "the verification ended before the data were restored"),
        (begin, facts.declared, "the disaster was declared before the fault"),
        (begin, facts.detection.at, "the disaster was detected before the fault"),
        (
            facts.detection.at,
            facts.declared if facts.declared_by else None,
            "a person declared the disaster before it was detected",
        ),
        (begin, facts.effect, "the effect was proved before the fault"),
    ):
        if earlier is not None and later is not None and earlier.lo > later.hi:
            raise UnmeasurableError(f"stamps out of order: {names}")


def time_to_detect(facts: Facts, begin: Start, found: Service | None) -> Measured:
    """From the disaster to the first qualifying alert, or to a person's word where that came first.

    Silence is an answer too, while the fault lasted and somebody listened: longer than that.
    """
    check_order(facts, found)
    seen = facts.detection
    if seen.hi is None and seen.unknown:
        raise UnmeasurableError(seen.unknown)
    lo = _silent_until(facts, found) if seen.lo is None else seen.lo
    reason = "" if seen.hi is not None else SILENCE if seen.lo is None else seen.doubt
    left, right = max(0, lo - begin.b), None if seen.hi is None else max(0, seen.hi - begin.a)
    what = "t_detect" if seen.lo is not None else "nothing until"
    upper = "null" if seen.hi is None else f"{show(seen.hi)} - {show(begin.a)}"
    return Measured(
        seconds(left, right),
        reason,
        flags=(f"by {seen.by}",) if seen.by else (),
        cited=Cited(
            entries=tuple(sorted({*facts.cite(Effect.INJECT, Effect.PROVE_EFFECT, Effect.DETECT), *seen.entries})),
            samples=("samples/beats.dms",) if facts.plan.probes else (),
            formula=f"time to detect = [max(0, {what} - b), t_detect - a]",
            filled_in=f"time to detect = [max(0, {show(lo)} - {show(begin.b)}), {upper}] s",
            terms={
                "a": begin.a / NANOSECONDS,
                "b": begin.b / NANOSECONDS,
                what: {"lo": lo / NANOSECONDS, "hi": None if seen.hi is None else seen.hi / NANOSECONDS},
                "noted": len(seen.noted),
            },
        ),
    )


def _silent_until(facts: Facts, found: Service | None) -> int:
    """Until when an alert was to be expected: as long as the fault lasted for users, and somebody listened."""
    if facts.detection.listened_until is None:
        raise UnmeasurableError("nobody knows until when was listened for alerts")
    ends = [facts.detection.listened_until.lo]
    if facts.undo_begun is not None:
        ends.append(facts.undo_begun.lo)
    if found is not None and found.d is not None:
        ends.append(found.c)
    return min(ends)


def work_recovery(facts: Facts, found: Service) -> Measured:
    """WRT = max(0, t_verified - d)."""
    verified = _verified(facts)
    if found.d is None:
        raise UnmeasurableError(found.reason or "not restored")
    lo, hi = verified.lo - found.d, verified.hi - found.c
    return Measured(
        seconds(lo, max(0, hi)),
        cited=Cited(
            entries=facts.cite(Effect.VERIFY),
            samples=("samples/beats.dms",),
            formula="WRT = max(0, t_verified - d)",
            filled_in=f"WRT = [max(0, {show(verified.lo)} - {show(found.d)}), {show(verified.hi)} - {show(found.c)}] s",
            terms={"t_verified": verified.hi / NANOSECONDS, "c": found.c / NANOSECONDS, "d": found.d / NANOSECONDS},
        ),
    )


def downtime(facts: Facts, begin: Start, found: Service) -> Measured:
    """RTA + WRT: from the disaster until service is back and verified, whichever came last."""
    verified = _verified(facts) if facts.plan.verify else None
    flags = () if verified is not None else ("no verification in the drill",)
    lower = found.c if verified is None else max(found.c, verified.lo)
    lo = lower - begin.b
    if found.d is None:
        return Measured(seconds(lo, None), found.reason, flags, Cited(entries=facts.cite(Effect.VERIFY)))
    upper = found.d if verified is None else max(found.d, verified.hi)
    return Measured(
        seconds(lo, upper - begin.a),
        flags=flags,
        cited=Cited(
            entries=facts.cite(Effect.INJECT, Effect.PROVE_EFFECT, Effect.RECOVER, Effect.VERIFY),
            samples=("samples/beats.dms",),
            formula="RTA + WRT = [max(c, t_verified) - b, max(d, t_verified) - a]",
            filled_in=f"RTA + WRT = [{show(lower)} - {show(begin.b)}, {show(upper)} - {show(begin.a)}] s",
            terms={"lower": lower / NANOSECONDS, "upper": upper / NANOSECONDS},
        ),
    )


def from_declaration(facts: Facts, found: Service) -> Measured:
    """From the declaration of the disaster until service was restored."""
    if facts.declared is None:
        raise InapplicableError("no disaster was declared")
    if found.d is None:
        return Measured(seconds(found.c - facts.declared.hi, None), found.reason)
    return Measured(
        seconds(found.c - facts.declared.hi, max(0, found.d - facts.declared.lo)),
        flags=("unattended",) if facts.unattended else (),
        cited=Cited(
            entries=facts.cite(Effect.DETECT),
            samples=("samples/beats.dms",),
            formula="from declaration = [max(0, c - t_declare), d - t_declare]",
            filled_in=f"[{show(found.c)} - {show(facts.declared.hi)}, {show(found.d)} - {show(facts.declared.lo)}] s",
        ),
    )


def restore_part(facts: Facts, name: str) -> Measured:
    """How long `copy`, `replay` or `verify` took, as the restore tells them apart."""
    report = facts.report
    pair = None if report is None else {"copy": report.copy, "replay": report.replay, "verify": report.verify}[name]
    if report is None or pair is None:
        raise InapplicableError(f"the restore does not tell its {name} apart")
    took = (pair[1] - pair[0]) / NANOSECONDS
    return Measured(
        Interval(took, took),
        cited=Cited(
            entries=(report.entry,),
            formula=f"{name} = end - begin, as the restore reports them",
            filled_in=f"{name} = {show(pair[1])} - {show(pair[0])} s",
        ),
    )


def _verified(facts: Facts) -> Span:
    if not facts.plan.verify:
        raise InapplicableError("the drill has no verification")
    if facts.verified is None:
        raise UnmeasurableError("not verified")
    return facts.verified
