"""The journal's entries, in the order in which a reader asks for them: what was begun, and how it ended.

Only what was journalled up to the stop of the observers is read: nothing can happen to the target after it, and
measuring a stored run again reads what was read on the day. Attempts that an event declared void are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.stamp import Stamp

_sequence = attrgetter("sequence")


@dataclass(slots=True)
class Ran:
    """One effect of the run, all its attempts."""

    effect: Effect
    key: str
    intents: list[Entry] = field(default_factory=list[Entry])
    outcomes: list[Entry] = field(default_factory=list[Entry])

    @property
    def outcome(self) -> Entry | None:
        """The outcome of the last attempt; None while that has none."""
        if not self.outcomes or (self.intents and self.intents[-1].sequence > self.outcomes[-1].sequence):
            return None
        return self.outcomes[-1]

    @property
    def data(self) -> dict[str, Any]:
        """What the last outcome says; empty where there is none."""
        return {} if self.outcome is None else self.outcome.data

    @property
    def status(self) -> str:
        """How the last attempt ended; empty where it did not."""
        return str(self.data.get("status", ""))

    @property
    def good(self) -> bool | None:
        """Whether it succeeded and was within its tolerance; None: it did not end, or nobody knows how."""
        if self.outcome is None or self.status in ("", Status.INDETERMINATE, Status.SKIPPED):
            return None
        return self.status == Status.SUCCEEDED and self.data.get("good") is not False

    @property
    def begun(self) -> Stamp | None:
        """The intent of the first attempt."""
        return self.intents[0].stamp if self.intents else None

    @property
    def ended(self) -> Stamp | None:
        """When the last attempt really ended, as its outcome says; else when that was journalled."""
        if self.outcome is None:
            return None
        return stamp_in(self.outcome.data.get("ended")) or self.outcome.stamp

    @property
    def sequences(self) -> tuple[int, ...]:
        """The entries."""
        return tuple(sorted(entry.sequence for entry in (*self.intents, *self.outcomes)))


@dataclass(slots=True)
class History:
    """A run's entries, looked up by effect."""

    entries: tuple[Entry, ...]
    finished: bool  # the run came to the point from which on it is measured
    _ran: dict[tuple[Effect, str], Ran]
    _events: dict[str, list[Entry]]

    def one(self, effect: Effect) -> Ran:
        """An effect without a key; empty where it was never begun."""
        return self._ran.get((effect, "")) or Ran(effect, "")

    def all(self, effect: Effect) -> list[Ran]:
        """Effects of a kind, by the index in their key."""
        found = [ran for (kind, _), ran in self._ran.items() if kind is effect]
        return sorted(found, key=lambda ran: (_index(ran.key), ran.key))

    def of(self, kind: Kind) -> Iterator[Entry]:
        """Entries of a kind."""
        return (entry for entry in self.entries if entry.kind is kind)

    def events(self, what: str) -> Sequence[Entry]:
        """Events of that name."""
        return self._events.get(what, [])


def read(entries: Sequence[Entry]) -> History:
    """Index the entries that count."""
    counted: list[Entry] = []
    finished = False
    for entry in sorted(entries, key=_sequence):
        if entry.kind is Kind.EVENT:
            counted.append(entry)
            continue
        finished = entry.kind is Kind.RUN_ENDED or (entry.kind is Kind.INTENT and entry.effect is Effect.CONCLUDE)
        if finished:
            break
        counted.append(entry)
        finished = (
            entry.kind is Kind.OUTCOME
            and entry.effect is Effect.STOP_OBSERVERS
            and entry.data.get("status") != Status.INDETERMINATE
        )
        if finished:
            break
    return History(tuple(counted), finished, _index_effects(counted), _index_events(counted))


def stamp_in(value: Any) -> Stamp | None:
    """A stamp out of an entry's data, or None where there is none that makes sense."""
    try:
        return Stamp.from_json(value)
    except (KeyError, TypeError, ValueError):
        return None


def _index_events(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind is Kind.EVENT and isinstance(what := entry.data.get("what"), str):
            found.setdefault(what, []).append(entry)
    return found


def _index_effects(entries: Sequence[Entry]) -> dict[tuple[Effect, str], Ran]:
    ran: dict[tuple[Effect, str], Ran] = {}
    for entry in entries:
        if entry.kind is Kind.EVENT:
            if void := entry.data.get("voided"):
                ran = {place: found for place, found in ran.items() if place[0].value not in set(void)}
            continue
        effect = entry.effect
        if effect is None or entry.kind not in (Kind.INTENT, Kind.OUTCOME):
            continue
        found = ran.setdefault((effect, entry.key), Ran(effect, entry.key))
        (found.intents if entry.kind is Kind.INTENT else found.outcomes).append(entry)
    return ran


def _index(key: str) -> int:
    head = key.split(":", 1)[0]
    return int(head) if head.isdecimal() else 0
