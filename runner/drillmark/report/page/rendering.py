"""Puts the page together: template, stylesheet, scripts, and the policy that names their hashes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from drillmark.errors import UsageError
from drillmark.model.entry import Entry
from drillmark.report import charts, clauses, where, words
from drillmark.report.charts import Charts, Earlier
from drillmark.report.charts.theme import PATTERNS
from drillmark.report.page import figures, journal, levels, method, opening, why
from drillmark.report.series import Series

TEMPLATE, STYLE, SCRIPT = "report.html.j2", "report.css", "report.js"
_LONGEST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Assets:
    """The texts that a page is made of.

    Attributes:
        templates: name -> text. `report.html.j2` is rendered; it may extend the shipped `drillmark/report.html.j2`.
        style: the stylesheet, with what a workspace adds to it.
        script: the page's own script.
        libraries: scripts that stand before it.
    """

    templates: Mapping[str, str]
    style: str
    script: str
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """What is told of a run. `plan` as its `plan.json` holds it; `earlier` runs of the same drill, oldest first."""

    document: dict[str, Any]
    entries: Sequence[Entry]
    plan: Mapping[str, Any]
    series: Series
    earlier: list[Earlier] = field(default_factory=list[Earlier])


def render(told: Material, assets: Assets) -> str:
    """The page. Raises UsageError where the template is wrong."""
    document = told.document
    drawn = charts.define(document, told.series, told.earlier)
    scripts = [*(text for text in assets.libraries if drawn.named()), assets.script]
    try:
        template = _template(tuple(assets.templates.items()))
        return template.render(
            r=document,
            policy=policy(scripts, [assets.style]),
            style=Markup(assets.style),  # noqa: S704 (the workspace's own, or ours)
            scripts=[Markup(text) for text in scripts],  # noqa: S704
            patterns=Markup(PATTERNS),  # noqa: S704
            specs=_specs(drawn),
            zero=clauses.zero(document),
            opening=opening.opening(document),
            gauges=figures.gauges(document),
            moments=figures.moments(document, told.entries),
            stretches=figures.stretches(told.series),
            series=told.series,
            bars=figures.bars(document, told.entries),
            advice=_advice(document),
            figures=figures.others(document),
            writes=figures.writes(document),
            objectives=figures.objectives(document),
            slo=levels.table(document),
            gaps=figures.gaps(document),
            journal=journal.rows(told.entries),
            method=method.method(document, told.plan),
            earlier=told.earlier,
            why=why.why,
        )
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        raise UsageError(
            f"the template {TEMPLATE} is wrong{f' in line {line}' if line else ''}: {error}",
            hint="docs/reference/report-templates.md says what a template may use",
        ) from error


def policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """The content security policy: nothing is fetched, and only these scripts and styles count."""
    allowed_scripts = " ".join(_hash(text) for text in scripts)
    allowed_styles = " ".join(_hash(text) for text in styles)
    return (
        f"default-src 'none'; script-src {allowed_scripts}; style-src {allowed_styles}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def data(value: Any) -> Markup:
    """JSON that may stand in a script element: it can neither end it nor begin another."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(safe)  # noqa: S704 (there is no markup in it any more)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _specs(drawn: Charts) -> Markup:
    return data(drawn.named())


def _advice(document: dict[str, Any]) -> dict[str, Any]:
    found = where.bars(document)
    most = where.longest(found)
    recovers = any(step["effect"] == "recover" for step in document["timeline"])
    return {
        "longest": most,
        "text": where.ADVICE[most.kind] if most else "",
        "untold": where.untold(found) if recovers else [],
    }


@lru_cache(maxsize=4)
def _template(templates: tuple[tuple[str, str], ...]) -> jinja2.Template:
    # Compiling takes longer than filling in: whoever writes many pages does it once.
    return environment(dict(templates)).get_template(TEMPLATE)


def environment(templates: Mapping[str, str]) -> jinja2.Environment:
    """Templates in a sandbox, every text escaped."""
    environment = SandboxedEnvironment(
        loader=jinja2.DictLoader(dict(templates)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_harmless,
    )
    environment.filters |= FILTERS
    return environment


def _harmless(value: Any) -> Any:
    """Whatever is printed: no controls, and not without end."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return words.harmless(value, limit=_LONGEST_TEXT)
    return "" if value is None else value


def _lines(text: str) -> Markup:
    """A text whose line ends stay; it was made harmless line by line."""
    return Markup("{}").format(text)


FILTERS: dict[str, Callable[..., Any]] = {
    "lines": _lines,
    "interval": figures.interval,
    "duration": words.duration,
    "quantity": words.quantity,
    "outcome": words.outcome,
    "objective": words.objective,
    "seconds": figures.seconds,
    "thousands": figures.thousands,
}
