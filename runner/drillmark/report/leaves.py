"""Pages without a script, in the look of a run's page: of a period, of a comparison. Pure: texts come in, one goes out.

Everything that a person or a target wrote is escaped, and the page's own policy lets nothing be fetched or run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup

from drillmark.errors import UsageError
from drillmark.report import comparing, words
from drillmark.report.page.rendering import environment, policy
from drillmark.report.period import markdown, telling, trend

Document = dict[str, Any]

PERIOD, COMPARISON = "period.html.j2", "compare.html.j2"
STYLES = ("report.css", "more.css")
_NUMBERS = {"rta": "Recovery time (RTA)", "rpa": "Data loss (RPA)"}


@dataclass(frozen=True, slots=True)
class Texts:
    """Templates by name, and the stylesheet."""

    templates: Mapping[str, str]
    style: str


def period(document: Document, texts: Texts) -> str:
    """The page of a period. Raises UsageError where the template is wrong."""
    drawn = set(markdown.drawn(document))
    drills: list[Document] = []
    for name in markdown.drills_of(document):
        runs = [run for run in document["runs"] if run["drill"] == name]
        trends = [
            # Our own drawing: every text in it is escaped.
            {"label": label, "svg": Markup(trend.draw(runs, number, document["period"]))}  # noqa: S704
            for number, label in _NUMBERS.items()
            if (name, number) in drawn
        ]
        drills.append({"name": words.harmless(name), "title": runs[-1]["title"], "runs": runs, "trends": trends})
    return _page(PERIOD, texts, p=document, t=telling, sentences=telling.sentences(document), drills=drills)


def comparison(document: Document, texts: Texts) -> str:
    """The page of a comparison. Raises UsageError where the template is wrong."""
    blocks: list[Document] = []
    for kind, title in comparing.KINDS.items():
        rows = [row for row in document["rows"] if row["kind"] == kind]
        if kind == "reported":
            steps = [row for row in rows if row["section"] == "time"]
            named = f"{comparing.SECTIONS['time']}, as the journal stamps it"
            blocks.append({"id": "time", "title": clean(named), "rows": steps, "folded": False})
            rows = [row for row in rows if row["section"] != "time"]
        if rows or kind == "differs":
            blocks.append({"id": kind, "title": clean(title), "rows": rows, "folded": kind in ("same", "reported")})
    return _page(COMPARISON, texts, c=document, blocks=blocks)


def clean(text: str) -> str:
    """A title, with a capital."""
    return text[:1].upper() + text[1:]


def _page(name: str, texts: Texts, **told: Any) -> str:
    try:
        template = environment(texts.templates).get_template(name)
        style = Markup(texts.style)  # noqa: S704 (the workspace's own, or ours)
        return template.render(policy=policy([], [texts.style]), style=style, **told)
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        raise UsageError(
            f"the template {name} is wrong{f' in line {line}' if line else ''}: {error}",
            hint="docs/reference/report-templates.md says what a template may use",
        ) from error
