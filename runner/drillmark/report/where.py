"""Where the time went, as a waterfall: detect, declare, start, copy, replay, switch, serve, verify. Pure.

Made of the result's stamps and steps. They explain an RTA and do not make it: a bar ends where a stamp surely was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

KINDS = ("detect", "declare", "start", "copy", "replay", "switch", "serve", "verify")
_SHORTEST_SECONDS = 0.001
_PARTS = {"copy the backup": "copy", "replay the log": "replay", "verify the backup": "start"}

ADVICE = {
    "detect": "Most of the time went by before anybody noticed. Alert on what users see (the beats' own probe), with "
    "a shorter evaluation interval and fewer repeats before it fires.",
    "declare": "Most of the time went into deciding. Write down who may declare, and on which sign; rehearse the "
    "call; let a clear alert declare by itself.",
    "start": "Most of the time went by before anything was copied. Keep the place to restore to ready, automate the "
    "first steps of the runbook, and verify backups when they are taken, not when they are needed.",
    "copy": "Most of the time went into copying. Copy in parallel, from nearer or faster storage, take incremental "
    "backups, or keep a standby that needs no copy.",
    "replay": "Most of the time went into replaying the log. Take base backups more often, so that less log follows "
    "them; give the replay faster disks; or keep a standby that replays all the time.",
    "switch": "Most of the time went into leading users over. Automate the switch, shorten time-outs and cached "
    "names, and let pools drop dead connections at once.",
    "serve": "Most of the time went by after the recovery had ended, until service was good. Look at "
    "reconnects, cold caches, retries with long pauses, and at what the load met in that stretch.",
    "verify": "Most of the time went into verification. Verify in parallel or on a sample first, and let the rest "
    "follow while users are served, where that is safe.",
    "recover": "Most of the time went into one activity of the recovery. Let it report its own parts (copy, replay), "
    "and see which of them to shorten.",
    "hold": "The fault was left in place on purpose: this drill has no recovery of its own.",
    "undo": "Most of the time went into the undo. Only this drill waits for that.",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `kind` is one of `KINDS`, or `recover`, `hold` or `undo`; times in seconds since I."""

    kind: str
    name: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.begin


def bars(document: Document) -> list[Bar]:
    """The bars, in order of time. Empty where nothing was injected."""
    if document["fault_began"] is None:
        return []
    found = [*_before(document), *_recovery(document), *_after(document)]
    return sorted((bar for bar in found if bar.seconds >= _SHORTEST_SECONDS), key=lambda bar: (bar.begin, bar.end))


def longest(found: list[Bar]) -> Bar | None:
    """The bar that took most."""
    return max(found, key=lambda bar: bar.seconds, default=None)


def untold(found: list[Bar]) -> list[str]:
    """Which parts this run does not tell apart."""
    kinds = {bar.kind for bar in found}
    return [kind for kind in KINDS if kind not in kinds]


def _before(document: Document) -> Iterator[Bar]:
    stamps = document["stamps"]
    at = _at(stamps, "t0")
    at = 0.0 if at is None else at
    for kind, stamp, name in (
        ("detect", "t_detect", "until it was noticed"),
        ("declare", "t_declare", "until it was declared"),
        ("start", "t_restore_start", "until the recovery began"),
    ):
        until = _at(stamps, stamp)
        if until is not None:
            yield Bar(kind, name, at, until)
            at = max(at, until)


def _recovery(document: Document) -> Iterator[Bar]:
    steps = [step for step in document["timeline"] if step["effect"] == "recover" and step["to_seconds"] is not None]
    restore = next((n for n in reversed(range(len(steps))) if steps[n]["parts"]), None)
    for number, step in enumerate(steps):
        if restore is None:
            yield _step("recover", step)
        elif number != restore:
            yield _step("start" if number < restore else "switch", step)
        else:
            yield from _parts(step)


def _parts(step: Document) -> Iterator[Bar]:
    at = step["from_seconds"]
    for part in step["parts"]:
        if part["from_seconds"] > at:
            yield Bar("start", f"{step['name']}: preparing", at, part["from_seconds"])
        yield Bar(_PARTS.get(part["name"], "recover"), part["name"], part["from_seconds"], part["to_seconds"])
        at = max(at, part["to_seconds"])
    if step["to_seconds"] > at:
        yield Bar("switch", f"{step['name']}: until it was done", at, step["to_seconds"])


def _after(document: Document) -> Iterator[Bar]:
    recovers = False
    for step in document["timeline"]:
        effect, ended = step["effect"], step["to_seconds"] is not None
        recovers = recovers or effect == "recover"
        if effect in {"serve", "verify"} and ended:
            yield _step(str(effect), step)
        elif effect == "hold_fault" and ended:
            yield _step("hold", step)
        elif effect == "undo" and ended and not recovers:
            yield _step("undo", step)


def _step(kind: str, step: Document) -> Bar:
    return Bar(kind, str(step["name"]), step["from_seconds"], step["to_seconds"])


def _at(stamps: Document, name: str) -> float | None:
    span = stamps.get(name)
    return None if span is None else max(0.0, (span["lo"] + span["hi"]) / 2)
