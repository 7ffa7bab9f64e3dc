"""A period as Markdown. Pure. Pictures are files beside it: whoever writes the text writes them too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drillmark.report import words
from drillmark.report.period import telling

Document = dict[str, Any]


def render(document: Document, pictures: Mapping[tuple[str, str], str] | None = None) -> str:
    """The text. `pictures`: (drill, `rta` or `rpa`) -> file name; without them it has none."""
    return "\n".join(_lines(document, pictures or {})).rstrip() + "\n"


def drills_of(document: Document) -> list[str]:
    """Drills with a run in the period, in order."""
    return list(dict.fromkeys(run["drill"] for run in document["runs"]))


def drawn(document: Document) -> list[tuple[str, str]]:
    """Of which drill, and which number of it, there is a trend."""
    found: list[tuple[str, str]] = []
    for drill in drills_of(document):
        runs = [run for run in document["runs"] if run["drill"] == drill]
        found += [(drill, name) for name in ("rta", "rpa") if any(run[name] is not None for run in runs)]
    return found


def _lines(document: Document, pictures: Mapping[tuple[str, str], str]) -> Iterator[str]:
    md = words.markdown
    yield from (f"# Drills of {document['period']['name']}", "", f"{telling.span(document)} (UTC).", "")
    yield from (md(" ".join(telling.sentences(document))), "")
    yield from ("| | | over |", "| --- | --- | --- |")
    for name, label in telling.MEANS.items():
        value = document["means"][name]
        yield f"| {label} | {md(telling.mean(value, name))} | {md(telling.counted(value))} |"
    yield ""
    for name, label in telling.MEANS.items():
        yield f"- {label}: {md(document['means'][name]['definition'])}"
    yield from _trend(document, pictures)
    yield from _gaps(document)
    yield from _drills(document)


def _trend(document: Document, pictures: Mapping[tuple[str, str], str]) -> Iterator[str]:
    md = words.markdown
    yield from ("", "## Runs", "")
    if not document["runs"]:
        yield "None."
    for drill in drills_of(document):
        yield from (f"### {md(drill)}", "")
        shown = [(name, pictures[drill, name]) for name in ("rta", "rpa") if (drill, name) in pictures]
        yield from (
            f"![{name.upper()} of {md(drill)} over {document['period']['name']}]({file})" for name, file in shown
        )
        if shown:
            yield ""
        yield from ("| started | verdict | RTA | RPA | run |", "| --- | --- | --- | --- | --- |")
        for run in document["runs"]:
            if run["drill"] == drill:
                numbers = f"{md(telling.actual(run['rta']))} | {md(telling.actual(run['rpa']))}"
                when = run["started"][:16].replace("T", " ")
                yield f"| {when} | {run['verdict_words']} | {numbers} | {md(run['run'])} |"
        yield ""


def _gaps(document: Document) -> Iterator[str]:
    md = words.markdown
    yield from ("## Open gaps, oldest first", "")
    if not document["gaps"]:
        yield from ("None.", "")
        return
    classes = (f"{row['count']:,} of {telling.bucket(row)}" for row in document["gap_ages"] if row["count"])
    yield from (f"{', '.join(classes)}.", "")
    yield from ("| gap | open for | severity | due | owner | what |", "| --- | --- | --- | --- | --- | --- |")
    for gap in document["gaps"]:
        due = f"{gap['due']}{' (overdue)' if gap['overdue'] else ''}"
        yield (
            f"| {gap['id']} | {telling.age(gap)} | {gap['severity']} | {md(due)} | {md(gap['owner'])} | "
            f"{md(gap['title'])} |"
        )
    yield ""


def _drills(document: Document) -> Iterator[str]:
    md = words.markdown
    yield from ("## Drills of this workspace", "")
    if not document["drills"]:
        yield "None."
        return
    yield from ("| drill | stands | last run | verdict | schedule |", "| --- | --- | --- | --- | --- |")
    for row in document["drills"]:
        last = (row["last_started"] or "-")[:10]
        verdict = words.outcome(row["last_verdict"]) if row["last_verdict"] else "-"
        yield f"| {md(row['drill'])} | {md(telling.drill(row))} | {last} | {verdict} | {md(row['schedule'] or '-')} |"
