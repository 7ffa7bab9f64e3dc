"""What a result says in sentences: the headline, the lines of the end summary, what to do next. Pure.

Reads the document (`drillmark.result/1`) and nothing else, so that the terminal, `show` and `report.md` say the same.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any, Literal

from drillmark.model.stamp import Interval
from drillmark.report import clauses, words
from drillmark.report import headline as told
from drillmark.report.headline import next_step, verdict_words

Style = Literal["", "good", "bad", "doubt", "head", "dim"]
Document = dict[str, Any]
Line = tuple[str, Style]

STYLES: dict[str, Style] = {"passed": "good", "failed": "bad", "unknown": "doubt", "not_applicable": "dim"}
MARKS = {"passed": "ok", "failed": "FAIL", "unknown": "?", "not_applicable": "-"}
_GAPS_SHOWN = 6
_STEPS_SHOWN = 14
_WIDTH = 100
_SPOILS = ("holes", "lost_updates", "resurrected", "unexpected", "split_brain")  # counts of writes that fail a run


def headline(document: Document) -> str:
    """What happened and why, as one paragraph that takes ten seconds to read."""
    return told.tell(document).text


def interval(span: dict[str, float | None] | None) -> Interval | None:
    """An interval as it stands in the document."""
    if span is None or span["lo"] is None:
        return None
    return Interval(span["lo"], span["hi"])


def observed(item: Document) -> str:
    """What was observed of an objective, and in which phase where it was judged in several: `0.9 % in hold`."""
    text = words.observed(interval(item["observed"]), item["unit"])
    phase = words.harmless(str(item.get("phase") or ""))  # a result from before it was told has none
    return f"{text} in {phase}" if phase and item["observed"] is not None else text


def summary(document: Document, *, report: str = "", command: str = "drillmark") -> list[Line]:
    """The end of a run for a tired person: lines with the way they are meant. `command`: how Drillmark is started."""
    blank: Line = ("", "")
    lines: list[Line] = [blank]
    verdict = str(document["verdict"])
    style: Style = "doubt" if document["aborted"] or document["refused"] else STYLES[verdict]
    lines.append((f"{verdict_words(document)}  {words.harmless(document['title'])}", style))
    lines.extend((text, "") for text in _paragraph(headline(document)))
    said = _reasons(document)
    lines.extend((f"  {reason}", style) for reason in said)
    lines.append(blank)
    if document["mode"] != "experiment":
        lines.append(_actual("RTA", document["rto"], said))
        lines.append(_actual("RPA", document["rpo"], said))
    lines += _others(document, said)
    lines += _noticed(document)
    lines += _where_the_time_went(document)
    lines += _writes(document)
    lines += _gaps(document)
    lines.append(blank)
    if report:
        lines.append((f"report  {report}", ""))
    following = f"next    {words.started_as(next_step(document), command)}"
    lines.extend((text, "head") for text in textwrap.wrap(following, _WIDTH, subsequent_indent=" " * 8))
    return lines


def _paragraph(text: str) -> list[str]:
    """The text in lines; no line ends between a number and its unit."""
    kept = re.sub(r"(?<=\d) (?=(?:s|ms|min|h|d)\b)", "\N{NO-BREAK SPACE}", text)
    lines = textwrap.wrap(kept, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _reasons(document: Document) -> list[str]:
    """The reasons, harmless; that of an abort first: it explains the others."""
    reasons = [words.harmless(str(reason)) for reason in document["reasons"] if reason]
    return sorted(reasons, key=lambda reason: not reason.startswith("aborted"))


def _actual(label: str, judged: Document, said: list[str]) -> Line:
    verdict, reason = str(judged["verdict"]), words.harmless(judged["reason"])
    text = f"{label}     {words.interval(interval(judged['observed_seconds']))}"
    text += f", objective {words.duration(judged['objective_seconds'])}: {words.outcome(verdict)}"
    if reason and verdict != "passed" and not _is_said(reason, said):
        text += f" ({reason})"
    flags = [words.harmless(str(flag)) for flag in judged["flags"]]
    return text + (f" [{', '.join(flags)}]" if flags else ""), STYLES[verdict]


def _others(document: Document, said: list[str]) -> list[Line]:
    lines: list[Line] = []
    for item in document["objectives"]:
        name, verdict = str(item["name"]), str(item["verdict"])
        if name in {"rto", "rpo"} or (verdict in {"passed", "not_applicable"} and item["objective"] is None):
            continue
        reason = words.harmless(item["reason"])
        if verdict == "not_applicable" or (item["objective"] is None and _is_said(reason, said)):
            continue
        text = f"{words.objective(name)}: {words.outcome(verdict)}"
        if item["objective"] is not None:
            text += f", {observed(item)} against {words.quantity(item['objective'], item['unit'])}"
        if reason and verdict != "passed" and not _is_said(reason, said):
            text += f" ({reason})"
        lines.append((f"{MARKS[verdict]:7} {text}", STYLES[verdict]))
    return lines


def _is_said(reason: str, said: list[str]) -> bool:
    return any(text == reason or text.endswith(f": {reason}") for text in said)


def _noticed(document: Document) -> list[Line]:
    found = document.get("detection")
    if found is None:
        return []
    name = words.harmless(found["by"])
    told = {"alert": f"the alert {name}", "person": f"{name}, a person"}.get(found["kind"], "nobody")
    others = found["heard"] - (1 if found["kind"] else 0)
    text = f"noticed by {told}" + (f"; {words.plural(others, 'other message')} noted" if others else "")
    declared = words.harmless(found["declared_by"])
    if declared and declared != name:
        text += f"; declared by {declared}"
    return [(text, "" if found["kind"] else "doubt")]


def _where_the_time_went(document: Document) -> list[Line]:
    steps = [step for step in document["timeline"] if step["to_seconds"] is not None]
    if not steps:
        return []
    lines: list[Line] = [
        ("", ""),
        (f"where the time went: seconds since {clauses.zero(document)}, how long, what", "head"),
    ]
    for step in steps[:_STEPS_SHOWN]:
        lines.append((_step(step, ""), "bad" if step["status"] in {"failed", "timed_out"} else ""))
        lines.extend((_step(part, "  "), "dim") for part in step.get("parts", []))
    return lines


def _step(step: Document, indent: str) -> str:
    length = step["to_seconds"] - step["from_seconds"]
    begin = max(0.0, step["from_seconds"])
    since = f"+{begin:.1f} s" if begin < 600 else f"+{words.duration(begin)}"  # noqa: PLR2004
    took = f"{max(0.0, length) * 1000:.0f} ms" if length < 1 else words.duration(round(length, 1))
    return f"  {since:>9}  {took:>9}  {indent}{words.harmless(step['name'])}"


def _writes(document: Document) -> list[Line]:
    writers = _writers(document)
    lines = [_writer(one, named=len(writers) > 1) for one in writers if one["writes"] or len(writers) > 1]
    return [("", ""), *lines] if lines else []


def _writers(document: Document) -> list[Document]:
    found: list[Document] | None = document.get("writers")
    if found is None and document["writes"]:  # a result from before there could be several
        found = [{"name": "", "rpo": document["rpo"], "writes": document["writes"]}]
    return found or []


def _writer(writer: Document, *, named: bool) -> Line:
    writes = writer["writes"]
    name = f"{words.harmless(writer['name'])}: " if named else ""
    if writes is None:
        return f"writes  {name}not known ({words.harmless(writer['rpo']['reason'])})", "doubt"
    bad = {key: writes[key] for key in _SPOILS if writes.get(key)}
    text = f"writes  {name}{writes['acknowledged']:,} acknowledged, {writes['lost']:,} lost"
    text += "".join(f", {count:,} {key.replace('_', ' ')}" for key, count in bad.items())
    if writes["indeterminate"]:
        text += f", {writes['indeterminate']:,} never answered"
    if named:
        text += f"; RPA {words.interval(interval(writer['rpo']['observed_seconds']))}"
        text += f": {words.outcome(writer['rpo']['verdict'])}"
    return text, "bad" if bad else "doubt" if writes["lost"] else ""


def _gaps(document: Document) -> list[Line]:
    lines: list[Line] = [] if document["writes"] else [("", "")] if document["gaps"] else []
    for gap in document["gaps"][:_GAPS_SHOWN]:
        state = f"closed by {gap['closed_by']}" if gap["state"] == "closed" else f"{gap['severity']}, due {gap['due']}"
        lines.append((f"gap     {gap['id']}  {words.harmless(gap['title'])} ({state})", ""))
    left = len(document["gaps"]) - _GAPS_SHOWN
    if left > 0:
        lines.append((f"        and {left} more: drillmark gaps", "dim"))
    return lines
