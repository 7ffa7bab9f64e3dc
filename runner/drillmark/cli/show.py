"""`drillmark show`: a run's stored result, or what one of its numbers rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from drillmark.cli import terminal
from drillmark.errors import UsageError

if TYPE_CHECKING:
    from drillmark.cli.stored import StoredRun

Lines = list[tuple[str, str]]
_NUMBERS = ("rto", "rpo", "slo", "time_to_detect")


@click.command()
@click.argument("run", default="last")
@click.option(
    "--why",
    metavar="NAME",
    help="What this rests on: rto, rpo, slo, time_to_detect, or an objective by its name.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, *, why: str | None, as_json: bool) -> None:
    """Show a run's result, or what a number rests on.

    RUN is its id, the beginning of it, `last`, or the folder where it lies.
    """
    from drillmark.cli import stored
    from drillmark.report import files

    found = stored.find(run)
    result = files.read(found.directory)
    why = why if why is None or result is None else _named(result, why)
    if result is None:
        _unfinished(found, as_json=as_json)
    elif why is None and as_json:
        terminal.echo_json(result)
    elif why is None:
        _summary(found, result)
    elif as_json:
        terminal.echo_json(explanation(result, why))
    else:
        terminal.echo_lines(explain(found, result, why))


def _named(result: dict[str, Any], why: str) -> str:
    """The number or the objective that is meant; `availability` is `slo.availability`."""
    from drillmark.define.nearest import hint_for

    known = list(dict.fromkeys([*_NUMBERS, *(str(item["name"]) for item in result["objectives"])]))
    for name in (why, f"slo.{why}"):
        if name in known:
            return name
    raise UsageError(f"this run has no objective `{why}`", hint=hint_for(why, known, what="there are"))


def _summary(found: StoredRun, result: dict[str, Any]) -> None:
    from drillmark import pages
    from drillmark.cli import called
    from drillmark.report import sentences

    when = f"run {result['run']}, {result['started']} to {result['ended']}"
    report = str(pages.report_of(found.directory))
    terminal.echo_lines([(when, "dim"), *sentences.summary(result, report=report, command=called.command())])


def _unfinished(found: StoredRun, *, as_json: bool) -> None:
    from drillmark.cli import states, story

    state = states.state_of(found.directory)
    if as_json:
        terminal.echo_json({"run": found.run, "state": state, "result": None})
        return
    began = found.entries[0].stamp if found.entries else None
    told = [line for entry in found.entries if (line := story.tell(entry, "", began))]
    lines: Lines = [(f"{story.clock_text(line.at_seconds)}  {line.text}", line.style) for line in told]
    said = "is running" if state == "running" else f"has no result: `drillmark resume {found.run}` ends it"
    terminal.echo_lines([*lines, (f"run {found.run} {said}", "head")])


def explanation(result: dict[str, Any], why: str) -> dict[str, Any]:
    """The parts of the result that say what a number rests on."""
    if why == "slo":
        judged = [item for item in result["objectives"] if item["name"].startswith("slo")]
        return {"run": result["run"], "slo": result["slo"], "objectives": judged}
    if why == "time_to_detect":
        parts = {"durations": {why: result["durations"][why]}, "detection": result.get("detection")}
        return {"run": result["run"], "objectives": _judged(result, why), "stamps": result["stamps"]} | parts
    if why not in _NUMBERS:
        return {"run": result["run"], "objectives": _judged(result, why)}
    actual = result[why]["actual"]
    parts = {
        name: value for name, value in result["durations"].items() if name == actual or name.startswith(f"{actual}_")
    }
    about: dict[str, Any] = {"run": result["run"], why: result[why], "durations": parts, "stamps": result["stamps"]}
    return about | ({"writes": result["writes"], "writers": result.get("writers", [])} if why == "rpo" else {})


def explain(found: StoredRun, result: dict[str, Any], why: str) -> Lines:
    """What a number rests on, for people. Raises UsageError where the run has no such number."""
    if why == "time_to_detect":
        return _detection(found, result)
    if why not in _NUMBERS:
        return _objective(found, result, why)
    return _slo(result) if why == "slo" else _number(found, result, why)


def _objective(found: StoredRun, result: dict[str, Any], name: str) -> Lines:
    """An objective that is no number of its own page: how it was judged, and what that cites."""
    lines: Lines = []
    for item in _judged(result, name):
        lines.append(_verdict(item))
        lines += _rests_on(found, result, item["cited"])
    return lines


def _verdict(item: dict[str, Any]) -> tuple[str, str]:
    from drillmark.report import sentences, words

    text = f"{words.objective(item['name'])}: {words.outcome(item['verdict'])}"
    if item["objective"] is not None:
        text += f", {sentences.observed(item)} against {words.quantity(item['objective'], item['unit'])}"
    text += f" ({item['reason']})" if item["reason"] else ""
    return words.harmless(text), sentences.STYLES[item["verdict"]]


def _judged(result: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [item for item in result["objectives"] if item["name"] == name]


def _detection(found: StoredRun, result: dict[str, Any]) -> Lines:
    from drillmark.report import sentences, words

    measured, seen = result["durations"]["time_to_detect"], result.get("detection")
    if not measured["applicable"]:
        raise UsageError(
            "this run has no time to detect", hint="it observed no alerts (observe.alerts), and nobody declared it"
        )
    lines: Lines = [(f"time to detect  {words.interval(sentences.interval(measured['seconds']))}", "head")]
    for item in _judged(result, "time_to_detect"):
        stated = "none stated" if item["objective"] is None else words.duration(item["objective"])
        verdict = item["verdict"]
        lines.append((f"objective {stated}: {words.outcome(verdict)}", sentences.STYLES[verdict]))
    if measured["reason"]:
        lines.append((words.harmless(measured["reason"]), "doubt"))
    lines += _rests_on(found, result, measured["cited"])
    if seen and seen["noted"]:
        lines += [("", ""), (f"noted ({seen['heard']} in all)", "head")]
        for noted in seen["noted"]:
            counts = {True: "counts", False: "does not count", None: "may count"}[noted["counts"]]
            text = (
                f"  {noted['entry']:5}  {_at(noted['at_seconds']['hi'])}  {noted['name']} {noted['status']}: {counts}"
            )
            lines.append((words.harmless(text + (f", {noted['why']}" if noted["why"] else "")), ""))
    return lines


def _number(found: StoredRun, result: dict[str, Any], why: str) -> Lines:
    from drillmark.report import sentences, words

    judged = result[why]
    label = judged["actual"].upper()
    observed = words.interval(sentences.interval(judged["observed_seconds"]))
    lines: Lines = [
        (f"{label}  {observed}", "head"),
        (
            f"objective {words.duration(judged['objective_seconds'])}: {words.outcome(judged['verdict'])}",
            sentences.STYLES[judged["verdict"]],
        ),
    ]
    if judged["reason"]:
        lines.append((words.harmless(judged["reason"]), "doubt"))
    lines += [(f"to be read with: {words.harmless(str(flag))}", "") for flag in judged["flags"]]
    return [*lines, *_rests_on(found, result, judged["cited"])]


def _rests_on(found: StoredRun, result: dict[str, Any], cited: dict[str, Any]) -> Lines:
    from drillmark.report import words

    lines: Lines = []
    if cited["formula"]:
        lines += [("", ""), ("formula", "head"), (f"  {words.harmless(cited['formula'])}", "")]
        if cited["filled_in"]:
            lines.append((f"  {words.harmless(cited['filled_in'])}", ""))
    if cited["terms"]:
        width = max(len(name) for name in cited["terms"])
        lines += [("", ""), ("terms (times in seconds since I, the fault's beginning)", "head")]
        lines += [(words.harmless(f"  {name:{width}}  {_value(value)}"), "") for name, value in cited["terms"].items()]
    if cited["entries"]:
        lines += [("", ""), ("journal entries", "head"), *_entries(found, cited["entries"])]
    if cited["samples"]:
        sealed = {sample["file"]: sample for sample in result["evidence"]["samples"]}
        lines += [("", ""), ("sample files", "head")]
        lines += [(words.harmless(f"  {name}  {_sealed(sealed.get(name))}"), "") for name in cited["samples"]]
    return lines or [("", ""), ("nothing is cited for it", "dim")]


def _entries(found: StoredRun, numbers: list[int]) -> Lines:
    from drillmark.cli import story
    from drillmark.report import words

    known = {entry.sequence: entry for entry in found.entries}
    began = story.fault_began(found.entries) or (found.entries[0].stamp if found.entries else None)
    lines: Lines = []
    for number in numbers:
        entry = known.get(number)
        if entry is None:
            lines.append((f"  {number:5}  is not in the journal", "bad"))
            continue
        what = " ".join(str(entry.data[key]) for key in ("effect", "key", "what", "status") if entry.data.get(key))
        lines.append(
            (words.harmless(f"  {number:5}  {_at(story.seconds_since(entry.stamp, began))}  {entry.kind} {what}"), "")
        )
    return lines


def _slo(result: dict[str, Any]) -> Lines:
    if not result["slo"]:
        raise UsageError(
            "the service level of this run was not measured", hint="it was refused, or has neither probes nor load"
        )
    lines: Lines = [_verdict(item) for item in result["objectives"] if item["name"].startswith("slo")]
    for name, phase in result["slo"].items():
        begin, end = phase["window_seconds"]
        judged = "" if phase["judged"] else ", reported only"
        beats = phase["beats"]
        lines += [("", ""), (f"{name}, {_at(begin)} to {_at(end)}{judged}", "head")]
        lines.append((f"  beats: {beats['good']} good, {beats['bad']} bad, {beats['absent']} absent", ""))
        lines.append((f"  load: {phase['requests']:,} requests, {phase['errors']:,} failed", ""))
        lines += [_indicator(each, indicator) for each, indicator in phase["indicators"].items()]
        if phase["cited"]["samples"]:
            lines.append((f"  from {', '.join(phase['cited']['samples'])}", "dim"))
    return lines


def _indicator(name: str, indicator: dict[str, Any]) -> tuple[str, str]:
    from drillmark.report import sentences, words

    observed = words.observed(sentences.interval(indicator["observed"]), indicator["unit"])
    if indicator["objective"] is None:
        return words.harmless(f"  {name:14} {observed}: reported only"), ""
    met = {True: "met", False: "missed", None: "unknown"}[indicator["met"]]
    reason = "" if indicator["reason"] in {"", met} else f" ({indicator['reason']})"
    against = words.quantity(indicator["objective"], indicator["unit"])
    return words.harmless(f"  {name:14} {observed} against {against}: {met}{reason}"), _style(met)


def _style(met: str) -> str:
    return {"met": "good", "missed": "bad", "unknown": "doubt"}.get(met, "")


def _value(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"lo", "hi"}:
        return f"{_value(value['lo'])} to {'unbounded' if value['hi'] is None else _value(value['hi'])}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _at(seconds: float) -> str:
    return f"{seconds:+.3f} s"


def _sealed(sample: dict[str, Any] | None) -> str:
    return "" if sample is None else f"{sample['rows']:,} rows, SHA-256 {sample['sha256']}"
