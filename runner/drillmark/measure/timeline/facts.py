"""What the journal says that measuring needs: when the fault came, the recovery, the undo, and who was away.

Reads entries only. Whatever is not there is None: nothing is assumed in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from drillmark.measure.timeline import detection, history
from drillmark.measure.timeline.detection import Detection
from drillmark.measure.timeline.frame import Frame, Span, UnmeasurableError
from drillmark.measure.timeline.history import History, Ran
from drillmark.measure.timeline.report import RestoreReport, restore_report
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.evidence import Evidence
from drillmark.model.plan import Plan
from drillmark.model.stamp import NANOSECONDS, Stamp


@dataclass(slots=True)
class Facts:
    """Instants on the run's axis (see `Frame`), and what goes with them.

    Attributes:
        effect: e; None: the fault was not proved.
        data_restored: t_data_restored; `data_restored_flagged`: no method stamped it.
        last_recover_begun, last_recover_ended: of the activity that ended last in the order of the plan.
        declared, declared_by: t_declare, and the person who did it; empty: nobody, the run declared it by itself.
        detection: what alerts and people told.
        recovered: every planned recovery activity ended, however.
        failed_verification: where the first verification that failed began.
        undo_by: who undid the fault before its time (`guard`, `person`, ...); empty: the run itself, as planned.
        away: when no runner was there.
        markers_died: names of marker writers that ended before they were told to.
        source_sha256: of the listing of what was in the backup store at a simulated disaster.
        rows: sample file -> rows, as journalled when it was closed.
    """

    plan: Plan
    history: History
    frame: Frame
    injected: bool
    effect: Span | None = None
    effect_flagged: bool = False
    baseline_begun: Span | None = None
    declared: Span | None = None
    declared_by: str = ""
    detection: Detection = field(default_factory=Detection)
    unattended: bool = False
    recoveries: list[Ran] = field(default_factory=list[Ran])
    recovered: bool = False
    restore_start: Span | None = None
    data_restored: Span | None = None
    data_restored_flagged: bool = False
    last_recover_begun: Span | None = None
    last_recover_ended: Span | None = None
    report: RestoreReport | None = None
    verifications: list[Ran] = field(default_factory=list[Ran])
    verified: Span | None = None
    failed_verification: Span | None = None
    soak_begun: Span | None = None
    soak_ended: Span | None = None
    undo_begun: Span | None = None
    undo_ended: Span | None = None
    undo_by: str = ""
    after_undo_ended: Span | None = None
    read_back_begun: Span | None = None
    read_back: Ran = field(default_factory=lambda: Ran(Effect.READ_BACK, ""))
    away: list[Span] = field(default_factory=list[Span])
    load_ended: list[Span] = field(default_factory=list[Span])
    markers_died: set[str] = field(default_factory=set[str])
    source_sha256: str = ""
    rows: dict[str, int] = field(default_factory=dict[str, int])
    flags: list[str] = field(default_factory=list[str])

    @property
    def not_injected(self) -> str:
        """The reason of whatever is not known because the run ended before its I."""
        return "disaster not declared" if self.plan.simulated else "fault not injected"

    def cite(self, *effects: Effect) -> tuple[int, ...]:
        """Sequence numbers of the entries of these effects."""
        found = [ran for effect in effects for ran in self.history.all(effect)]
        return tuple(sorted(number for ran in found for number in ran.sequences))


def gather(evidence: Evidence) -> Facts:
    """The facts of a run, finished or not. Raises UnmeasurableError where no entry gives a clock."""
    told = history.read(evidence.entries)
    if not told.entries:
        raise UnmeasurableError("the journal is empty")
    inject = told.one(Effect.INJECT)
    frame = Frame(inject.begun or told.entries[0].stamp, _clock_error_ns(told))
    nothing_began = bool(inject.data.get("nothing_began") or inject.data.get("gate_failed"))
    facts = Facts(evidence.plan, told, frame, injected=inject.begun is not None and not nothing_began)
    _baseline(facts)
    _effect(facts, inject)
    facts.detection = detection.read(evidence.plan, told, frame)
    _declaration(facts)
    _simulated(facts, inject)
    _recovery(facts)
    _verification(facts)
    _undo(facts)
    facts.soak_begun = _span(frame, told.one(Effect.SOAK).begun)
    facts.soak_ended = _span(frame, _journalled(told.one(Effect.SOAK)))
    facts.after_undo_ended = _span(frame, _journalled(told.one(Effect.AFTER_UNDO)))
    facts.read_back = told.one(Effect.READ_BACK)
    facts.read_back_begun = _span(frame, facts.read_back.begun)
    facts.away = _away(frame, told.entries)
    died = [*told.events("load_died"), *told.events("load_stalled"), *told.events("load_worker_died")]
    facts.load_ended = [frame.span(entry.stamp) for entry in died]
    facts.markers_died = {str(entry.data.get("writer", "")) for entry in told.events("markers_died")}
    for entry in told.events("samples_closed"):
        name = str(entry.data.get("file", "")).rsplit("/", 1)[-1]
        facts.rows[name] = int(entry.data.get("rows") or 0)
    if facts.away:
        facts.flags.append("resumed")
    return facts


def _clock_error_ns(told: History) -> int | None:
    stated = [entry.data.get("clock_error_seconds") for entry in told.of(Kind.RUN_STARTED)]
    numbers = [value for value in stated if isinstance(value, int | float) and not isinstance(value, bool)]
    return round(abs(numbers[0]) * NANOSECONDS) if numbers else None


def _span(frame: Frame, stamp: Stamp | None) -> Span | None:
    return None if stamp is None else frame.span(stamp)


def _journalled(ran: Ran) -> Stamp | None:
    # The end of a phase of watching. An attempt that was cut short has not ended.
    outcome = ran.outcome
    return None if outcome is None or ran.status == Status.INDETERMINATE else outcome.stamp


def _baseline(facts: Facts) -> None:
    intents = facts.history.one(Effect.BASELINE).intents
    # Begun anew after a crash: what was seen before it is kept, not judged.
    facts.baseline_begun = facts.frame.span(intents[-1].stamp) if intents else None


def _effect(facts: Facts, inject: Ran) -> None:
    proof = facts.history.one(Effect.PROVE_EFFECT)
    if proof.status == Status.SUCCEEDED:
        facts.effect = _span(facts.frame, proof.ended)
    elif proof.status == Status.SKIPPED:
        # No probe tells: the last action's own end stands in, and readers are told.
        facts.effect = _span(facts.frame, history.stamp_in(proof.data.get("ended")) or inject.ended)
        facts.effect_flagged = True
        facts.flags.append("effect not probed")


def _declaration(facts: Facts) -> None:
    detect = facts.history.one(Effect.DETECT)
    facts.declared = _span(facts.frame, history.stamp_in(detect.data.get("declared_at")))
    person = facts.detection.declared
    if detect.data.get("by") == "person" or (facts.declared is None and person is not None):
        facts.declared = facts.declared if person is None else person
        facts.declared_by = facts.detection.declared_by
    elif facts.declared is not None:
        facts.unattended = True
        facts.flags.append("unattended")


def _simulated(facts: Facts, inject: Ran) -> None:
    """A simulated disaster is its declaration: nothing had to take effect, and nobody had to notice it.

    That it was to be one is told also where it did not come to that: nobody who reads the result must look for a fault.
    """
    if facts.plan.simulated:
        facts.flags.append("simulated disaster")
    if facts.plan.simulated and facts.injected:
        facts.effect = facts.declared = Span(0, 0)
        facts.unattended = True
        facts.flags.append("unattended")
        source = inject.intents[-1].data.get("source") if inject.intents else None
        facts.source_sha256 = str(source.get("sha256", "")) if isinstance(source, dict) else ""


def _recovery(facts: Facts) -> None:
    told, frame = facts.history, facts.frame
    facts.recoveries = told.all(Effect.RECOVER)
    begun = [ran.begun for ran in facts.recoveries if ran.begun is not None]
    if not begun:
        return
    facts.restore_start = frame.span(begun[0])
    facts.recovered = len(facts.recoveries) >= len(facts.plan.recover) and all(
        ran.outcome is not None and ran.status != Status.INDETERMINATE for ran in facts.recoveries
    )
    last = facts.recoveries[-1]
    facts.last_recover_begun = _span(frame, last.begun)
    # The latest of all ends: an activity out of order must not make the last one's end too early.
    ends = [frame.span(ran.ended) for ran in facts.recoveries if ran.ended is not None]
    facts.last_recover_ended = Span(max(end.lo for end in ends), max(end.hi for end in ends)) if ends else None
    facts.report = restore_report(facts.recoveries, frame)
    if facts.report is not None and facts.report.data_restored is not None:
        facts.data_restored = facts.report.data_restored
    elif facts.last_recover_begun is not None and facts.last_recover_ended is not None:
        facts.data_restored = Span(facts.last_recover_begun.lo, facts.last_recover_ended.hi)
        facts.data_restored_flagged = True


def _verification(facts: Facts) -> None:
    facts.verifications = facts.history.all(Effect.VERIFY)
    failed = [ran.begun for ran in facts.verifications if ran.good is False and ran.begun is not None]
    if failed:
        facts.failed_verification = facts.frame.span(failed[0])
    wanted = len(facts.plan.verify)
    if wanted and len(facts.verifications) >= wanted and all(ran.good for ran in facts.verifications):
        ends = [facts.frame.span(ran.ended) for ran in facts.verifications if ran.ended is not None]
        facts.verified = Span(max(end.lo for end in ends), max(end.hi for end in ends))


def _undo(facts: Facts) -> None:
    told, frame = facts.history, facts.frame
    undo = told.one(Effect.UNDO)
    begins = [frame.span(undo.begun)] if undo.begun is not None else []
    ends = [frame.span(undo.ended)] if undo.ended is not None else []
    for entry in told.of(Kind.GUARD):
        stamp = history.stamp_in(entry.data.get("stamp")) or entry.stamp
        if entry.data.get("what") == "acting":
            begins.append(frame.span(stamp))
            facts.undo_by = "the guard"
        elif entry.data.get("what") == "undone":
            ends.append(frame.span(stamp))
    if begins:
        facts.undo_begun = min(begins, key=lambda span: span.lo)
    if ends:
        facts.undo_ended = max(ends, key=lambda span: span.hi)
    if not facts.undo_by:
        facts.undo_by = next((f"an abort ({entry.data.get('by', '')})" for entry in told.of(Kind.ABORT)), "")


def _away(frame: Frame, entries: Sequence[Entry]) -> list[Span]:
    away: list[Span] = []
    previous: Entry | None = None
    for entry in entries:
        if entry.kind is Kind.RESUMED:
            data: dict[str, Any] = entry.data
            begin = history.stamp_in(data.get("absent_from")) or (previous or entry).stamp
            end = history.stamp_in(data.get("absent_to")) or entry.stamp
            away.append(Span(frame.span(begin).lo, frame.span(end).hi))
        previous = entry
    return away
