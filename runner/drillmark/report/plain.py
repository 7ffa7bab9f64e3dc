"""`report.md` of a bare experiment: what there is to say of it fits a page, and needs no template. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drillmark.report import sentences, words


def render(document: dict[str, Any]) -> str:
    """The report. Every text of an experiment or a service is made harmless: it cannot make markup."""
    return "\n".join(_lines(document)).rstrip() + "\n"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield from (f"# {sentences.verdict_words(document)}: {words.markdown(document['title'])}", "")
    yield from (words.markdown(sentences.headline(document)), "")
    yield from (f"Next: {words.markdown(sentences.next_step(document))}", "")
    if document["reasons"]:
        yield from ("## Why", "", *(f"- {words.markdown(reason)}" for reason in document["reasons"]), "")
    if document["objectives"]:
        yield from ("## What was judged", "", "| what | verdict | reason |", "| --- | --- | --- |")
        for item in document["objectives"]:
            name, verdict = words.objective(item["name"]), words.outcome(item["verdict"])
            yield f"| {words.markdown(name)} | {verdict} | {words.markdown(item['reason'])} |"
        yield ""
    if document["gaps"]:
        yield from ("## Gaps", "")
        for gap in document["gaps"]:
            said = f"{gap['severity']}, due {gap['due']}, {words.markdown(gap['owner'])}"
            state = f"closed by {gap['closed_by']}" if gap["state"] == "closed" else said
            yield f"- {gap['id']}: {words.markdown(gap['title'])} ({state}). {words.markdown(gap['recommendation'])}"
        yield ""
    evidence = document["evidence"]
    yield from ("## Evidence", "")
    when = f"{document['started']} to {document['ended']}"
    yield f"Run {document['run']} of {words.markdown(document['source'])}, {when}."
    yield "What Chaos Toolkit did, activity by activity, stands in chaos/journal.json beside this file."
    yield f"Plan {evidence['plan_hash']}; {evidence['journal']['entries']} journal entries,"
    yield f"the last of them {evidence['journal']['last_hash']}."
