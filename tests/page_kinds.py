"""Pages of every kind of result: the documents of `report_kinds`, with the journal and samples that they were made of."""

from __future__ import annotations

from typing import Any

import report_kinds
from drillmark import pages
from drillmark.model.evidence import Evidence
from drillmark.report import page, series
from drillmark.report.charts import Earlier


def material(
    document: dict[str, Any],
    evidence: Evidence,
    earlier: list[Earlier] | None = None,
    progress: list[dict[str, Any]] | None = None,
) -> page.Material:
    plan = evidence.plan.model_dump(mode="json")
    return page.Material(document, evidence.entries, plan, series.reduce(evidence, progress or []), earlier or [])


def of_kind(name: str, earlier: list[Earlier] | None = None, **changes: Any) -> str:
    """The page of that kind of result, by the shipped templates; `changes` go into the document."""
    document = report_kinds.kind(name) | changes
    return page.render(material(document, report_kinds.evidence_of(name), earlier), pages.assets(None))
