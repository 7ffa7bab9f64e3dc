"""The clauses of the headline: what struck, when users were served again, what was lost, what else fell short. Pure.

Each reads the result document and nothing else. Must never say more than its facts: without a number it says what is
not known, and why.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drillmark.model.stamp import Interval
from drillmark.model.undo_words import UndoWords, undo_words
from drillmark.report import words

Document = dict[str, Any]

NOT_INJECTED, ENDED_BY_UNDO, STRADDLES = "fault not injected", "ended by undo", "straddles"
USERS_SAW_NOTHING = "users saw nothing"
SPOILS = {
    "holes": ("hole", "holes", "a later write survived"),
    "lost_updates": ("lost update", "lost updates", "the row is as it was before"),
    "resurrected": ("deleted row that is back", "deleted rows that are back", ""),
    "split_brain": ("write taken by both primaries", "writes taken by both primaries", "split brain"),
    "unexpected": ("write that should not be there", "writes that should not be there", ""),
    "lost_after": ("write that the restored store lost", "writes that the restored store lost", ""),
}
# Each condition: what it means that it failed, and that it is not known.
CONDITIONS = {
    "preflight": ("the preflight failed", "whether the preflight was met is not known"),
    "steady_state": ("the system was not in its steady state", "whether the steady state was met is not known"),
    "fault": ("the fault failed", "whether the fault took effect is not known"),
    "actions": ("a step of the drill failed", "whether every step was done is not known"),
    "verification": ("a verification failed", "whether the recovered system is right is not known"),
    "integrity": ("the data cannot be trusted", "whether the data are whole is not known"),
    "production": ("production did not keep its service level", "whether production kept its level is not known"),
    "source": ("the copy was restored from what it must not use", "what the copy was restored from is not known"),
    "experiment": ("the experiment failed", "how the experiment ended is not known"),
    "time_to_detect": ("nobody noticed in time", "whether it was noticed in time is not known"),
    "after_undo": ("users were not served again after the undo", "what came after the undo is not known"),
    "run": ("the run failed", "not all of the run could be judged"),
}
_REASON_LIMIT = 300
_NAME_LIMIT = 120


def reason(text: object) -> str:
    """Why, as it stands in the result: harmless, of a length that a sentence bears, without its full stop."""
    return words.harmless(str(text), limit=_REASON_LIMIT).strip().rstrip(".") or "no reason is recorded"


def name(text: object) -> str:
    """What a person called something: harmless, and not endless."""
    return words.harmless(str(text), limit=_NAME_LIMIT).strip() or "the target"


def sentence(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


def simulated(document: Document) -> bool:
    """Whether nothing was to be broken: a disaster is declared, and a copy restored to the side."""
    return "simulated disaster" in document["flags"]


def zero(document: Document) -> str:
    """What seconds count from (I)."""
    return words.zero(simulated=simulated(document))


def injected(document: Document) -> bool:
    """Whether a fault was begun, or a simulated disaster declared, as far as the result knows."""
    return document["fault_began"] is not None and document["rto"]["reason"] != NOT_INJECTED


def verdict_on(document: Document, objective: str) -> str:
    """The verdict on one objective or condition; empty where it was not judged."""
    return next((str(item["verdict"]) for item in document["objectives"] if item["name"] == objective), "")


def undo(document: Document) -> UndoWords:
    """What to call what is to be taken away, and its undo."""
    return undo_words(simulated=simulated(document))


def undone(document: Document) -> bool:
    """Whether the fault, or the copy of a simulated disaster, is proved gone."""
    return verdict_on(document, "undo") == "passed"


def span(value: dict[str, float | None] | None) -> Interval | None:
    """An interval as it stands in the document."""
    return None if value is None or value["lo"] is None else Interval(value["lo"], value["hi"])


def struck(document: Document) -> str:
    """What happened, and when: `The orders database was lost at 03:12:07 UTC`."""
    target, when = name(document["target"]), _at(document)
    if simulated(document):
        return f"the loss of {target} was simulated {when}"
    if document["stamps"].get("t0") is None:
        item = next((item for item in document["objectives"] if item["name"] == "fault"), None)
        why = reason(item["reason"]).removeprefix("fault not proved").removeprefix(": ") if item else ""
        return f"a fault was begun on {target} {when}, and nothing proves that it took effect{why and f': {why}'}"
    unproved = " (no probe proved it)" if "effect not probed" in document["flags"] else ""
    return f"{_disaster(document)} {when}{unproved}"


def served(document: Document) -> str:
    """When users were served again, held against the objective; half a sentence."""
    rto = document["rto"]
    observed, objective = span(rto["observed_seconds"]), words.duration(rto["objective_seconds"])
    who = "a copy answered" if simulated(document) else "users were served again"
    if observed is None:
        return _until_the_undo(document) or f"how long it took until {who} is not known: {reason(rto['reason'])}"
    if observed.hi is None:
        what = "the copy was not good" if simulated(document) else "service was not restored"
        least = f"{what} for at least {words.at_least(observed.lo)}, and not seen to be after that"
        never = f"{what.replace('not', 'not seen to be', 1)}"
        return f"{least if observed.lo > 0 else never}{_why(rto)}{_against(rto, objective, observed)}"
    if USERS_SAW_NOTHING in rto["flags"] or USERS_SAW_NOTHING in document["durations"].get("rta", {}).get("flags", []):
        return f"users saw nothing of it (at most {words.at_most(observed.hi)}){_against(rto, objective, observed)}"
    return f"{who} {_inserted(' later', observed)}{_against(rto, objective, observed)}"


def lost(document: Document) -> list[str]:
    """What did not come back; sentences."""
    rpo, writes = document["rpo"], document["writes"]
    observed, objective = span(rpo["observed_seconds"]), words.duration(rpo["objective_seconds"])
    if writes is None and observed is None:
        measured = "was not measured" if rpo["verdict"] == "not_applicable" else "is not known"
        return [f"how much data was lost {measured}: {reason(rpo['reason'])}"]
    if writes is None:
        assert observed is not None
        return [f"{_data(document, observed)} did not come back{_against(rpo, objective, observed)}"]
    if not writes["acknowledged"]:
        return [f"no write was acknowledged, so how much data was lost is not known: {reason(rpo['reason'])}"]
    against = _against(rpo, objective, observed or Interval(0.0, None))
    return [_writes(document, writes, observed) + against, *_spoilt(writes)]


def filed(document: Document) -> list[str]:
    """What became of gaps; sentences."""
    run = document["run"]
    still_open = [gap for gap in document["gaps"] if gap["state"] == "open"]
    opened = [gap for gap in still_open if gap.get("opened_by") == run]
    closed = [gap for gap in document["gaps"] if gap["state"] == "closed" and gap["closed_by"] == run]
    counted = (
        (len(opened), "was filed", "were filed"),
        (len(still_open) - len(opened), "is still open", "are still open"),
        (len(closed), "was closed", "were closed"),
    )
    return [f"{_count(number, 'gap')} {one if number == 1 else many}" for number, one, many in counted if number]


def fell_short(item: Document) -> str:
    """One objective or condition that is not passed."""
    called, failed = words.objective(item["name"]), item["verdict"] == "failed"
    if item["objective"] is None:
        bad, doubt = CONDITIONS.get(item["name"], (f"{called} failed", f"{called} is not known"))
        return f"{bad if failed else doubt}: {reason(item['reason'])}"
    observed, objective = span(item["observed"]), words.quantity(item["objective"], item["unit"])
    if observed is None:
        return f"{called} is not known, objective {objective}: {reason(item['reason'])}"
    said = f"{called} was {words.observed(observed, item['unit'])}, objective {objective}"
    if failed:
        why = reason(item["reason"]) if item["reason"] else "missed"
        return f"{said}: {why if why.startswith('missed') else f'missed ({why})'}"
    return f"{said}: {_doubt(item, observed)}"


def at(started: str | None, seconds: float) -> datetime | None:
    """A moment of the wall clock, so many seconds after another."""
    return None if started is None else datetime.fromisoformat(started) + timedelta(seconds=seconds)


def _disaster(document: Document) -> str:
    stated = words.harmless(str(document.get("disaster") or ""), limit=_NAME_LIMIT).strip().rstrip(".")
    return stated or f"the fault struck {name(document['target'])}"


def _at(document: Document) -> str:
    when = document["stamps"].get("t0") or {"lo": 0.0, "hi": 0.0}
    first, last = (at(document["fault_began"], when[edge]) for edge in ("lo", "hi"))
    if first is None or last is None:
        return "at a time that is not recorded"
    if (last - first).total_seconds() >= 1:
        return f"between {first:%H:%M:%S} and {last:%H:%M:%S} UTC"
    return f"at {last:%H:%M:%S} UTC"


def _until_the_undo(document: Document) -> str:
    """Where nothing but the undo ended the outage, and the drill has no recovery that could have."""
    rto = document["rto"]
    if rto["reason"] != ENDED_BY_UNDO:
        return ""
    after = document["durations"].get("after_undo")
    seen = span(after["seconds"]) if after else None
    missed = f" (objective {words.duration(rto['objective_seconds'])}: missed)" if rto["verdict"] == "failed" else ""
    said = f"users were without good service until the fault was undone{missed}"
    if seen is None:
        return said
    judged = next((item for item in document["objectives"] if item["name"] == "after_undo"), None)
    objective = judged["objective"] if judged else None
    against = _against(judged, words.duration(objective), seen) if judged and objective is not None else ""
    again = "were not seen to have it again" if seen.hi is None else f"had it again {_inserted(' later', seen)}"
    again = "had it again at once" if seen.hi == 0 else again
    return f"{said}, and {again}{against}"


def _writes(document: Document, writes: Document, observed: Interval | None) -> str:
    total = words.plural(writes["acknowledged"], "acknowledged write")
    gone = "did not come back" if document["stamps"].get("t_restore_start") else "did not survive"
    if writes["lost"]:
        of_them = "" if observed is None else f", {_amount(observed, ' of them')},"
        lost_of = f"{writes['lost']:,} of" if writes["lost"] < writes["acknowledged"] else "all"
        return f"{lost_of} {total}{of_them} {'are not in the copy' if simulated(document) else gone}"
    if writes.get("unproved"):  # a result from before there was doubt has none
        doubt = words.plural(writes["unproved"], "write")
        said = f"not one of {total} is known to be lost, but of {doubt} it cannot be told"
    else:
        said = f"not one of {total} was lost"
    if observed is None or observed.hi is None:
        return f"{said}, and how old the newest of them is has no upper bound"
    return f"{said}, and no more than {words.at_most(observed.hi)} of data"


def _spoilt(writes: Document) -> list[str]:
    found: list[str] = []
    for key, (one, many, meaning) in SPOILS.items():
        count = writes.get(key) or 0
        if count:
            found.append(words.plural(count, one, many) + (f" ({meaning})" if meaning else ""))
    return [f"the data cannot be trusted: {', '.join(found)}"] if found else []


def _data(document: Document, observed: Interval) -> str:
    blind = any(str(flag).startswith("by position") for flag in document["rpo"]["flags"])
    amount = _amount(observed, " of data")
    return f"by log position, which shows no holes, {amount}" if blind else amount


def _amount(observed: Interval, of: str) -> str:
    """How much, in seconds: `0.8 s of them (0.7 to 0.9)`."""
    if observed.hi is None:
        return f"{words.at_least(observed.lo)}{of} or more" if observed.lo > 0 else f"an unknown time{of}"
    return _inserted(of, observed) if observed.lo > 0 else f"at most {words.at_most(observed.hi)}{of}"


def _against(judged: Document, objective: str, observed: Interval) -> str:
    """The objective, and how it stands to what was observed."""
    if judged["verdict"] == "not_applicable":
        return "; this was not judged"
    said = f", objective {objective}"
    if judged["verdict"] == "passed":
        return said
    if judged["verdict"] == "failed":
        return f"{said}: missed"
    return f"{said}: {_doubt(judged, observed)}"


def _doubt(judged: Document, observed: Interval) -> str:
    if observed.hi is None:
        return "unknown whether met"
    if str(judged["reason"]).startswith(STRADDLES):
        return "unknown, as it lies between the two bounds"
    return f"unknown ({reason(judged['reason'])})"


def _why(judged: Document) -> str:
    """Why there is no upper bound, where that says more than that there is none."""
    text = str(judged["reason"])
    for known in (f"{STRADDLES}: ", STRADDLES, "not restored: ", "not restored; ", "not restored", "missed"):
        text = text.removeprefix(known)
    return f" ({reason(text)})" if text.strip() else ""


def _inserted(what: str, observed: Interval) -> str:
    """`41.3 s later (41.2 to 41.4)`."""
    value, bracket, bounds = words.interval(observed).partition(" (")
    return f"{value}{what}{bracket}{bounds}"


def _count(number: int, one: str) -> str:
    small = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return f"{small[number] if number < len(small) else f'{number:,}'} {one if number == 1 else one + 's'}"
