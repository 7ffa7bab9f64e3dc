"""A worker: it beats, takes what it was given, gives what is due to who is free, and takes over from the dead.

All workers are alike; whoever looks first does what is to be done. Cut off from the database it begins nothing, and
waits. Given up by the others it ends what it started, touches nothing, and joins anew under another id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from drillmark import clock
from drillmark.engine.early import run_id
from drillmark.errors import DrillmarkError
from drillmark.fleet import admitting, claims, members, overdue
from drillmark.fleet.admitting import Queued
from drillmark.fleet.agenda import Agenda
from drillmark.fleet.claims import Claim
from drillmark.fleet.database import Database, short
from drillmark.fleet.missing import Filing, Missing
from drillmark.fleet.performing import Performer
from drillmark.fleet.plans import Planned
from drillmark.fleet.queue import FleetQueue
from drillmark.fleet.terms import Terms, grace_seconds
from drillmark.fleet.warden import Warden
from drillmark.fleet.wishes import Wishes
from drillmark.model.stamp import NANOSECONDS

_SWEPT_AFTER = timedelta(hours=1)
_UNCLAIMED_SECONDS = 15.0
_AGAIN_SECONDS = 1.0
_SHORTEST_SECONDS = 0.01

T = TypeVar("T")


@dataclass(slots=True)
class Worker:
    """One worker, in this process.

    Attributes:
        say: told what happens, a line each.
        on_missed: files the gap of what could not begin within its time; as `missing` has it.
    """

    root: Path
    database: Database
    terms: Terms
    performer: Performer
    say: Callable[[str], None]
    on_missed: Filing = lambda _late: ""
    worker: str = ""
    _agenda: Agenda | None = None
    _queue: FleetQueue | None = None
    _beaten_ns: int = 0
    _draining: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lost: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)
    _gone: threading.Event = field(default_factory=threading.Event)
    _active: dict[str, Claim] = field(default_factory=dict[str, Claim])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _waited: dict[str, int] = field(default_factory=dict[str, int])
    _cut_off: bool = False
    _next_in_seconds: float | None = None
    _missed: Missing = field(init=False)

    def __post_init__(self) -> None:
        self._missed = Missing(self.database, self.say)

    def run(self) -> bool:
        """Work until drained; returns False where the others gave this worker up, and it should join anew."""
        terms = self.terms
        with self.database.transaction() as connection:
            before_ns = clock.monotonic_ns()
            self.worker = members.join(connection, terms.labels, terms.slots, terms.lease_seconds)
        self._beaten_ns = before_ns
        warden = Warden(terms.lease_seconds)
        beats = threading.Thread(target=self._beats, daemon=True)
        beats.start()
        self._agenda = Agenda(self.root, self.database, self.say, Wishes(self.root))
        self._queue = FleetQueue(
            self.database, self.worker, terms.slots, self._heartbeat, self._perform, terms.look_seconds,
            terms.poll_seconds,
        )  # fmt: skip
        try:
            self._queue.launch()
            labels = ", ".join(f"{name}={value}" for name, value in sorted(terms.labels.items())) or "no labels"
            self.say(f"worker {self.worker} is ready: {terms.slots} at once, {labels}")
            self._guarded(self._heartbeat)
            self._loop()
        finally:
            self._gone.set()
            self._leave(warden)
            beats.join(terms.lease_seconds)
        return not self._lost.is_set()

    def drain(self) -> None:
        """Take nothing new; end when what is under way has ended. A second time: hand over at once."""
        if self._draining.is_set():
            self._stopping.set()
        self._draining.set()
        self._wake.set()

    def under_way(self) -> list[str]:
        """The runs that this worker has in hand."""
        with self._lock:
            return [claim.run for claim in self._active.values() if claim.run]

    def is_draining(self) -> bool:
        """Whether it takes nothing new any more."""
        return self._draining.is_set()

    def next_due(self) -> dict[str, float]:
        """Drill -> when its next occurrence may start, in seconds since 1970, as far as it has looked."""
        return self._agenda.next_due() if self._agenda is not None else {}

    def planned(self) -> list[Planned]:
        """The drills with a schedule, as this worker last read them."""
        return self._agenda.planned() if self._agenda is not None else []

    def may_begin(self) -> bool:
        """Whether an effect may begin: the others still know, by a beat not older than a lease, that this one lives."""
        silent_seconds = (clock.monotonic_ns() - self._beaten_ns) / NANOSECONDS
        return not self._lost.is_set() and silent_seconds < self.terms.lease_seconds

    def _loop(self) -> None:
        next_burial_ns = 0
        drained_by_ns: int | None = None
        while not self._lost.is_set():
            moment_ns = clock.monotonic_ns()
            if moment_ns >= next_burial_ns:
                next_burial_ns = moment_ns + round(self.terms.lease_seconds / 3 * NANOSECONDS)
                self._guarded(self._bury)
            self._guarded(self._tend)
            if self._draining.is_set():
                if drained_by_ns is None:
                    drained_by_ns = moment_ns + round(self.terms.drain_seconds * NANOSECONDS)
                    self.say(f"draining: {len(self._active)} under way")
                if moment_ns >= drained_by_ns:
                    self._stopping.set()
                self._guarded(self._stop_taking)
                if not self._active:
                    return
            self._wake.wait(self._pause_seconds())
            self._wake.clear()

    def _pause_seconds(self) -> float:
        """Until the next look: at the very moment when a drill is due, where that is sooner."""
        soon = self.terms.poll_seconds if self._next_in_seconds is None else self._next_in_seconds
        return max(_SHORTEST_SECONDS, min(self.terms.poll_seconds, soon))

    def _beats(self) -> None:
        """Say that this worker lives; in a thread of its own, as other work may take its time."""
        while not self._gone.wait(self.terms.lease_seconds / 4):
            self._guarded(self._beat)
            if self._lost.is_set():
                return

    def _beat(self) -> None:
        before_ns = clock.monotonic_ns()
        with self.database.transaction() as connection:
            state = members.beat(connection, self.worker)
        if state == members.LOST:
            self.say("the others have given this worker up: it touches nothing any more")
            self._lost.set()
            self._wake.set()
            return
        self._beaten_ns = before_ns

    def _bury(self) -> None:
        grace = grace_seconds(self.terms.lease_seconds, self.terms.undo_seconds)
        for worker, names in claims.bury(self.database, grace).items():
            self.say(f"worker {worker} is lost" + (f"; to be taken over: {', '.join(names)}" if names else ""))
            assert self._queue is not None
            self._queue.forget(worker)

    def _tend(self) -> None:
        """Give what is due to who is free, and see that what was given to this one arrives."""
        assert self._agenda is not None
        assert self._queue is not None
        with self.database.transaction() as connection:
            news = admitting.news(connection, self.worker)
        self._next_in_seconds = news.next_in_seconds
        if news.is_due:
            for queued in admitting.admit(self.database, self.terms.limits, self._agenda.hours.against):
                self._queue.put(queued)
        self._look_after(news.given)

    def _look_after(self, given: list[Queued]) -> None:
        """What was given to this worker and does not come through DBOS is put there again, or given back."""
        assert self._queue is not None
        now_ns = clock.monotonic_ns()
        self._waited = {queued.name: self._waited.get(queued.name, now_ns) for queued in given}
        for queued in given:
            waited_seconds = (now_ns - self._waited[queued.name]) / NANOSECONDS
            if waited_seconds > _UNCLAIMED_SECONDS:
                claims.give_back(self.database, queued, "it did not come through the queue")
            elif waited_seconds > _UNCLAIMED_SECONDS / 5:
                self._queue.put(queued)

    def _stop_taking(self) -> None:
        with self.database.transaction() as connection:
            members.leave(connection, self.worker, members.DRAINING)
        for name in claims.hand_over(self.database, self.worker):
            self.say(f"handed over: {name}")

    def _heartbeat(self) -> None:
        """What the fleet does once at a time: look what is due, and what has waited too long."""
        # DBOS begins the next although one is still at it. On a slow database they would wait for each other's rows,
        # each with a connection, until there is none left for those that do the work.
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look()
        finally:
            self._looking.release()

    def _look(self) -> None:
        assert self._agenda is not None
        assert self._queue is not None
        try:
            self._read_calendar(self._agenda)
            for one in overdue.tell_unheard(self.database, self.worker):
                self.say(f"{one.occurrence}: {one.says}")
            self._missed.end(self.on_missed)
            self._queue.sweep(datetime.now(tz=UTC) - _SWEPT_AFTER)
        except SQLAlchemyError as error:
            self._say_cut_off(error)

    def _read_calendar(self, agenda: Agenda) -> None:
        try:
            agenda.look()
        except DrillmarkError as error:  # what waits already goes on all the same
            self.say(f"the calendar cannot be read: {error}")

    def _perform(self, occurrence: str, turn: int) -> str:
        """Perform what DBOS brought; called in a thread of DBOS's. Returns how it ended, and never raises."""
        claim = self._until_told(lambda: self._claim(occurrence, turn))
        if claim is None:
            return "not ours"
        with self._lock:
            self._active[occurrence] = claim
        try:
            self.say(f"{occurrence}: run {claim.run} begins" if not claim.taking_over else f"{occurrence}: taken over")
            ending = self.performer.perform(claim, self._must_stop)
            held = self._until_told(lambda: claims.finish(self.database, claim, ending))
        finally:
            with self._lock:
                self._active.pop(occurrence, None)
        if not held:
            return "taken over by another"
        self.say(f"{occurrence}: {ending.verdict}" + (f" ({ending.reason})" if ending.reason else ""))
        self._wake.set()
        return ending.verdict

    def _claim(self, occurrence: str, turn: int) -> Claim | None:
        if self._draining.is_set():
            return None
        name = occurrence.partition("@")[0]
        return claims.claim(self.database, occurrence, turn, self.worker, run_id(name, clock.now().wall_ns))

    def _must_stop(self) -> bool:
        return self._stopping.is_set() or self._lost.is_set()

    def _until_told(self, ask: Callable[[], T]) -> T | None:
        """What the database says, however long it takes to come back; None where this worker is given up."""
        while not self._lost.is_set():
            try:
                return ask()
            except SQLAlchemyError as error:
                self._say_cut_off(error)
                self._lost.wait(_AGAIN_SECONDS)
        return None

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do what needs the database; without it, go on and try again at the next turn."""
        try:
            work()
        except SQLAlchemyError as error:
            self._say_cut_off(error)
        else:
            if self._cut_off:
                self._cut_off = False
                self.say("the database is there again")

    def _say_cut_off(self, error: SQLAlchemyError) -> None:
        if not self._cut_off:
            self._cut_off = True
            self.say(f"cut off from the database, nothing begins: {short(error)}")

    def _leave(self, warden: Warden) -> None:
        if not self._lost.is_set():
            try:
                claims.hand_over(self.database, self.worker)
                with self.database.transaction() as connection:
                    members.leave(connection, self.worker, members.GONE)
                if self._queue is not None:
                    self._queue.forget(self.worker)
            except SQLAlchemyError as error:
                self._say_cut_off(error)
        if self._queue is not None:
            self._queue.close()
        warden.close()
