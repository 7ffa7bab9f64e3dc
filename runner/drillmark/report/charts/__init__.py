"""The charts of a report, each defined once: the page shows the definition, a picture is drawn of the same. Pure.

A definition is a Vega specification whose colours are names of the theme; see `docs/explanation/report-charts.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drillmark.report import clauses, where
from drillmark.report.charts import gauges, picture, waterfall
from drillmark.report.charts.gauges import Earlier
from drillmark.report.charts.marks import Spec
from drillmark.report.series import Series

__all__ = ["Charts", "Earlier", "define"]


@dataclass(frozen=True, slots=True)
class Charts:
    """The definitions of one run's charts. None: there is nothing to draw."""

    gauges: Spec | None
    picture: Spec | None
    waterfall: Spec | None

    def named(self) -> dict[str, Spec]:
        """Those that there are, by name."""
        found = {"gauges": self.gauges, "picture": self.picture, "waterfall": self.waterfall}
        return {name: spec for name, spec in found.items() if spec is not None}


def define(document: dict[str, Any], series: Series, earlier: list[Earlier] | None = None) -> Charts:
    """The charts of a result."""
    bars = where.bars(document)
    return Charts(
        gauges=None if document["mode"] == "experiment" else gauges.specification(document, earlier or []),
        picture=None if series.empty else picture.specification(series, document["stamps"]),
        waterfall=waterfall.specification(bars, zero=clauses.zero(document)) if bars else None,
    )
