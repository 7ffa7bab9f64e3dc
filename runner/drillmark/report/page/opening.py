"""The opening of the page: the verdict, the sentence, what to do next."""

from __future__ import annotations

from typing import Any

from drillmark.report import headline

_MARKS = {"passed": "✓", "failed": "✕", "unknown": "?", "aborted": "■", "refused": "⊘"}


def opening(document: dict[str, Any]) -> dict[str, Any]:
    """`kind` (passed, failed, unknown, aborted, refused), `mark`, `verdict`, `sentences`, `why`, `then`."""
    kind = "refused" if document["refused"] else "aborted" if document["aborted"] else str(document["verdict"])
    told = headline.tell(document)
    then = told.then.strip()
    return {
        "kind": kind,
        "mark": _MARKS.get(kind, "?"),
        "verdict": told.verdict.capitalize(),
        "sentences": [" ".join(told.happened)] if told.happened else [],
        "why": list(told.why),
        "then": then[:1].upper() + then[1:],
    }
