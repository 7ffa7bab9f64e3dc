"""Measures a run: a drill by all that was observed; a bare experiment, of which nothing was, by its journal. Pure.

Imports what the numbers need only where there are numbers: a bare experiment must not wait for it.
"""

from __future__ import annotations

from drillmark.measure.timeline import facts as facts_of
from drillmark.measure.timeline.frame import Span, UnmeasurableError
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Check, Measured, Measurements

_NOT_OBSERVED = "a bare experiment has no target that is observed"
_DURATIONS: tuple[str, ...] = (
    "rta", "time_to_detect", "wrt", "rta_and_wrt", "after_undo", "from_declaration", "restore_copy", "restore_replay",
    "restore_verify", "rpa", "rpa_before_t0", "rpa_after_t0",
)  # fmt: skip
_STAMPS: tuple[str, ...] = (
    "I", "e", "t0", "t_detect", "t_declare", "t_restore_start", "t_data_restored", "t_verified", "t_service_restored",
    "first_refused", "undo_begin", "undo_end", "soak_end",
)  # fmt: skip


def measure(evidence: Evidence) -> Measurements:
    """Everything that a run says in numbers. Never raises: what cannot be measured is unknown, and says why."""
    if evidence.plan.bare is None:
        from drillmark.measure import core  # noqa: PLC0415 - see above

        return core.measure(evidence)
    nothing = Measured(None, _NOT_OBSERVED, applicable=False)
    durations, steady = dict.fromkeys(_DURATIONS, nothing), Check(None, _NOT_OBSERVED, applicable=False)
    try:
        facts = facts_of.gather(evidence)
    except UnmeasurableError as why:
        return Measurements(None, durations=durations, steady_state=steady, errors=(f"journal: {why}",))
    spans: dict[str, Span | None] = {
        **dict.fromkeys(_STAMPS),
        "I": Span(0, 0) if facts.injected else None,
        "undo_begin": facts.undo_begun,
        "undo_end": facts.undo_ended,
    }
    return Measurements(
        fault_begin=facts.frame.origin if facts.injected else None,
        stamps={name: None if span is None else span.as_json() for name, span in spans.items()},
        durations=durations,
        steady_state=steady,
        flags=tuple(dict.fromkeys(facts.flags)),
    )
