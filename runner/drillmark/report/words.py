"""Numbers and names as people read them, and text made harmless for terminals, Markdown and XML.

An interval is rounded outwards, so that what is printed still contains the truth. Must never round a bound
inwards, and never print an unbounded interval as a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime

from drillmark.model.stamp import Interval
from drillmark.model.verdict import Outcome

_MINUTE = 60
_HOUR = 3600
_DAY = 86400

# C0 and C1 controls, and the characters that turn the direction of writing or hide text.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~&])")

OUTCOME_WORDS = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "failed",
    Outcome.UNKNOWN: "unknown",
    Outcome.NOT_APPLICABLE: "not applicable",
}

OBJECTIVE_WORDS = {
    "rto": "recovery time (RTO)",
    "rpo": "data loss (RPO)",
    "slo": "service level",
    "slo.availability": "availability",
    "slo.error_rate": "error rate",
    "slo.throughput": "throughput",
    "slo.latency.p50": "median latency",
    "slo.latency.p95": "latency p95",
    "slo.latency.p99": "latency p99",
    "time_to_detect": "time to detect",
    "mtd": "maximum tolerable downtime (MTD)",
    "after_undo": "time to recover after the undo",
    "undo": "undo",
    "actions": "actions and recovery steps",
    "verification": "verification",
    "steady_state": "steady state",
    "preflight": "preflight",
    "integrity": "integrity of the data",
    "fault": "proof of the fault",
    "production": "production during the drill",
    "source": "what was restored from",
    "run": "course of the run",
}


def harmless(text: str, *, limit: int = 0) -> str:
    """The text without anything that a terminal obeys; controls become a visible replacement.

    Line ends and tabs become blanks. `limit` > 0 cuts it there, with an ellipsis.
    """
    clean = text
    if not text.isprintable():  # no control is; most texts are, and a page has thousands
        clean = _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", re.sub(r"[\t\r\n]+", " ", text))
    return clean if limit <= 0 or len(clean) <= limit else clean[: max(0, limit - 1)] + "…"


def markdown(text: str) -> str:
    """The text as Markdown shows it literally: no markup, no HTML, no line ends."""
    return _MARKDOWN.sub(r"\\\1", harmless(text))


def objective(name: str) -> str:
    """What an objective is called in a sentence."""
    return OBJECTIVE_WORDS.get(name, harmless(name.replace("_", " ").replace(".", " ")))


def zero(*, simulated: bool) -> str:
    """What happened at I, from which seconds count."""
    return "the disaster was declared" if simulated else "the fault began"


def outcome(value: Outcome | str) -> str:
    """A verdict as a word."""
    return OUTCOME_WORDS[Outcome(value)]


def duration(seconds: float) -> str:
    """A length of time as one says it: `4 h`, `1 h 30 min`, `12.5 s`, `80 ms`."""
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds == 0:
        return "0 s"
    if seconds < 1:
        return f"{_trim(seconds * 1000, 1 if seconds < 0.1 else 0)} ms"  # noqa: PLR2004
    if seconds < 2 * _MINUTE:
        return f"{_trim(seconds, 1)} s"
    whole = round(seconds)
    parts = (
        (whole // _DAY, "d"),
        (whole % _DAY // _HOUR, "h"),
        (whole % _HOUR // _MINUTE, "min"),
        (whole % _MINUTE, "s"),
    )
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2])


def interval(value: Interval | None) -> str:
    """A measured duration: `127.4 s (127.3 to 127.5)`. None: `not measured`."""
    if value is None:
        return "not measured"
    decimals = _decimals(value)
    lo = _floor(value.lo, decimals)
    if value.hi is None:
        return f"{lo} s or more (no upper bound)" if float(lo) > 0 else "anything (no upper bound)"
    hi = _ceil(value.hi, decimals)
    middle = (value.lo + value.hi) / 2
    if value.hi == 0:
        return "0 s"
    if middle >= 10 * _MINUTE:
        return f"{duration(middle)} ({lo} to {hi} s)"
    return f"{middle:.{decimals}f} s ({lo} to {hi})"


def at_most(seconds: float) -> str:
    """An upper bound as one says it, rounded up: `2.2 s`, `19 ms`, `1 h 31 min`."""
    return _bound(seconds, math.ceil)


def at_least(seconds: float) -> str:
    """A lower bound as one says it, rounded down."""
    return _bound(seconds, math.floor)


def quantity(value: float | None, unit: str) -> str:
    """A number in its unit: seconds as a duration, ratios in per cent, rates per second."""
    if value is None:
        return "-"
    if unit == "seconds":
        return duration(value)
    if unit == "ratio":
        return f"{_trim(value * 100, 3)} %"
    if unit in {"per_second", "per second"}:
        return f"{_trim(value, 1)}/s"
    return f"{_trim(value, 3)} {unit}".rstrip()


def observed(value: Interval | None, unit: str) -> str:
    """What was observed, in its unit, with both bounds where they differ."""
    if value is None:
        return "not measured"
    if unit == "seconds" and value.hi is not None and value.hi >= 1:
        return interval(value)
    return _span(value, unit)


def wall(wall_ns: int) -> str:
    """A wall-clock stamp for people, UTC, whole seconds."""
    return datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(wall_ns: int) -> str:
    """A wall-clock stamp for machines, UTC, microseconds."""
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest // 1000:06d}Z"


def size(count: float) -> str:
    """Bytes as people read them: `1.5 GB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":  # noqa: PLR2004
            return f"{count:.0f} {unit}" if unit == "B" else f"{_trim(count, 1)} {unit}"
        count /= 1000
    return ""


def started_as(text: str, command: str) -> str:
    """The text with its commands of Drillmark as they can be typed here: `.venv/bin/drillmark show last`."""
    return re.sub(r"(?<![\w/.-])drillmark (?=[a-z])", lambda _: f"{command} ", text)


def plural(count: int, one: str, many: str = "") -> str:
    """`1 write`, `2 writes`, `1,204 writes`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _span(value: Interval, unit: str) -> str:
    if value.hi is None:
        return f"{quantity(value.lo, unit)} or more"
    low, high = quantity(value.lo, unit), quantity(value.hi, unit)
    return low if low == high else f"{low} to {high}"


def _bound(seconds: float, rounded: Callable[[float], int]) -> str:
    """To the step that `duration` shows, so that it has nothing left to round."""
    steps = ((0.1, 0.0001), (1, 0.001), (10 * _MINUTE, 0.1), (_HOUR, 1), (_DAY, _MINUTE), (math.inf, _HOUR))
    step = next(step for below, step in steps if seconds < below)
    # Through the decimal text: 2.2 / 0.1 is 22.000000000000004 in binary, and must not be pushed outwards.
    value = rounded(round(seconds / step, 6)) * step
    return f"{_trim(value, 1)} s" if step == 0.1 else duration(value)  # noqa: PLR2004


def _decimals(value: Interval) -> int:
    if value.hi is None or value.hi - value.lo >= 0.1:  # noqa: PLR2004
        return 1
    return 2 if value.hi - value.lo >= 0.01 else 3  # noqa: PLR2004


def _floor(value: float, decimals: int) -> str:
    # Through the decimal text: 127.3 * 10 is 1273.0000000000002 in binary, and must not be pushed outwards.
    scaled = round(value * 10**decimals, 6)
    return f"{math.floor(scaled) / 10**decimals:.{decimals}f}"


def _ceil(value: float, decimals: int) -> str:
    scaled = round(value * 10**decimals, 6)
    return f"{math.ceil(scaled) / 10**decimals:.{decimals}f}"


def _trim(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
