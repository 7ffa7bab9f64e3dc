"""What of a drill is news to people, and in which words. Pure: entries, moments and results in, news out.

Must never hold more than what stands in the journal and the result, from which secrets are taken out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from drillmark.define.notifications import News as Event
from drillmark.engine.view import Live
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.phases import phase_of
from drillmark.report import headline, words

Tone = Literal["info", "success", "warning", "failure"]
# So much of the objective is used, and users are not served: whoever can help should know while it can be helped.
AT_RISK_RATIO = 0.8
_NOT_RESTORED = frozenset({Effect.INJECT, Effect.PROVE_EFFECT, Effect.DETECT, Effect.RECOVER})
_PERHAPS_RESTORED = frozenset({Effect.SIDE, Effect.FAULT, Effect.VERIFY, Effect.SOAK})
_NEWEST_BEATS = 3
_LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Message:
    """One piece of news, in words."""

    event: Event
    title: str
    text: str = ""
    tone: Tone = "info"
    drill: str = ""
    run: str = ""
    verdict: str = ""

    def as_json(self) -> dict[str, str]:
        """The form in which it waits on disk."""
        return {name: str(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        """The inverse. Raises KeyError."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})


@dataclass(slots=True)
class Newsroom:
    """Follows one run and says what is news. Each piece is news once."""

    run: str = ""
    drill: str = ""
    target: str = ""
    title: str = ""
    _at_risk: bool = False
    _aborted: bool = False
    _began: bool = False
    _simulated: bool = False

    def catch_up(self, entries: Sequence[Entry]) -> None:
        """What happened before this runner came is no news any more, but it must be known."""
        for entry in entries:
            self.entry(entry, "")

    def entry(self, entry: Entry, sentence: str) -> list[Message]:  # noqa: PLR0911 (one for each kind)
        """The news in an entry. What ends a run is told by `ended`, which also knows the result."""
        data = entry.data
        self._simulated = self._simulated or bool(entry.effect is Effect.INJECT and data.get("simulated"))
        match entry.kind:
            case Kind.RUN_STARTED:
                self.run, self.drill, self.target = entry.run, str(data.get("drill")), str(data.get("target"))
                self.title = sentence
                return []
            case Kind.INTENT if not self._began and not self._aborted:
                # Not with `run_started`: a run that is refused (its target is busy) ends right after that.
                self._began = True
                return [self._message("start", f"{self.drill} has started", self._what())]
            case Kind.ABORT:
                return self._abort(data)
            case Kind.EVENT if data.get("what") == "approval_wanted":
                return [approval_wanted(self.drill, self._what())]
            case Kind.GUARD if data.get("what") in ("acting", "undo_failed"):
                return self._guard(data)
            case Kind.RESUMED:
                return [self._message("start", f"{self.drill} was taken up again by another runner", self._what())]
            case _:
                return []

    def tick(self, live: Live) -> list[Message]:
        """The news in a moment: the objective is at risk."""
        used = live.since_fault_seconds
        if self._at_risk or used is None or used < AT_RISK_RATIO * live.rto_seconds or not is_down(live):
            return []
        self._at_risk = True
        phase = phase_of(Effect(live.phase), simulated=live.simulated) if live.phase in set(Effect) else live.phase
        since = f"{words.duration(used)} since {words.zero(simulated=live.simulated)}"
        text = f"{since}, objective {words.duration(live.rto_seconds)}; now: {phase}"
        if live.sentence:
            text += f", {words.harmless(live.sentence, limit=_LONGEST_TEXT)}"
        share = round(100 * used / live.rto_seconds)
        return [self._message("at_risk", f"{self.drill}: {share} % of its RTO is used", text, "warning")]

    def ended(self, entry: Entry, result: Mapping[str, Any] | None) -> list[Message]:
        """The news of the end, and of each gap that this run filed."""
        verdict = str(entry.data.get("verdict", "unknown"))
        title = f"{self.drill}: {verdict}"
        tone: Tone = {"passed": "success", "failed": "failure"}.get(verdict, "warning")  # type: ignore[assignment]
        if result is None:
            return [self._message("end", title, "there is no result", tone, verdict)]
        document = dict(result)
        told = headline.tell(document)
        title = f"{self.drill}: {told.verdict.lower()}"
        text = f"{told.text}\n{self._what()}\nNext: {told.then}"
        gaps = [gap for gap in document["gaps"] if gap["state"] == "open"]
        return [self._message("end", title, text, tone, verdict), *map(self._gap, gaps)]

    def _abort(self, data: Mapping[str, Any]) -> list[Message]:
        reason = words.harmless(str(data.get("reason", "")), limit=_LONGEST_TEXT)
        first, self._aborted = not self._aborted, True
        if data.get("refused"):
            return [self._message("abort", f"{self.drill} was refused", f"{reason}\n{self._what()}", "warning")]
        if not first:
            return []
        by = str(data.get("by", "")).replace("_", " ")
        undo = "Its copy is taken away" if self._simulated else "Its fault is undone"
        undone = f"{undo} before it ends." if self._began else ""
        text = f"Asked for by: {by}. {reason}\n{undone}\n{self._what()}"
        return [self._message("abort", f"{self.drill} is aborted", text, "failure")]

    def _guard(self, data: Mapping[str, Any]) -> list[Message]:
        self._aborted = True
        if data.get("what") == "undo_failed":
            error = words.harmless(str(data.get("error", "")), limit=_LONGEST_TEXT)
            undo = "take the copy away" if self._simulated else "undo the fault"
            title = f"{self.drill}: its guard could not {undo}"
            return [self._message("abort", title, f"{error}\n{self._what()}", "failure")]
        reason = words.harmless(str(data.get("reason", "")), limit=_LONGEST_TEXT)
        text = f"{reason}\n{self._what()}"
        undo = "takes the copy away" if self._simulated else "undoes the fault"
        return [self._message("abort", f"{self.drill}: its guard {undo}", text, "failure")]

    def _gap(self, gap: Mapping[str, Any]) -> Message:
        text = (
            f"{gap['id']}, {gap['severity']}, due {gap['due']}, owner {words.harmless(str(gap['owner']))}\n"
            f"observed: {words.harmless(str(gap['observed']), limit=_LONGEST_TEXT)}\n"
            f"{words.harmless(str(gap['recommendation']), limit=_LONGEST_TEXT)}\n{self._what()}"
        )
        return self._message("gap_filed", f"gap: {words.harmless(str(gap['title']))}", text, "warning")

    def _what(self) -> str:
        title = f"{words.harmless(self.title, limit=_LONGEST_TEXT)}\n" if self.title else ""
        return f"{title}run {self.run}, target {words.harmless(self.target)}"

    def _message(self, event: Event, title: str, text: str, tone: Tone = "info", verdict: str = "") -> Message:
        return Message(event, title, text, tone, self.drill, self.run, verdict)


def approval_wanted(drill: str, reason: str) -> Message:
    """A drill waits for somebody to approve it."""
    lines = "\n".join(words.harmless(line, limit=_LONGEST_TEXT) for line in reason.split("\n"))
    text = f"{lines}\ndrillmark approve {drill} --by NAME"
    return Message("approval_wanted", f"{drill} wants an approval", text, "warning", drill)


def overdue(drill: str, reason: str) -> Message:
    """A drill that should have passed by now has not."""
    return Message("overdue", f"{drill} is overdue", words.harmless(reason, limit=_LONGEST_TEXT), "warning", drill)


def is_down(live: Live) -> bool:
    """Whether users are, as far as a moment shows, not served yet."""
    if live.phase in _NOT_RESTORED:
        return True
    newest = live.beats[-_NEWEST_BEATS:]
    return live.phase in _PERHAPS_RESTORED and bool(newest) and all(beat != "good" for beat in newest)
