"""The panels that the picture stacks, in order. Each is there where the run has it, or says why it shows nothing."""

from __future__ import annotations

from drillmark.report.charts import doing, watching
from drillmark.report.charts.panel import Panel
from drillmark.report.series import Series

_PANELS = (
    watching.beats,
    watching.availability,
    watching.latency,
    watching.throughput,
    doing.writes,
    doing.progress,
    doing.deeds,
)


def stack(series: Series) -> list[Panel]:
    """The panels of a run."""
    return [panel for make in _PANELS for panel in make(series)]


def margin(series: Series) -> int:
    """Room at the right for the axis of the recovery's rate."""
    return 44 if series.progress else 0
