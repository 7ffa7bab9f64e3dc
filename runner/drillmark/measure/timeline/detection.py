"""Who noticed the disaster, and when: which alert counts, out of all that the journal notes.

An alert counts that is firing, carries the labels that the drill waits for, came after I, and did not begin before
it. Must never take silence for an answer where nobody listened all the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drillmark.measure.timeline import history
from drillmark.measure.timeline.frame import Frame, Span
from drillmark.measure.timeline.history import History
from drillmark.model.entry import Effect, Entry
from drillmark.model.measurement import LISTED, Detected, Noted
from drillmark.model.plan import Plan
from drillmark.model.stamp import NANOSECONDS, Stamp

_DOUBT = "the alert may have begun before the fault: the clock of who raised it is not known well enough"
_UNDATED = "the alert may have begun before the fault: it does not say when it began (startsAt)"


@dataclass(slots=True)
class Detection:
    """What was heard, in ns since I.

    Attributes:
        lo, hi: t_detect lies in [lo, hi]. `hi` None: nothing that surely counts; `lo` None: nothing at all.
        by: name of the alert or of the person at `hi`, `kind` which of the two.
        declared, declared_by, declared_at: a person's declaration.
        doubt: why `hi` is None although something came.
        unknown: why silence is no answer; empty where somebody listened all the time.
        listened_until: when the receiver was told to end; without a receiver, when the run ended.
        heard: how many were noted; `noted` lists the first of them.
        entries: of the journal: what counts, and what silence rests on.
    """

    lo: int | None = None
    hi: int | None = None
    by: str = ""
    kind: str = ""
    declared: Span | None = None
    declared_by: str = ""
    declared_at: Stamp | None = None
    doubt: str = ""
    unknown: str = ""
    listened_until: Span | None = None
    heard: int = 0
    noted: list[Noted] = field(default_factory=list[Noted])
    entries: list[int] = field(default_factory=list[int])
    observed: bool = False

    @property
    def at(self) -> Span | None:
        """t_detect; None where there is none, or it has no upper edge."""
        return None if self.lo is None or self.hi is None else Span(self.lo, self.hi)

    def told(self) -> Detected | None:
        """For the result."""
        if not self.observed:
            return None
        return Detected(self.by, self.kind, self.declared_by, self.heard, tuple(self.noted))


def read(plan: Plan, told: History, frame: Frame) -> Detection:
    """What the journal says of alerts and declarations. Raises UnmeasurableError where clocks cannot be compared."""
    found = Detection(observed=plan.detects)
    if not told.one(Effect.INJECT).intents:
        return found
    _alerts(plan, told, frame, found)
    _person(told, frame, found)
    if plan.alerts is not None:
        _listening(told, frame, found)
    else:
        stopped = told.one(Effect.STOP_OBSERVERS)
        found.listened_until = frame.span(stopped.begun) if stopped.begun else None
    return found


def _alerts(plan: Plan, told: History, frame: Frame, found: Detection) -> None:
    error_ns = round(plan.alerts.clock_error_seconds * NANOSECONDS) if plan.alerts else 0
    firing: set[tuple[str, ...]] = set()  # before I, as far as we were told
    for entry in told.events("alert"):
        received = history.stamp_in(entry.data.get("received"))
        if received is None:
            continue
        at = frame.span(received)
        counts, why = _judge(entry.data, at, firing, frame, error_ns)
        labels = _labels(entry.data)
        name = labels.get("alertname") or str(entry.data.get("route", ""))
        _note(found, entry, at, name, counts, why, labels)
        if counts is not False:
            found.lo = at.lo if found.lo is None else min(found.lo, at.lo)
            found.doubt = found.doubt or why
        if counts:
            _count(found, entry, at, name, "alert")


def _judge(
    data: dict[str, Any], at: Span, firing: set[tuple[str, ...]], frame: Frame, error_ns: int
) -> tuple[bool | None, str]:
    """Whether an alert counts, and why not."""
    key = (str(data.get("route")), *(f"{name}={value}" for name, value in sorted(_labels(data).items())))
    before = at.hi <= 0
    was_firing = key in firing
    if data.get("status") == "resolved":
        firing.discard(key)
    elif before and data.get("status") == "firing":
        firing.add(key)
    why_not = {
        str(data.get("error") or "it could not be read"): data.get("status") == "unreadable",
        "it is resolved": data.get("status") == "resolved",
        "it came before the fault": before,
        "it is another alert": not data.get("matched"),
        "it was firing before the fault": was_firing,
    }
    reason = next((why for why, holds in why_not.items() if holds), "")
    return (False, reason) if reason else _began_after(data.get("starts_at_ns"), at, frame, error_ns)


def _began_after(starts_at_ns: Any, at: Span, frame: Frame, error_ns: int) -> tuple[bool | None, str]:
    if not isinstance(starts_at_ns, int):
        # It may have been firing for days and be sent again now: that it came after I alone shows nothing.
        return None, _UNDATED
    began = starts_at_ns - frame.origin.wall_ns
    if began + error_ns < 0:
        return False, "it began before the fault"
    if at.lo < 0 or began - error_ns < 0:
        return None, _DOUBT
    return True, ""


def _person(told: History, frame: Frame, found: Detection) -> None:
    for entry in told.events("declared"):
        stamp = history.stamp_in(entry.data.get("at"))
        if stamp is None or found.declared is not None:
            continue
        found.observed = True
        found.declared, found.declared_at = frame.span(stamp), stamp
        found.declared_by = str(entry.data.get("by") or "a person")
        at = found.declared
        first = found.hi is None or at.hi < found.hi
        why = "" if first else "an alert came before"
        _note(found, entry, at, found.declared_by, True, why, {}, status="declared")  # noqa: FBT003
        found.lo = at.lo if found.lo is None else min(found.lo, at.lo)
        _count(found, entry, at, found.declared_by, "person")


def _listening(told: History, frame: Frame, found: Detection) -> None:
    """Where nobody listened for a while, an alert may have come then: earlier than the first that was heard."""
    blind: list[tuple[int, str]] = []
    for entry in told.events("alerts_away"):
        begin, end = (history.stamp_in(entry.data.get(edge)) for edge in ("from", "to"))
        if begin is not None and end is not None and frame.span(end).hi > 0:
            blind.append((max(0, frame.span(begin).lo), "the alert receiver was stopped or starved for a while"))
    if any(entry.data.get("matched") for entry in told.events("alerts_left_out")):
        blind.append((0, "more alerts came than are kept"))
    closed, died = told.events("alerts_closed"), told.events("alerts_died")
    if closed:
        found.listened_until = frame.span(history.stamp_in(closed[-1].data.get("stamp")) or closed[-1].stamp)
        found.entries.append(closed[-1].sequence)
    elif died or told.finished:
        error = str(died[-1].data.get("error") or "") if died else ""
        gone = (0, f"the alert receiver died{f': {error}' if error else ''}")
        # It died after the alert that it heard. Where a person spoke, it heard none up to its death, whenever that was.
        if died and found.kind == "alert":
            found.unknown = gone[1]
        else:
            blind.append(gone)
    if not blind:
        return
    from_ns, why = min(blind)
    found.unknown = found.unknown or why
    if found.lo is not None:
        found.lo = min(found.lo, from_ns)


def _count(found: Detection, entry: Entry, at: Span, name: str, kind: str) -> None:
    if found.hi is None or at.hi < found.hi:
        found.hi, found.by, found.kind = at.hi, name, kind
        found.entries.append(entry.sequence)


def _note(
    found: Detection,
    entry: Entry,
    at: Span,
    name: str,
    counts: bool | None,  # noqa: FBT001
    why: str,
    labels: dict[str, str],
    *,
    status: str = "",
) -> None:
    found.heard += 1
    # What counts is listed whatever came before it.
    if len(found.noted) < LISTED or (counts and found.hi is None):
        data = entry.data
        status = status or str(data.get("status", ""))
        found.noted.append(
            Noted(entry.sequence, at.as_json(), name, str(data.get("route", "")), status, labels, counts, why)
        )


def _labels(data: dict[str, Any]) -> dict[str, str]:
    labels = data.get("labels")
    if not isinstance(labels, dict):
        return {}
    return {str(name): str(value) for name, value in labels.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
