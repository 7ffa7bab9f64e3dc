"""Two or more results side by side, `drillmark.comparison/1`: each number held against the first run's. Pure.

Must never call a difference what lies within the intervals, nor call equal what is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from drillmark.model.stamp import Interval
from drillmark.report import clauses, headline, words
from drillmark.report.differences import WITHIN, Kind, Said, counts, spans, texts

Document = dict[str, Any]
Section = Literal["verdict", "recovery", "time", "service", "writes", "gaps", "method"]

SCHEMA = "drillmark.comparison/1"
# In what order a report has them.
SECTIONS: dict[Section, str] = {
    "verdict": "verdicts",
    "recovery": "recovery time and data loss",
    "time": "where the time went",
    "service": "service level",
    "writes": "writes",
    "gaps": "gaps",
    "method": "what was run, and how",
}
KINDS: dict[Kind, str] = {
    "differs": "what differs",
    "unknown": "not known of each",
    "within": "differences that lie within the intervals: there may be none",
    "same": "the same",
    "reported": "reported only",
}
DURATIONS = {
    "time_to_detect": "time to detect",
    "wrt": "work after the recovery (WRT)",
    "rta_and_wrt": "RTA and WRT",
    "after_undo": "time to recover after the undo",
    "from_declaration": "from the declaration on",
    "restore_verify": "restore: verify the backup",
    "restore_copy": "restore: copy the backup",
    "restore_replay": "restore: replay the log",
}
_COUNTED = {"lost": "lost writes", "indeterminate": "writes never answered", "acknowledged": "acknowledged writes"}
_ONLY_REPORTED = ("indeterminate", "acknowledged")
# Rows of the timeline that span others.
WHOLE = ("users without good service", "without a copy that answers")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was compared.

    Attributes:
        shown: as people read it, for each run.
        values: for machines: an interval, a number, a text, or None.
        said: how each stands to the first; empty for the first itself.
    """

    section: Section
    name: str
    unit: str
    kind: Kind
    shown: tuple[str, ...]
    values: tuple[Any, ...]
    said: tuple[str, ...]


def compare(documents: Sequence[Document]) -> Document:
    """The comparison of two or more results. Differences come first, each kind in the order of a report."""
    rows = list(_rows(documents))
    order = list(KINDS)
    rows.sort(key=lambda row: order.index(row.kind))
    return {
        "schema": SCHEMA,
        "runs": [_run(document, LETTERS[n]) for n, document in enumerate(documents)],
        "notes": _notes(documents),
        "summary": _summary(rows, len(documents)),
        "rows": [
            {
                "section": row.section,
                "name": row.name,
                "unit": row.unit,
                "kind": row.kind,
                "shown": list(row.shown),
                "values": list(row.values),
                "said": list(row.said),
            }
            for row in rows
        ],
    }


def _run(document: Document, letter: str) -> Document:
    return {
        "letter": letter,
        "run": document["run"],
        "drill": document["drill"],
        "title": words.harmless(document["title"]),
        "target": words.harmless(document["target"]),
        "started": document["started"],
        "verdict": document["verdict"],
        "verdict_words": headline.verdict_words(document),
        "headline": headline.tell(document).text,
    }


def _notes(documents: Sequence[Document]) -> list[str]:
    """What a reader must know before any number: that these are not runs of the same thing."""
    found: list[str] = []
    for key, what in (("drill", "drills"), ("target", "targets"), ("environment", "environments"), ("mode", "modes")):
        named = list(dict.fromkeys(words.harmless(str(document[key])) for document in documents))
        if len(named) > 1:
            found.append(f"these are different {what}: {', '.join(named)}")
    plans = {document["evidence"]["plan_hash"] for document in documents}
    if len(plans) > 1 and not found:
        found.append("the drill, its target or its experiment was changed between these runs: their plans differ")
    return found


def _summary(rows: Sequence[Row], count: int) -> list[str]:
    """Each run but the first in one sentence."""
    actuals = {row.name: row for row in rows if row.section == "recovery"}
    verdicts = next(row.values for row in rows if row.section == "verdict" and row.name == "verdict")
    steps = [row for row in rows if row.section == "time"]
    return [
        clauses.sentence(f"{LETTERS[n]} against A: {'; '.join(_against_first(actuals, verdicts, steps, n))}")
        for n in range(1, count)
    ]


def _against_first(actuals: dict[str, Row], verdicts: Sequence[Any], steps: Sequence[Row], n: int) -> list[str]:
    parts: list[str] = []
    if verdicts[n] != verdicts[0]:
        parts.append(f"the verdict is {verdicts[n].lower()}, not {verdicts[0].lower()}")
    for name, what in (("RTA", "the recovery time"), ("RPA", "the data loss")):
        row, said = actuals[name], actuals[name].said[n]
        if row.values[0] is None and row.values[n] is None:
            parts.append(f"{what} is not known of either")
        elif row.values[0] is None or row.values[n] is None:
            parts.append(f"{what} is known of one of them only")
        else:
            parts.append(f"{what} is {said or 'the same'}" if said != WITHIN else f"{what} differs {WITHIN}, if at all")
        step = _most_changed(steps, n) if name == "RTA" and said not in ("", WITHIN) else None
        if step is not None:
            parts.append(f'the step that changed most is "{step.name}", {step.said[n]}')
    return parts


def _most_changed(steps: Sequence[Row], n: int) -> Row | None:
    """Of the steps that both runs ended; the outage as a whole is no step."""
    both = [row for row in steps if row.name not in WHOLE and row.values[0] is not None and row.values[n] is not None]
    found = max(both, key=lambda row: abs(row.values[n] - row.values[0]), default=None)
    return None if found is None or found.values[n] == found.values[0] else found


def _rows(documents: Sequence[Document]) -> Iterator[Row]:
    yield _texts("verdict", "verdict", [headline.verdict_words(document) for document in documents])
    yield from _verdicts(documents)
    for key, label in (("rto", "RTA"), ("rpo", "RPA")):
        yield _spans("recovery", label, "seconds", [clauses.span(one[key]["observed_seconds"]) for one in documents])
        objectives = [words.duration(document[key]["objective_seconds"]) for document in documents]
        yield _texts("recovery", f"{key.upper()} (objective)", objectives)
    for name, label in DURATIONS.items():
        found = [document["durations"].get(name) for document in documents]
        measured = [clauses.span(one["seconds"]) if one else None for one in found]
        if any(one is not None for one in measured):
            yield _spans("recovery", label, "seconds", measured)
    yield from _steps(documents)
    yield from _service(documents)
    yield from _writes(documents)
    gaps = [sorted(gap["id"] for gap in document["gaps"] if gap["state"] == "open") for document in documents]
    yield _texts("gaps", "open gaps", [", ".join(ids) or "none" for ids in gaps])
    yield from _method(documents)


def _verdicts(documents: Sequence[Document]) -> Iterator[Row]:
    names = dict.fromkeys(item["name"] for document in documents for item in document["objectives"])
    for name in names:
        found = [clauses.verdict_on(document, name) for document in documents]
        shown = [words.outcome(verdict) if verdict else "not judged" for verdict in found]
        yield _texts("verdict", words.objective(name), shown)


def _steps(documents: Sequence[Document]) -> Iterator[Row]:
    """How long each step took, as the journal stamps it: these explain an RTA and have no interval of their own."""
    names = dict.fromkeys(step["name"] for document in documents for step in document["timeline"])
    for name in names:
        took = [_took(document, name) for document in documents]
        shown = tuple("-" if one is None else words.duration(round(one, 3)) for one in took)
        said = tuple(
            "" if n == 0 or one is None or took[0] is None else _longer(one - took[0]) for n, one in enumerate(took)
        )
        yield Row("time", words.harmless(name, limit=60), "seconds", "reported", shown, tuple(took), said)


def _took(document: Document, name: str) -> float | None:
    """All steps of that name together; None: there is none, or one never ended."""
    steps = [step for step in document["timeline"] if step["name"] == name]
    if not steps or any(step["to_seconds"] is None for step in steps):
        return None
    return sum(max(0.0, step["to_seconds"] - step["from_seconds"]) for step in steps)


def _longer(seconds: float) -> str:
    return f"{words.duration(round(abs(seconds), 3))} {'longer' if seconds > 0 else 'shorter'}" if seconds else "equal"


def _service(documents: Sequence[Document]) -> Iterator[Row]:
    phases = dict.fromkeys(phase for document in documents for phase in document["slo"])
    for phase in phases:
        levels = [document["slo"].get(phase) for document in documents]
        names = dict.fromkeys(name for level in levels if level for name in level["indicators"])
        for name in names:
            found = [level["indicators"].get(name) if level else None for level in levels]
            unit = next(one["unit"] for one in found if one)
            judged = any(one and one["objective"] is not None for one in found)
            judged = judged and any(level["judged"] for level in levels if level)
            observed = [clauses.span(one["observed"]) if one else None for one in found]
            label = f"{words.objective(f'slo.{name}')} in {words.harmless(phase)}"
            yield _spans("service", label, unit, observed, only_reported=not judged)
        for key in ("bad", "absent"):
            beats = [level["beats"][key] if level else None for level in levels]
            if any(beats):
                yield _counts("service", f"{key} beats in {words.harmless(phase)}", beats, only_reported=True)


def _writes(documents: Sequence[Document]) -> Iterator[Row]:
    if not any(document["writes"] for document in documents):
        return
    names = _COUNTED | {key: many for key, (_, many, _) in clauses.SPOILS.items()}
    for key, label in names.items():
        found = [document["writes"].get(key) if document["writes"] else None for document in documents]
        if any(found) or key == "lost":
            yield _counts("writes", label, found, only_reported=key in _ONLY_REPORTED)


def _method(documents: Sequence[Document]) -> Iterator[Row]:
    hashes = [str(document["evidence"]["plan_hash"] or "not known")[:12] for document in documents]
    yield _texts("method", "plan", hashes)
    names = dict.fromkeys(name for document in documents for name in document["evidence"]["versions"])
    for name in names:
        versions = [str(document["evidence"]["versions"].get(name) or "not known") for document in documents]
        yield _texts("method", words.harmless(name, limit=40), [words.harmless(one, limit=40) for one in versions])
    flags = [", ".join(words.harmless(str(flag)) for flag in document["flags"]) or "none" for document in documents]
    yield _texts("method", "to be read with", flags)


def _texts(section: Section, name: str, found: list[str]) -> Row:
    told = texts(found)
    return Row(section, name, "", told.kind, tuple(found), tuple(found), told.said)


def _counts(section: Section, name: str, found: list[int | None], *, only_reported: bool = False) -> Row:
    told: Said = counts(found)
    shown = tuple("not known" if one is None else f"{one:,}" for one in found)
    return Row(section, name, "count", "reported" if only_reported else told.kind, shown, tuple(found), told.said)


def _spans(section: Section, name: str, unit: str, found: list[Interval | None], *, only_reported: bool = False) -> Row:
    told = spans(found, unit)
    # As the page of a run says them.
    shown = tuple(words.interval(one) if section == "recovery" else words.observed(one, unit) for one in found)
    values = tuple(None if one is None else one.as_json() for one in found)
    return Row(section, name, unit, "reported" if only_reported else told.kind, shown, values, told.said)
