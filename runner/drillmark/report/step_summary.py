"""A run as a few lines of Markdown, for the summary that a CI server shows of a job. Pure.

Must never say less than the verdict: what is unknown is called unknown.
"""

from __future__ import annotations

from typing import Any

from drillmark.report import sentences, words

_SHOWN = ("rto", "rpo")


def render(document: dict[str, Any]) -> str:
    """Verdict, what was observed against what was promised, and the gaps."""
    title, run = words.markdown(document["title"]), words.markdown(document["run"])
    lines = [
        f"### {sentences.verdict_words(document)}: {title}",
        "",
        words.markdown(sentences.headline(document)),
        "",
        "| | observed | objective | verdict |",
        "| --- | --- | --- | --- |",
    ]
    if document["mode"] != "experiment":
        lines += [_actual("RTA", document["rto"]), _actual("RPA", document["rpo"])]
    lines += [_row(item) for item in document["objectives"] if item["name"] not in _SHOWN]
    lines += ["", *(_gap(gap) for gap in document["gaps"])]
    lines += ["" if document["gaps"] else "No gaps.", f"Run {run}"]
    return "\n".join(lines) + "\n\n"


def _actual(label: str, judged: dict[str, Any]) -> str:
    observed = words.interval(sentences.interval(judged["observed_seconds"]))
    return f"| {label} | {observed} | {words.duration(judged['objective_seconds'])} | {_verdict(judged)} |"


def _row(item: dict[str, Any]) -> str:
    stated = item["objective"] is not None
    observed = words.markdown(sentences.observed(item)) if stated else ""
    objective = words.quantity(item["objective"], item["unit"]) if stated else ""
    return f"| {words.objective(item['name'])} | {observed} | {objective} | {_verdict(item)} |"


def _verdict(judged: dict[str, Any]) -> str:
    reason = words.markdown(judged["reason"]) if judged["verdict"] != "passed" and judged["reason"] else ""
    return words.outcome(judged["verdict"]) + (f" ({reason})" if reason else "")


def _gap(gap: dict[str, Any]) -> str:
    state = f"closed by {gap['closed_by']}" if gap["state"] == "closed" else f"{gap['severity']}, due {gap['due']}"
    return f"- {gap['id']}: {words.markdown(gap['title'])} ({state})"
