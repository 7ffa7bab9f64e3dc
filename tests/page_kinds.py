"""Pages of every kind of result: the documents of `report_kinds`, with the journal and samples that they were made of."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import report_kinds
from drillmark import pages
from drillmark.model.entry import Kind
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


def of_made(made: report_kinds.Made) -> str:
    """The page of a result that was made elsewhere."""
    return of(dict(made), made.evidence)


def hostile_document(text: str) -> dict[str, Any]:
    """A result in which everything that people or targets write is `text`."""
    document = report_kinds.kind("service level missed")
    document |= {"title": text, "owner": text, "target": text, "source": text, "reasons": [text], "errors": [text]}
    document["rto"] |= {"reason": text, "flags": [text]}
    document["evidence"]["versions"] = {text: text}
    for gap in document["gaps"]:
        gap |= {"title": text, "owner": text, "recommendation": text, "observed": text}
    for step in document["timeline"]:
        step["name"] = text
    for item in document["objectives"]:
        item["reason"] = text
    return document


def hostile(text: str, *, log_line: int = 1_000_000) -> str:
    """The page of such a result, with a very long line in the journal."""
    document = hostile_document(text)
    evidence = report_kinds.evidence_of("service level missed")
    entries = []
    for entry in evidence.entries:
        more = {"error": text, "page": f"<html><body>{text}</body></html>", "log": "x" * log_line}
        entries.append(replace(entry, data=dict(entry.data) | (more if entry.kind is Kind.OUTCOME else {})))
    target = evidence.plan.target.model_copy(update={"name": text})
    return of(
        document, replace(evidence, entries=tuple(entries), plan=evidence.plan.model_copy(update={"target": target}))
    )


def of(document: dict[str, Any], evidence: Evidence) -> str:
    return page.render(material(document, evidence), pages.assets(None))


def specs(text: str) -> dict[str, Any]:
    """The definitions of the charts in a page, by the chart's name."""
    return json.loads(re.search(r'id="specs">(.*?)</script>', text)[1])


def described(text: str) -> dict[str, str]:
    """What each chart of a page tells whoever cannot see it."""
    return {name: spec["description"] for name, spec in specs(text).items()}
