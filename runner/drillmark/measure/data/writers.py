"""What the marker writers of a run come to together, each having been measured on its own.

The data loss of a run is the worst of its writers': what one of them lost was lost, whatever the others kept. The
worst of several true values lies between the greatest lower and the greatest upper edge of their intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from drillmark.measure.data import reading
from drillmark.model.measurement import Cited, Measured, Writer, Writes
from drillmark.model.plan import Plan
from drillmark.model.stamp import Interval

PARTS: tuple[str, ...] = ("rpa", "rpa_before_t0", "rpa_after_t0")


def points(plan: Plan, writers: Sequence[Writer]) -> dict[str, Measured]:
    """RPA and its parts, over all writers. Raises where no marker was to be written."""
    reading.require_markers(plan)
    return {part: _worst(part, writers) for part in PARTS}


def _worst(part: str, writers: Sequence[Writer]) -> Measured:
    if len(writers) == 1:
        return writers[0].durations[part]
    known = [(one, measured) for one in writers if (measured := one.durations[part]).seconds is not None]
    unknown = [f"{one.name}: {one.durations[part].reason}" for one in writers if one.durations[part].seconds is None]
    if not known:
        return Measured(None, "; ".join(unknown))
    spans = [(one, measured, measured.seconds) for one, measured in known if measured.seconds is not None]
    widest, measured, _ = max(spans, key=lambda item: _upper(item[2]))
    uppers = [span.hi for _, _, span in spans]
    bounded = [hi for hi in uppers if hi is not None]
    hi = None if unknown or len(bounded) < len(uppers) else max(bounded)
    reasons = [*unknown, *(f"{one.name}: {item.reason}" for one, item in known if item.reason)]
    flags = dict.fromkeys(flag for _, item in known for flag in item.flags)
    told = "; ".join(f"{one.name} {_show(span)}" for one, _, span in spans)
    cited = replace(
        measured.cited,
        entries=tuple(sorted({number for _, item in known for number in item.cited.entries})),
        samples=tuple(dict.fromkeys(name for _, item in known for name in item.cited.samples)),
        formula=f"the worst of the writers, each as {measured.cited.formula}",
        filled_in=f"{told}; {widest.name}: {measured.cited.filled_in}",
    )
    seconds = Interval(max(span.lo for _, _, span in spans), hi)
    return Measured(seconds, reason="; ".join(reasons), flags=tuple(flags), cited=cited)


def together(writers: Sequence[Writer]) -> Writes | None:
    """The writes of all writers, added up; None where one is not known. Numbers are listed for each writer alone."""
    known = [one.writes for one in writers if one.writes is not None]
    if not known or len(known) < len(writers):
        return None
    if len(known) == 1:
        return known[0]
    names = [name for name in Writes.__slots__ if name != "cited" and not name.endswith("_ids")]
    cited = Cited(
        entries=tuple(sorted({number for one in known for number in one.cited.entries})),
        samples=tuple(dict.fromkeys(name for one in known for name in one.cited.samples)),
        formula=known[0].cited.formula,
    )
    # Split brain is None where it cannot be seen, for one writer or all.
    sums: dict[str, Any] = {
        name: None if None in values else sum(values)
        for name in names
        if (values := [getattr(one, name) for one in known])
    }
    return Writes(**sums, cited=cited)


def _upper(span: Interval) -> float:
    return float("inf") if span.hi is None else span.hi


def _show(span: Interval) -> str:
    return f"[{span.lo:.3f}, {'null' if span.hi is None else f'{span.hi:.3f}'}] s"
