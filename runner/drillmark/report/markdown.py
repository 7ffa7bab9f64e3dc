"""`report.md` from the result document and a template. Pure: the template's text is handed in.

A workspace may bring its own `reports/templates/report.md.j2`; it sees `r` (the document), `verdict`, `headline`,
`then` (what to do next), `pictures` (files, by the name of the chart; empty: there is none), `others`, and the filters
below. Every text of a drill or a service goes through `md` and cannot make markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from drillmark.errors import UsageError
from drillmark.report import clauses, sentences, stamp_words, words


def render(document: dict[str, Any], template: str, pictures: Mapping[str, str] | None = None) -> str:
    """The report. `pictures`: name of a chart -> file beside it. Raises UsageError where the template is wrong."""
    try:
        text = (
            _environment()
            .from_string(template)
            .render(
                r=document,
                verdict=sentences.verdict_words(document),
                zero=clauses.zero(document),
                headline=sentences.headline(document),
                then=sentences.next_step(document),
                pictures={"gauges": "", "picture": "", "waterfall": ""} | dict(pictures or {}),
                others=[item for item in document["objectives"] if item["name"] not in {"rto", "rpo"}],
            )
        )
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        raise UsageError(
            f"the report template is wrong{f' in line {line}' if line else ''}: {error}",
            hint="see reports/templates/report.md.j2 of a fresh workspace",
        ) from error
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment() -> jinja2.Environment:
    environment = SandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters.update(_FILTERS)
    return environment


def _stated(item: dict[str, Any]) -> str:
    return "-" if item["objective"] is None else words.quantity(item["objective"], item["unit"])


def _reason(judged: dict[str, Any]) -> str:
    return f" ({words.markdown(judged['reason'])})" if judged["reason"] else ""


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _took(step: dict[str, Any]) -> str:
    return "-" if step["to_seconds"] is None else f"{step['to_seconds'] - step['from_seconds']:.2f}"


def _span(span: dict[str, float] | None) -> str:
    if span is None:
        return "-"
    return f"{span['lo']:.3f}" if span["lo"] == span["hi"] else f"{span['lo']:.3f} to {span['hi']:.3f}"


def _met(item: dict[str, Any]) -> str:
    if item["met"] is None:
        return ("unknown" if item["objective"] is not None else "-") + _reason(item)
    return ("yes" if item["met"] else "no") + (_reason(item) if not item["met"] else "")


@jinja2.pass_context
def _stamp(context: jinja2.runtime.Context, name: str) -> str:
    return stamp_words.meanings(simulated=clauses.simulated(context["r"])).get(name, "")


_FILTERS: dict[str, Callable[..., str]] = {
    "md": lambda value: words.markdown(str(value)),
    "code": lambda value: f"`{words.harmless(str(value)).replace('`', chr(39))}`",
    "interval": lambda span: words.interval(sentences.interval(span)),
    "duration": words.duration,
    "outcome": words.outcome,
    "objective": words.objective,
    "observed": sentences.observed,
    "stated": _stated,
    "reason": _reason,
    "seconds": _seconds,
    "took": _took,
    "span": _span,
    "stamp": _stamp,
    "window": lambda window: f"{window[0]:.1f}, {window[1]:.1f}",
    "met": _met,
    "latency": lambda value: "-" if value is None else words.duration(value),
}
