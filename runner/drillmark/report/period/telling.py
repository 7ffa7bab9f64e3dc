"""What a period comes to in sentences, and its numbers as people read them. Pure.

Reads the document and nothing else, so that page, Markdown and terminal say the same.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drillmark.model.stamp import Interval
from drillmark.report import clauses, words

Document = dict[str, Any]

COUNTS = {
    "passed": "passed",
    "failed": "failed",
    "unknown": "unknown",
    "aborted": "stopped",
    "refused": "refused",
    "no_result": "without a result",
}
MEANS = {"mttd": "MTTD", "mttr": "MTTR", "mtbf": "MTBF"}
STATUS = {
    "never run": "failed",
    "overdue": "failed",
    "unknown": "unknown",
    "not scheduled": "not_applicable",
    "done": "passed",
}


def sentences(document: Document) -> list[str]:
    """The period in ten seconds."""
    return [clauses.sentence(text) for text in (_runs(document), _time(document), _gaps(document), _due(document))]


def span(document: Document) -> str:
    """`1 October to 31 December 2026`, and up to when it is told."""
    period = document["period"]
    begin, end, as_of = (datetime.fromisoformat(period[key]) for key in ("begin", "end", "as_of"))
    told = "" if period["over"] else f", as it stood on {_date(as_of)}"
    return f"{_date(begin)} up to {_date(end)}{told}"


def mean(value: Document, name: str) -> str:
    """A mean as people read it: its interval, or why there is none."""
    seconds = clauses.span(value["seconds"])
    if seconds is None:
        return "not known"
    if name == "mtbf":
        return _long(seconds)
    return words.interval(seconds).removesuffix(" (no upper bound)")


def counted(value: Document) -> str:
    """Over how many runs, and what limits it."""
    if not value["of"]:
        return value["reason"]
    said = f"{value['counted']} of {words.plural(value['of'], 'run')}"
    return said + (f"; {value['reason']}" if value["reason"] else "")


def actual(value: Document | None) -> str:
    """An RTA or RPA."""
    if value is None:
        return "not applicable"
    return words.interval(clauses.span(value["seconds"]))


def age(gap: Document) -> str:
    """How long a gap has stood open."""
    return "not known" if gap["age_days"] is None else words.plural(gap["age_days"], "day")


def bucket(row: Document) -> str:
    """An age class of gaps."""
    if row["from_days"] is None:
        return "of an age that is not known"
    if row["below_days"] is None:
        return f"{row['from_days']} days and more"
    return f"{row['from_days']} to {row['below_days'] - 1} days"


def drill(row: Document) -> str:
    """How a drill stands."""
    if row["status"] == "never run":
        return "never run" + (
            f", due since {row['due'][:10]} ({words.plural(row['overdue_days'], 'day')})" if row["due"] else ""
        )
    if row["status"] == "overdue":
        return f"due since {row['due'][:10]} ({words.plural(row['overdue_days'], 'day')})"
    if row["status"] == "unknown":
        return f"whether it is due is not known: {row['reason']}"
    return row["status"]


def _runs(document: Document) -> str:
    name, counts = document["period"]["name"], document["counts"]
    total = sum(counts.values())
    if not total:
        return f"no drill was run in {name}: nothing is proved"
    said = ", ".join(f"{counts[key]:,} {word}" for key, word in COUNTS.items() if counts[key])
    return f"{words.plural(total, 'run')} in {name}: {said}"


def _time(document: Document) -> str:
    found = document["means"]["mttr"]
    seconds = clauses.span(found["seconds"])
    if seconds is None:
        return "how long users would wait for a recovery is not known: no run has a recovery time"
    over = f"over {found['counted']} of {words.plural(found['of'], 'run')}"
    if seconds.hi is None:
        return f"a recovery took {words.at_least(seconds.lo)} or more on average, {over}"
    return f"users were served again after {words.interval(seconds)} on average, {over}"


def _gaps(document: Document) -> str:
    gaps = document["gaps"]
    if not gaps:
        return "no gap is open"
    late = sum(gap["overdue"] for gap in gaps)
    oldest = f", the oldest for {age(gaps[0])}" if gaps[0]["age_days"] is not None else ""
    said = f"{words.plural(len(gaps), 'gap is', 'gaps are')} open{oldest}"
    return said + (f"; {words.plural(late, 'is', 'are')} past the day on which it was due" if late else "")


def _due(document: Document) -> str:
    drills = document["drills"]
    found = {status: sum(row["status"] == status for row in drills) for status in STATUS}
    said = [
        (found[status], one, many)
        for status, one, many in (
            ("overdue", "is overdue", "are overdue"),
            ("never run", "was never run", "were never run"),
            ("unknown", "has a schedule that cannot be told", "have a schedule that cannot be told"),
        )
        if found[status]
    ]
    if not drills:
        return "no drill is declared in this workspace"
    if not said:
        return f"no drill is overdue, of {words.plural(len(drills), 'drill')}"
    (count, one, many), *others = said
    first = words.plural(count, f"drill {one}", f"drills {many}")
    return ", ".join([first, *(words.plural(*each) for each in others)])


def _long(seconds: Interval) -> str:
    least = words.at_least(seconds.lo)
    if seconds.hi is None:
        return f"{least} or more"
    most = words.at_most(seconds.hi)
    return least if least == most else f"{least} to {most}"


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
