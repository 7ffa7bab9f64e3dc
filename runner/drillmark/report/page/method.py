"""How a run was measured, in words: method, clock, what it did not cover, versions, hashes, configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from drillmark.report import clauses, words

_SECRET = re.compile(r"passw|secret|token|credential|authoriz|api_?key|private_?key|(^|_)dsn$|cookie", re.IGNORECASE)
# Names that only say where a secret is to be found.
_REFERENCES = frozenset({"secrets", "secret"})
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")
_CONFIGURATION_CHARACTERS = 60_000


def method(document: dict[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """What section 8 says."""
    evidence = document["evidence"]
    text = json.dumps(redacted(dict(plan)), indent=1, ensure_ascii=False, default=str)
    lines = "\n".join(words.harmless(line) for line in text.split("\n"))
    return {
        "how": list(_how(document, plan)),
        "clock": _clock(evidence["clock_error_seconds"]),
        "not_covered": list(_not_covered(document, plan)),
        "versions": evidence["versions"],
        "plan_hash": evidence["plan_hash"],
        "last_hash": evidence["journal"]["last_hash"],
        "entries": evidence["journal"]["entries"],
        "samples": evidence["samples"],
        "configuration": lines[:_CONFIGURATION_CHARACTERS],
        "configuration_cut": max(0, len(lines) - _CONFIGURATION_CHARACTERS),
    }


def redacted(value: Any, name: str = "") -> Any:
    """A configuration without what may be a secret. References to secrets stay: they say where one is, not what."""
    if isinstance(value, dict):
        return {str(key): redacted(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if value and _SECRET.search(name) and name not in _REFERENCES:
        return "(redacted)"
    return _USER_IN_URL.sub("(redacted)", value)


def _how(document: dict[str, Any], plan: Mapping[str, Any]) -> Iterator[str]:
    probes = plan.get("probes")
    if probes:
        yield _BEATS.format(
            every=words.duration(probes["every_seconds"]), timeout=words.duration(probes["timeout_seconds"])
        )
        yield _RTA_OF_A_COPY if clauses.simulated(document) else _RTA
    if clauses.simulated(document) and clauses.injected(document):
        yield _SIMULATED
    if document.get("writers"):
        yield _MARKERS
    elif plan.get("positions"):
        yield _POSITIONS
    if plan.get("load"):
        yield _LOAD
    yield "Whatever was missing, torn or ambiguous makes an interval wider or a verdict unknown; it is never a pass."
    for error in document["errors"]:
        yield f"A part of the measurement failed, and what it measures is unknown: {error}"


_BEATS = (
    "Every {every} all user-level probes were sent, whatever became of those before (a beat). A beat is good if each "
    "was answered rightly within {timeout}, and is dated by when it was sent."
)
_RTA = (
    "The RTA is an interval that contains the truth: it begins between the last moment at which users were surely "
    "served and the first bad beat, and ends between the last bad beat and the first good one from which on service "
    "held. It is as wide as sampling leaves it open; timing goes on past the objective."
)
_RTA_OF_A_COPY = (
    "The RTA is an interval that contains the truth: it begins at the declaration, and ends between the last bad beat "
    "of the copy and the first good one from which on it answered. It is as wide as sampling leaves it open; timing "
    "goes on past the objective."
)
_SIMULATED = (
    "The disaster was simulated: nothing was broken. A copy was restored to the side from what stood in the backup "
    "store at the declaration, and production went on."
)
_MARKERS = (
    "Numbered writes were committed all through the run and noted in a ledger outside the store, each before it was "
    "sent and when it was acknowledged. After the recovery every one of them was read back; what was acknowledged and "
    "is not there is lost. The RPA is the age of what is missing, not the number of rows."
)
_POSITIONS = (
    "Nothing was written to the store: its log position was read all through, and data loss is told by position. "
    "Holes and split brain cannot be seen that way."
)
_LOAD = (
    "The load is closed-loop: its users wait for answers, so it understates latency under stalls. The beats are "
    "open-loop and do not; both are shown."
)


def _clock(error: float | None) -> str:
    said = (
        "Durations come from the monotonic clock of the machine that the runner and the observers ran on; wall-clock "
        "times are for people."
    )
    if error is None:
        return f"{said} No error of the wall clock is stated: two machines, or two boots, could not be compared."
    stated = "zero" if error == 0 else words.duration(error)
    return f"{said} The stated error of the wall clock is {stated}; it matters between two machines, or two boots."


def _not_covered(document: dict[str, Any], plan: Mapping[str, Any]) -> list[str]:
    flags, bare = document["flags"], document["mode"] == "experiment"
    counted, positions = bool(document.get("writers")), bool(plan.get("positions"))
    environment = document["environment"]
    if bare:
        found = {"recovery time, data loss and service level: a bare experiment measures none of them": True}
    else:
        found = {
            "recovery as users see it: the drill has no probes": not plan.get("probes"),
            "data loss: nothing was written that could have been lost": not counted and not positions,
            "holes, lost updates and split brain: they cannot be seen by log position": positions and not counted,
            "detection: no alerts were listened for": document["detection"] is None,
            "verification of what was restored: the drill has none": not plan.get("verify"),
            "a recovery: the fault was undone, nothing was restored": not plan.get("recover"),
        }
    found |= {
        "behaviour under load: the drill ran without one": not plan.get("load"),
        "proof that the fault took effect: no probe tells, the outcome of the last action stands in": (
            "effect not probed" in flags
        ),
        "the time that people take to decide: the recovery began by itself": "unattended" in flags,
        f"production: this ran against the environment {environment}, at its size": (
            bool(environment) and environment != "production"
        ),
        "whatever else may break, and any other hour than this one": True,
    }
    return [text for text, holds in found.items() if holds]
