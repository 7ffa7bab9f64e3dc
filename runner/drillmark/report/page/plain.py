"""The page of a bare experiment, as its run writes it: no charts, no template, nothing to wait for. Pure.

`drillmark report RUN` makes the whole page of such a run. Every text of an experiment or a service is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from drillmark.model.entry import Entry
from drillmark.report import words
from drillmark.report.page import journal, opening

_TEXT_CHARACTERS = 4000


def render(document: dict[str, Any], entries: Sequence[Entry], style: str) -> str:
    """The page."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return "\n".join(
        (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(document['title'])}</title><style>{style}</style></head><body>",
            '<header class="top"><p class="brand">Drillmark</p>',
            f'<p class="meta">{_text(document["source"])}</p></header><main>',
            *_result(document),
            *_judged(document),
            *_gaps(document),
            *_timeline(entries),
            *_evidence(document),
            "</main></body></html>\n",
        )
    )


def _result(document: dict[str, Any]) -> Iterator[str]:
    told = opening.opening(document)
    yield f"<section><h1>{_text(document['title'])}</h1>"
    mark = f'<span class="mark" aria-hidden="true">{told["mark"]}</span>'
    yield f'<p class="verdict {told["kind"]}">{mark} {_text(told["verdict"])}</p>'
    yield from (f'<p class="sentence">{_text(sentence)}</p>' for sentence in told["sentences"])
    if told["why"]:
        yield f'<ul class="reasons">{"".join(f"<li>{_text(reason)}</li>" for reason in told["why"])}</ul>'
    yield f'<p class="next"><strong>Next</strong> {_text(told["then"])}</p></section>'


def _judged(document: dict[str, Any]) -> Iterator[str]:
    if not document["objectives"]:
        return
    yield '<section><h2>What was judged</h2><table><thead><tr><th scope="col">What</th><th scope="col">Verdict</th>'
    yield '<th scope="col">Reason</th></tr></thead><tbody>'
    for item in document["objectives"]:
        verdict = f'<span class="chip {_text(item["verdict"])}">{words.outcome(item["verdict"])}</span>'
        yield f'<tr><th scope="row">{_text(words.objective(item["name"]))}</th><td>{verdict}</td>'
        yield f"<td>{_text(item['reason'])}</td></tr>"
    yield "</tbody></table></section>"


def _gaps(document: dict[str, Any]) -> Iterator[str]:
    if not document["gaps"]:
        return
    yield "<section><h2>Gaps</h2>"
    for gap in document["gaps"]:
        state = f"closed by {gap['closed_by']}" if gap["state"] == "closed" else f"{gap['severity']}, due {gap['due']}"
        yield f'<article class="gap"><h3>{_text(gap["title"])} <small>{_text(gap["id"])}, {_text(state)}</small></h3>'
        yield f"<p>{_text(gap['recommendation'])}</p><p>Owner {_text(gap['owner'])}</p></article>"
    yield "</section>"


def _timeline(entries: Sequence[Entry]) -> Iterator[str]:
    told = journal.rows(entries)
    yield '<section><h2>Timeline</h2><table class="journal"><thead><tr><th scope="col">Entry</th>'
    yield '<th scope="col">Time</th><th scope="col">Kind</th><th scope="col">What</th></tr></thead><tbody>'
    for row in told["rows"]:
        yield f'<tr id="entry-{row["number"]}" class="{row["tone"]}"><th scope="row">{row["number"]}</th>'
        yield f"<td>{row['at']}</td><td>{row['kind']}</td><td><details><summary>{_text(row['what'])}</summary>"
        yield f'<pre tabindex="0">{escape(row["detail"])}</pre></details></td></tr>'
    yield "</tbody></table></section>"


def _evidence(document: dict[str, Any]) -> Iterator[str]:
    evidence = document["evidence"]
    yield "<section><h2>How this was measured</h2>"
    yield "<p>A bare experiment measures neither recovery time nor data loss: what is judged is whether its actions, "
    yield "its hypothesis and its rollbacks went well. What Chaos Toolkit did, activity by activity, stands in "
    yield "<code>chaos/journal.json</code> beside this file.</p>"
    yield f"<p>Run <code>{_text(document['run'])}</code>, {_text(document['started'])} to {_text(document['ended'])}. "
    yield f"Plan <code>{_text(evidence['plan_hash'])}</code>, {evidence['journal']['entries']} journal entries, "
    yield f"the last of them <code>{_text(evidence['journal']['last_hash'])}</code>.</p></section>"


def _text(value: Any) -> str:
    return escape(words.harmless(str(value), limit=_TEXT_CHARACTERS))
