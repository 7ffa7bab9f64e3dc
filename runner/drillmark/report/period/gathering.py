"""The document of a period out of results, gaps and schedules, `drillmark.period/1`. Pure.

A run without a result, a result that cannot be read, a schedule that cannot be told: each stands in the document, and
none of them is taken for good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drillmark.model.gap import Gap
from drillmark.periods import Period
from drillmark.report import clauses, headline, words
from drillmark.report.period import means

Document = dict[str, Any]

SCHEMA = "drillmark.period/1"
AGES = (7, 30, 90)  # days; older ones stand apart
_RUN_STARTED = re.compile(r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-")
_SECONDS_OF_DAY = 86400


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of the workspace. `result` None: it has none, for the reason given."""

    run: str
    drill: str
    target: str
    started: datetime
    result: Document | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A drill of the workspace, as its file has it.

    Attributes:
        due: the newest time up to now at which it was due; None: it was not.
        words: its schedule in words; empty: it has none.
        unknown: why its schedule cannot be told; empty where it can.
    """

    drill: str
    title: str
    owner: str
    due: datetime | None = None
    words: str = ""
    unknown: str = ""


def gather(
    period: Period, now: datetime, runs: Sequence[Ran], drills: Sequence[Scheduled], gaps: Sequence[Gap]
) -> Document:
    """The document. `runs`: all of the workspace, also those before the period, oldest first."""
    as_of = min(period.end, now)
    known = [ran for ran in runs if ran.started < as_of]
    inside = [ran for ran in known if ran.started >= period.begin]
    documents = [ran.result for ran in inside if ran.result is not None]
    lost = len(inside) - len(documents)
    first = max(period.begin, min((ran.started for ran in known), default=period.begin))
    watched_seconds = max(0.0, (as_of - first).total_seconds())
    told_gaps = _gaps(gaps, as_of)
    return {
        "schema": SCHEMA,
        "period": {
            "name": period.name,
            "begin": period.begin.isoformat(),
            "end": period.end.isoformat(),
            "as_of": as_of.isoformat(timespec="seconds"),
            "over": now >= period.end,
        },
        "runs": [_run(ran) for ran in inside],
        "counts": _counts(inside),
        "drills": [_drill(drill, known, as_of) for drill in drills],
        "gaps": told_gaps,
        "gap_ages": _ages(told_gaps),
        "means": {
            "mttd": _mean("mttd", means.mttd(documents, lost)),
            "mttr": _mean("mttr", means.mttr(documents, lost)),
            "mtbf": _mean("mtbf", means.mtbf(documents, lost, watched_seconds)),
        },
    }


def run_started(run: str) -> datetime | None:
    """When a run began, by its id."""
    found = _RUN_STARTED.match(run)
    return None if found is None else datetime(*(int(part) for part in found.groups()), tzinfo=UTC)


def _run(ran: Ran) -> Document:
    result = ran.result
    about: Document = {
        "run": ran.run,
        "drill": ran.drill,
        "target": words.harmless(ran.target),
        "started": ran.started.isoformat(timespec="seconds"),
    }
    if result is None:
        return about | {
            "title": "",
            "verdict": "unknown",
            "verdict_words": "NO RESULT",
            "headline": clauses.sentence(ran.reason),
            "rta": None,
            "rpa": None,
        }
    return about | {
        "title": words.harmless(result["title"]),
        "verdict": result["verdict"],
        "verdict_words": headline.verdict_words(result),
        "headline": headline.tell(result).text,
        "rta": _actual(result["rto"]),
        "rpa": _actual(result["rpo"]),
    }


def _actual(judged: Document) -> Document | None:
    if judged["verdict"] == "not_applicable" and judged["observed_seconds"] is None:
        return None
    return {
        "seconds": judged["observed_seconds"],
        "objective_seconds": judged["objective_seconds"],
        "verdict": judged["verdict"],
    }


def _counts(inside: Sequence[Ran]) -> dict[str, int]:
    found: dict[str, int] = {"passed": 0, "failed": 0, "unknown": 0, "aborted": 0, "refused": 0, "no_result": 0}
    for ran in inside:
        if ran.result is None:
            found["no_result"] += 1
        elif ran.result["refused"]:
            found["refused"] += 1
        elif ran.result["aborted"]:
            found["aborted"] += 1
        else:
            # What was not judged at all is not known.
            found[ran.result["verdict"] if ran.result["verdict"] in ("passed", "failed") else "unknown"] += 1
    return found


def _done(ran: Ran) -> bool:
    """Whether a drill was carried out: it came to a verdict, and nobody stopped it. An unknown proves nothing."""
    result = ran.result
    return result is not None and not result["aborted"] and result["verdict"] in ("passed", "failed")


def _drill(drill: Scheduled, known: Sequence[Ran], as_of: datetime) -> Document:
    done = [ran for ran in known if ran.drill == drill.drill and _done(ran)]
    last = done[-1] if done else None
    overdue = drill.due is not None and (last is None or last.started < drill.due)
    if last is None:
        status = "never run"
    elif drill.unknown:
        status = "unknown"
    elif overdue:
        status = "overdue"
    else:
        status = "done" if drill.words else "not scheduled"
    return {
        "drill": drill.drill,
        "title": words.harmless(drill.title),
        "owner": words.harmless(drill.owner),
        "schedule": words.harmless(drill.words),
        "status": status,
        "reason": words.harmless(drill.unknown),
        "due": drill.due.isoformat(timespec="minutes") if overdue and drill.due else None,
        "overdue_days": (as_of - drill.due).days if overdue and drill.due else None,
        "last_run": last.run if last else None,
        "last_started": last.started.isoformat(timespec="seconds") if last else None,
        "last_verdict": last.result["verdict"] if last and last.result else None,
    }


def _gaps(gaps: Sequence[Gap], as_of: datetime) -> list[Document]:
    """Those that stood open then, oldest first."""
    found: list[Document] = []
    for gap in gaps:
        opened = min((seen.at for seen in gap.occurrences), default="")
        began = _moment(opened) or run_started(gap.opened_by)
        closed = run_started(gap.closed_by) if gap.state == "closed" and gap.closed_by else None
        if (began is not None and began >= as_of) or (gap.state == "closed" and (closed is None or closed < as_of)):
            continue
        days = None if began is None else max(0, int((as_of - began).total_seconds() // _SECONDS_OF_DAY))
        found.append(
            {
                "id": gap.id,
                "title": words.harmless(gap.title),
                "drill": words.harmless(gap.drill),
                "severity": gap.severity,
                "kind": gap.kind,
                "owner": words.harmless(gap.owner),
                "due": words.harmless(gap.due),
                "overdue": gap.due < as_of.date().isoformat(),
                "opened": began.date().isoformat() if began else None,
                "age_days": days,
                "seen": len(gap.occurrences),
                "recommendation": words.harmless(gap.recommendation),
            }
        )
    # One whose age nobody knows may be the oldest.
    return sorted(found, key=lambda gap: (gap["age_days"] is not None, -(gap["age_days"] or 0), gap["id"]))


def _ages(gaps: Sequence[Document]) -> list[Document]:
    edges = [0, *AGES]
    rows: list[Document] = []
    for low, high in zip(edges, [*AGES, None], strict=True):
        count = sum(_within(gap["age_days"], low, high) for gap in gaps)
        rows.append({"from_days": low, "below_days": high, "count": count})
    unknown = sum(gap["age_days"] is None for gap in gaps)
    return [*rows, {"from_days": None, "below_days": None, "count": unknown}] if unknown else rows


def _within(days: int | None, low: int, high: int | None) -> bool:
    return days is not None and low <= days and (high is None or days < high)


def _mean(name: str, mean: means.Mean) -> Document:
    return {
        "seconds": None if mean.seconds is None else mean.seconds.as_json(),
        "counted": mean.counted,
        "of": mean.of,
        "reason": mean.reason,
        "definition": means.DEFINITIONS[name],
    }


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
