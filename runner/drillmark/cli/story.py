"""Journal entries as short lines for a person who watches. Reads entries only; shows nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.phases import phase_of
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.report import words

Style = Literal["", "good", "bad", "doubt", "head", "dim"]

# Outcomes worth a line although they went well.
_TOLD = frozenset({Effect.BASELINE, Effect.PROVE_EFFECT, Effect.RECOVER, Effect.VERIFY, Effect.UNDO, Effect.READ_BACK})
_QUIET_EVENTS = frozenset({"samples_closed", "alerts_opened", "alerts_closed"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story: seconds since the run began, what happened, how it is meant."""

    at_seconds: float
    text: str
    style: Style = ""


def tell(entry: Entry, sentence: str, began: Stamp | None) -> Line | None:
    """The line for an entry, or None where nobody needs one."""
    told = _told(entry, sentence)
    if told is None or not told[0]:
        return None
    return Line(max(0.0, seconds_since(entry.stamp, began)), words.harmless(told[0], limit=300), told[1])


def clock_text(seconds: float) -> str:
    """Seconds since the run began, in a fixed width: `  +4.2 s`, ` +12:05`."""
    if seconds < 600:  # noqa: PLR2004
        return f"+{seconds:.1f} s".rjust(8)
    hours, rest = divmod(int(seconds), 3600)
    text = f"+{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"+{rest // 60}:{rest % 60:02d}"
    return text.rjust(8)


def phase(effect: str, *, simulated: bool = False) -> str:
    """The phase that an effect belongs to, as people call it."""
    return phase_of(Effect(effect), simulated=simulated) if effect in set(Effect) else effect.replace("_", " ")


def fault_began(entries: Sequence[Entry]) -> Stamp | None:
    """I: when the intent to inject was journalled for the first time."""
    return next((e.stamp for e in entries if e.kind is Kind.INTENT and e.effect is Effect.INJECT), None)


def seconds_since(stamp: Stamp, began: Stamp | None) -> float:
    """Seconds from one stamp to another; by the wall clock where the monotonic ones cannot be compared."""
    if began is None:
        return 0.0
    if stamp.same_clock(began):
        return (stamp.monotonic_ns - began.monotonic_ns) / NANOSECONDS
    return (stamp.wall_ns - began.wall_ns) / NANOSECONDS


def _told(entry: Entry, sentence: str) -> tuple[str, Style] | None:  # noqa: PLR0911 (one for each kind)
    data = entry.data
    match entry.kind:
        case Kind.RUN_STARTED:
            return f"run {entry.run}", "dim"
        case Kind.INTENT:
            return sentence or _effect_words(entry), "head" if entry.effect is Effect.INJECT else ""
        case Kind.OUTCOME:
            return _outcome(entry)
        case Kind.EVENT:
            what = str(data.get("what", ""))
            return None if what in _QUIET_EVENTS else (_event(data, sentence or what.replace("_", " ")), "doubt")
        case Kind.ABORT if data.get("refused"):
            return f"refused: {data.get('reason', '')}", "bad"
        case Kind.ABORT:
            return f"abort asked for by {_who(data.get('by'))}: {data.get('reason', '')}", "bad"
        case Kind.RESUMED:
            return f"taken up again by another runner (epoch {data.get('epoch', entry.epoch)})", "doubt"
        case Kind.GUARD:
            return _guard(data), "bad"
        case Kind.UNDONE:
            return sentence or _undone(data), "good"
        case _:  # its end, and what people decide, which stands in no run
            return None


def _undone(data: dict[str, Any]) -> str:
    if data.get("by_hand"):
        return f"{data['by_hand']} says: undone by hand"
    return "the fault is proved gone" if data.get("proved", True) else "every undo is done"


def _guard(data: dict[str, Any]) -> str:
    which = " ".join(str(data[name]) for name in ("name", "status") if data.get(name))
    why = data.get("error") or data.get("reason")
    what = str(data.get("what", "")).replace("_", " ")
    return f"the guard: {what}" + (f" {which}" if which else "") + (f" ({why})" if why else "")


def _outcome(entry: Entry) -> tuple[str, Style] | None:
    data = entry.data
    status = str(data.get("status", ""))
    name = _effect_words(entry)
    error = str(data.get("error") or data.get("reason") or "")
    if status in {Status.FAILED, Status.TIMED_OUT, Status.INDETERMINATE}:
        how = status.replace("_", " ")
        return f"{name} {how}" + (f": {error}" if error else ""), "doubt" if status == "indeterminate" else "bad"
    if data.get("good") is False or data.get("met") is False:
        return f"{name}: not good" + (f": {error}" if error else ""), "bad"
    if entry.effect not in _TOLD or status == Status.SKIPPED:
        return None
    return f"{name}: done{_took(data)}", "dim"


def _took(data: dict[str, Any]) -> str:
    try:
        started, ended = Stamp.from_json(data["started"]), Stamp.from_json(data["ended"])
    except (KeyError, TypeError, ValueError):
        return ""
    if not started.same_clock(ended):
        return ""
    return f" in {words.duration((ended.monotonic_ns - started.monotonic_ns) / NANOSECONDS)}"


def _effect_words(entry: Entry) -> str:
    effect = str(entry.data.get("effect", "")).replace("_", " ")
    name = entry.key.split(":", 1)[-1]
    return f"{effect} {name}".strip()


def _event(data: dict[str, Any], text: str) -> str:
    if data.get("what") == "alert":
        name = dict(data.get("labels") or {}).get("alertname") or data.get("route", "")
        text = f"alert {name} {data.get('status', '')}" + (
            "" if data.get("matched") else ", not one that is waited for"
        )
    elif data.get("what") == "declared":
        text = f"{data.get('by')} declares the disaster"
    elif data.get("what") == "alerts_received_at":
        return f"alerts are received at {data.get('url')}"
    reason = str(data.get("reason") or data.get("error") or "")
    return f"{text}: {reason}" if reason and reason not in text else text


def _who(by: object) -> str:
    return {
        "person": "a person",
        "guard": "a guard",
        "signal": "a signal",
        "kill_switch": "the kill switch",
        "stop": "the global stop",
    }.get(str(by), f"the {by}")
