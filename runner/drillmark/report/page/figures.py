"""The figures of the page as its template wants them, each with what it is called, and with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drillmark.model.entry import Effect, Entry, Kind
from drillmark.report import clauses, sentences, stamp_words, where, words
from drillmark.report.page.why import why
from drillmark.report.series import Series

Document = dict[str, Any]
Row = dict[str, Any]

_STRETCHES = 60
DURATIONS = {
    "time_to_detect": "Time to detect",
    "from_declaration": "From the declaration until service was good",
    "restore_verify": "Of the restore: verifying the backup",
    "restore_copy": "Of the restore: copying",
    "restore_replay": "Of the restore: replaying the log",
    "wrt": "Work recovery time, after the system was back",
    "rta_and_wrt": "RTA and work recovery time together",
    "after_undo": "From the end of the undo until users were served",
    "rpa_before_t0": "Data loss reaching back before the disaster",
    "rpa_after_t0": "Data loss after the disaster began",
    "rpa_by_position": "Data loss by log position",
}
_COUNTS = {
    "acknowledged": "acknowledged",
    "survived": "came back",
    "lost": "did not come back",
    "holes": "holes (lost, though a later write survived)",
    "lost_updates": "updates that went back",
    "resurrected": "deleted rows that are there again",
    "unexpected": "came back though never sent",
    "split_brain": "taken by the old store after the new one",
    "indeterminate": "never answered",
    "unproved": "not known whether they came back",
    "acknowledged_after": "acknowledged by the restored store",
    "lost_after": "of these, lost again",
}
# Stamp -> the entries that it rests on: (kind, effect), the first or the last of them.
_STAMP_ENTRIES: dict[str, tuple[Kind, Effect, int]] = {
    "I": (Kind.INTENT, Effect.INJECT, 0),
    "e": (Kind.OUTCOME, Effect.PROVE_EFFECT, -1),
    "t_declare": (Kind.OUTCOME, Effect.DETECT, -1),
    "t_restore_start": (Kind.INTENT, Effect.RECOVER, 0),
    "t_data_restored": (Kind.OUTCOME, Effect.RECOVER, -1),
    "t_verified": (Kind.OUTCOME, Effect.VERIFY, -1),
    "undo_begin": (Kind.INTENT, Effect.UNDO, 0),
    "undo_end": (Kind.OUTCOME, Effect.UNDO, -1),
    "soak_end": (Kind.OUTCOME, Effect.SOAK, -1),
}
_BY_BEATS = frozenset({"t0", "first_refused", "t_service_restored"})


def interval(span: dict[str, float | None] | None) -> str:
    """An interval of the document, in words."""
    return words.interval(sentences.interval(span))


def seconds(value: float | None) -> str:
    """An instant, counted from I."""
    return "" if value is None else f"{value:+,.3f} s"


def thousands(value: int | None) -> str:
    """A count."""
    return "cannot be seen" if value is None else f"{value:,}"


def gauges(document: Document) -> list[Row]:
    """RTA and RPA."""
    if document["mode"] == "experiment":
        return []
    return [
        _gauge(document["rto"], "rta", "Recovery time", "RTA against RTO"),
        _gauge(document["rpo"], "rpa", "Data loss", "RPA against RPO"),
    ]


def _gauge(judged: Document, name: str, title: str, about: str) -> Row:
    return {
        "id": name,
        "title": title,
        "about": about,
        "observed": interval(judged["observed_seconds"]),
        "objective": words.duration(judged["objective_seconds"]),
        "verdict": judged["verdict"],
        "reason": judged["reason"],
        "flags": judged["flags"],
        "why": why(judged["cited"]),
    }


def others(document: Document) -> list[Row]:
    """Every other duration that this run has."""
    found: list[Row] = []
    for name, title in DURATIONS.items():
        item = document["durations"].get(name)
        if item is None or not item["applicable"] or (item["seconds"] is None and not item["reason"]):
            continue
        found.append(
            {
                "title": title,
                "observed": interval(item["seconds"]),
                "beside": [text for text in (item["reason"], *item["flags"]) if text],
                "why": why(item["cited"]),
            }
        )
    return found


def objectives(document: Document) -> list[Row]:
    """What else was judged, beside RTO, RPO and the levels of service, which have sections of their own."""
    return [
        {
            "title": words.objective(item["name"]),
            "verdict": item["verdict"],
            "observed": words.observed(sentences.interval(item["observed"]), item["unit"])
            if item["objective"] is not None
            else "",
            "objective": "" if item["objective"] is None else words.quantity(item["objective"], item["unit"]),
            "reason": item["reason"],
            "why": why(item["cited"]),
        }
        for item in document["objectives"]
        if item["name"] not in {"rto", "rpo"} and not item["name"].startswith("slo")
    ]


def writes(document: Document) -> list[Row]:
    """What became of the writes, for each writer."""
    found: list[Row] = []
    for writer in document.get("writers") or []:
        counts = writer["writes"]
        found.append(
            {
                "name": writer["name"],
                "store": writer["store"],
                "observed": interval(writer["rpo"]["observed_seconds"]),
                "verdict": writer["rpo"]["verdict"],
                "integrity": writer["integrity"],
                "reason": writer["rpo"]["reason"],
                "counts": []
                if counts is None
                else [
                    {"title": title, "count": thousands(counts.get(name)), "zero": not counts.get(name)}
                    for name, title in _COUNTS.items()
                ],
                "lost_ids": [] if counts is None else counts["lost_ids"][:20],
                "lost": 0 if counts is None else counts["lost"],
                "why": None if counts is None else why(counts["cited"]),
            }
        )
    return found


def moments(document: Document, entries: Sequence[Entry]) -> list[Row]:
    """The stamps, each with the entry that it rests on."""
    found: list[Row] = []
    simulated = clauses.simulated(document)
    named = stamp_words.names(simulated=simulated, undone=clauses.undone(document))
    for name, said in {"I": stamp_words.begins(simulated=simulated), **named, "soak_end": "watching ends"}.items():
        span = document["stamps"].get(name)
        if span is not None:
            found.append(
                {
                    "name": name,
                    "said": said,
                    "lo": span["lo"],
                    "hi": span["hi"],
                    "entries": _entries_of(name, document, entries),
                    "beats": name in _BY_BEATS,
                }
            )
    return sorted(found, key=lambda row: row["lo"])


def _entries_of(name: str, document: Document, entries: Sequence[Entry]) -> list[int]:
    if name == "t_detect" and document["detection"]:
        return [noted["entry"] for noted in document["detection"]["noted"] if noted["counts"]][:1]
    if name not in _STAMP_ENTRIES:
        return []
    kind, effect, which = _STAMP_ENTRIES[name]
    found = [entry.sequence for entry in entries if entry.kind is kind and entry.effect is effect]
    return [found[which]] if found else []


def bars(document: Document, entries: Sequence[Entry]) -> list[Row]:
    """The bars of the waterfall as a table."""
    found = where.bars(document)
    most = where.longest(found)
    return [
        {
            "kind": bar.kind,
            "name": bar.name,
            "begin": bar.begin,
            "took": words.duration(bar.seconds),
            "longest": bar is most,
            "entries": _entries_named(bar.name, entries),
        }
        for bar in found
    ]


def _entries_named(name: str, entries: Sequence[Entry]) -> list[int]:
    """The entries of an activity by its name."""
    return [
        entry.sequence
        for entry in entries
        if entry.kind is not Kind.EVENT
        and entry.effect in (Effect.RECOVER, Effect.VERIFY)
        and entry.key.split(":", 1)[-1] in name.split(": ")
    ]


def stretches(series: Series) -> dict[str, Any]:
    """What the picture shows, in words: when users were not served, and what is missing."""
    bad = [row for row in series.beats if row["state"] != "good"]
    names = {"all": "everything", "availability": "beats", "latency": "the load", "throughput": "the load"}
    missing = {(names.get(row["panel"], row["panel"]), row["from"], row["to"], row["why"]) for row in series.missing}
    return {
        "bad": bad[:_STRETCHES],
        "more": max(0, len(bad) - _STRETCHES),
        "missing": sorted(missing, key=lambda item: item[1])[:_STRETCHES],
    }


def gaps(document: Document) -> list[Row]:
    """The gaps, the open ones first, each with the objective that it fell short of and what that rests on."""
    stated = {item["name"]: item for item in document["objectives"]}
    rank = {"high": 0, "medium": 1, "low": 2}
    found: list[Row] = []
    for gap in document["gaps"]:
        item = stated.get(gap["objective"])
        has = item is not None and item["objective"] is not None
        judged = document.get(gap["objective"]) if gap["objective"] in {"rto", "rpo"} else item
        found.append(
            gap
            | {
                "promised": words.quantity(item["objective"], item["unit"]) if has and item is not None else "it holds",
                "why": why(judged["cited"]) if judged else None,
            }
        )
    return sorted(found, key=lambda gap: (gap["state"] == "closed", rank.get(gap["severity"], 3)))
