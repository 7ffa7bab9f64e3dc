"""The live screen as lines of text: what a person sees while a drill runs. Pure; drawing happens elsewhere.

Every line fits the width it is given, and the whole fits the height. Must never show a text of a drill or a
service without making it harmless first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drillmark.cli import story
from drillmark.cli.story import Line, Style, clock_text
from drillmark.engine.view import BeatState, Live, RecoveryProgress
from drillmark.model.plan import Plan
from drillmark.report import words

Segment = tuple[str, Style]
Row = list[Segment]

_LABEL = 11
_NARROW = 40
_BEATS: dict[BeatState, tuple[str, Style]] = {"good": ("■", "good"), "bad": ("✗", "bad"), "absent": ("·", "doubt")}


@dataclass(frozen=True, slots=True)
class Screen:
    """What the screen is made of besides the moment itself."""

    plan: Plan
    width: int
    height: int


def render(screen: Screen, live: Live, lines: Sequence[Line]) -> list[Row]:
    """All lines, top to bottom."""
    width = max(_NARROW, screen.width)
    empty: Row = [("", "")]
    head = [*_head(screen.plan, live, width), empty]
    body = _body(screen.plan, live, width)
    below = [_row("next", live.next, width)] if live.next and live.next != live.sentence else []
    room = screen.height - len(head) - len(body) - len(below) - 2
    tail = [_story(line, width) for line in lines[-room:]] if room > 0 else []
    gap = [empty] if tail else []
    return [*head, *body, *below, *gap, *tail][: max(1, screen.height - 1)]


def status_line(live: Live) -> str:
    """The moment in one plain line, for output that cannot be redrawn."""
    parts = [story.phase(live.phase, simulated=live.simulated), words.duration(live.phase_elapsed_seconds)]
    if live.since_fault_seconds is not None:
        since = f"{words.duration(live.since_fault_seconds)} since {words.zero(simulated=live.simulated)}"
        parts.append(f"{since}, objective {_objective(live)}")
    if live.beats:
        bad = sum(state == "bad" for state in live.beats)
        absent = sum(state == "absent" for state in live.beats)
        parts.append(f"last {len(live.beats)} beats: {bad} bad, {absent} absent")
    if live.load_per_second is not None:
        parts.append(f"load {live.load_per_second:.0f}/s")
    if live.recovery is not None:
        parts.append(_progress_text(live.recovery))
    return words.harmless("; ".join(parts))


def _head(plan: Plan, live: Live, width: int) -> list[Row]:
    left = f"{words.harmless(plan.drill)} on {words.harmless(plan.target.name)} ({plan.target.environment})"
    right = live.run.rsplit("-", 1)[-1]
    space = width - len(left) - len(right) - 4
    first: Row = [(_cut(left, width), "head")]
    if space > 0:
        first.append((" " * space + "run " + right, "dim"))
    return [first, [(_cut(words.harmless(plan.title), width), "dim")]]


def _body(plan: Plan, live: Live, width: int) -> list[Row]:
    rows = [_phase(live, width), _clock(live, width)]
    if live.beats:
        rows.append(_strip(live.beats, width))
    elif plan.probes is not None:
        rows.append(_row("beats", "none yet", width, "dim"))
    if plan.load is not None:
        rows.append(_load(live, width))
    if plan.markers:
        count = live.writes_acknowledged
        rows.append(_row("writes", "none yet" if count is None else f"{count:,} acknowledged", width))
    if live.recovery is not None:
        rows.append(_recovery(live.recovery, width))
    return rows


def _phase(live: Live, width: int) -> Row:
    elapsed = words.duration(_whole(live.phase_elapsed_seconds))
    if live.phase_total_seconds:
        elapsed += f" of {words.duration(live.phase_total_seconds)}"
    name = story.phase(live.phase, simulated=live.simulated)
    sentence = words.harmless(live.sentence).removeprefix(f"{name}: ")
    said = _cut(sentence, max(0, width - _LABEL - len(elapsed) - 2))
    pad = " " * max(1, width - max(_LABEL, len(name) + 1) - len(said) - len(elapsed))
    return [(name.ljust(_LABEL - 1) + " ", "head"), (said, ""), (pad + elapsed, "dim")]


def _clock(live: Live, width: int) -> Row:
    if live.since_fault_seconds is None:
        zero = "declaration" if live.simulated else "fault"
        return _row("clock", f"starts with the {zero}; objective {_objective(live)}", width, "dim")
    share = live.since_fault_seconds / live.rto_seconds if live.rto_seconds > 0 else 1.0
    style: Style = "bad" if share > 1 else "doubt" if share > 0.8 else "good"  # noqa: PLR2004
    text = f"{_running(live.since_fault_seconds)} of {_objective(live)}"
    if share > 1:
        text += " - objective missed, timing goes on"
    text = _cut(text, width - _LABEL)
    bar = _bar(share, width - _LABEL - len(text) - 2)
    return [("clock".ljust(_LABEL), "dim"), (text, style), ("  " + bar if bar else "", style)]


def _strip(beats: Sequence[BeatState], width: int) -> Row:
    line: Row = [("beats".ljust(_LABEL), "dim")]
    run, last = "", ""
    for state in beats[-(width - _LABEL) :]:
        if state != last and run:
            line.append((run, _BEATS[_state(last)][1]))
            run = ""
        run, last = run + _BEATS[state][0], state
    if run:
        line.append((run, _BEATS[_state(last)][1]))
    return line


def _state(text: str) -> BeatState:
    return "good" if text == "good" else "bad" if text == "bad" else "absent"


def _load(live: Live, width: int) -> Row:
    if live.load_per_second is None:
        return _row("load", "none yet", width, "dim")
    parts = [f"{live.load_per_second:,.0f} requests/s".ljust(16)]
    if live.load_p50_seconds is not None:
        parts.append(f"p50 {words.duration(live.load_p50_seconds)}".ljust(11))
    if live.load_p95_seconds is not None:
        parts.append(f"p95 {words.duration(live.load_p95_seconds)}".ljust(11))
    line: Row = [("load".ljust(_LABEL), "dim"), (_cut("  ".join(parts), width - _LABEL), "")]
    errors = live.load_errors_per_second
    if errors and sum(len(text) for text, _ in line) + 16 < width:
        line.append((f"  {errors:,.{0 if errors >= 10 else 1}f} errors/s", "bad"))  # noqa: PLR2004
    return line


def _recovery(progress: RecoveryProgress, width: int) -> Row:
    text = _progress_text(progress)
    line: Row = [("recovery".ljust(_LABEL), "dim"), (_cut(text, width - _LABEL), "")]
    done, total = progress.bytes_done, progress.bytes_total
    room = width - _LABEL - len(text) - 2
    if done is not None and total and room >= 8:  # noqa: PLR2004
        line.append(("  " + _bar(done / total, room), "good"))
    return line


def _progress_text(progress: RecoveryProgress) -> str:
    parts = [progress.stage or "at work"]
    done, total, rate = progress.bytes_done, progress.bytes_total, progress.rate_bytes_per_second
    if done is not None:
        parts.append(words.size(done) + (f" of {words.size(total)}" if total else ""))
    if rate:
        parts.append(f"{words.size(rate)}/s")
    if rate and total and done is not None and total > done:
        parts.append(f"{words.duration(_whole((total - done) / rate) or 1)} left")
    if done is None and progress.text:
        parts.append(progress.text)
    return words.harmless("  ".join(parts))


def _story(line: Line, width: int) -> Row:
    stamp = clock_text(line.at_seconds)
    return [(stamp + "  ", "dim"), (_cut(line.text, width - len(stamp) - 2), line.style)]


def _row(label: str, text: str, width: int, style: Style = "") -> Row:
    return [(label.ljust(_LABEL), "dim"), (_cut(words.harmless(text), width - _LABEL), style)]


def _bar(share: float, width: int) -> str:
    if width < 4:  # noqa: PLR2004
        return ""
    full = min(width, max(0, int(share * width)))
    return "█" * full + "░" * (width - full)


def _objective(live: Live) -> str:
    return words.duration(live.rto_seconds)


def _running(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 600 else words.duration(_whole(seconds))  # noqa: PLR2004


def _whole(seconds: float) -> float:
    return float(int(seconds))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
