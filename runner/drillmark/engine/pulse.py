"""What the runner does while it waits: renew its lease, look for reasons to stop, feed the face.

Everything that waits, waits through here, so that no wait can outlive a kill switch. A reason to stop is raised
as Interrupted, once; while the undo runs (`shielded`) nothing interrupts.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType

from drillmark import clock, processes
from drillmark.engine.context import Context
from drillmark.engine.incoming import Incoming
from drillmark.engine.interruption import SIGNALS, Interrupted
from drillmark.engine.live import Tails
from drillmark.engine.reasons import Reasons
from drillmark.engine.view import Live
from drillmark.model.entry import Effect, Kind
from drillmark.model.plan import Plan
from drillmark.model.stamp import NANOSECONDS

TICK_SECONDS = 0.02
_SHORTEST_SECONDS = 0.002
_LEASE_NS = NANOSECONDS // 2
_LOOK_NS = NANOSECONDS // 5
_VIEW_NS = NANOSECONDS // 2


def _own_parts(plan: Plan) -> int:
    # Requests of other machines carry the stamps of their clocks: nothing for a face that counts the last seconds.
    return plan.load.parts if plan.load is not None and not plan.load.workers else 0


class Pulse:
    """The runner's heartbeat. One for each run that this process drives."""

    def __init__(self, context: Context, undo_seconds: float) -> None:
        self._context = context
        self._undo_seconds = undo_seconds
        self.tails = Tails(context.paths, tuple(one.ledger for one in context.plan.markers), _own_parts(context.plan))
        self.reasons = Reasons(context, self.tails)
        self.incoming = Incoming(context)
        self._next = {"lease": 0, "look": 0, "view": 0}
        self._signal = ""
        self._shielded = False
        self._interrupted = False
        self._phase: tuple[Effect | None, str, int, float | None] = (None, "", clock.monotonic_ns(), None)
        self.next_sentence = ""

    @contextmanager
    def signals(self) -> Generator[None]:
        """Catch INT, TERM and HUP for as long as the run is driven."""
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def shielded(self) -> Generator[None]:
        """Nothing interrupts in here: the undo runs."""
        before, self._shielded = self._shielded, True
        self.renew_lease()
        try:
            yield
        finally:
            self._shielded = before

    def stopped_already(self) -> None:
        """The run was stopped before it was taken up again: it is not stopped once more."""
        self._interrupted = True

    @property
    def watched(self) -> set[str]:
        """The roles whose end is an event."""
        return self.reasons.watched

    def guards_must_hold(self) -> None:
        """Raises Interrupted where one of the drill's guards fails, or is not watched: nothing may be injected."""
        if "guards" in self.watched and (failing := self.reasons.guards.failing()):
            self._interrupt("guard", failing)

    def phase(self, effect: Effect, sentence: str, total_seconds: float | None = None) -> None:
        """A new effect begins."""
        self._phase = (effect, sentence, clock.monotonic_ns(), total_seconds)

    def wait(self, seconds: float | None, until: Callable[[], bool] | None = None) -> bool:
        """Wait so long, or until a condition is true; returns whether it became true.

        Raises Interrupted, and StaleEpochError where the run was taken over.
        """
        began = clock.monotonic_ns()
        deadline = None if seconds is None else began + round(seconds * NANOSECONDS)
        while True:
            self.tick()
            if until is not None and until():
                return True
            remaining = TICK_SECONDS if deadline is None else (deadline - clock.monotonic_ns()) / NANOSECONDS
            if remaining <= 0:
                return False
            # What is over soon is seen soon.
            waited = (clock.monotonic_ns() - began) / NANOSECONDS
            time.sleep(min(TICK_SECONDS, remaining, max(_SHORTEST_SECONDS, waited / 10)))

    def tick(self) -> None:
        """One look around; cheap enough for fifty a second."""
        now = clock.monotonic_ns()
        if self._due("lease", now, _LEASE_NS):
            self.renew_lease()
        if self._due("look", now, _LOOK_NS):
            self._context.check_epoch()
            self.tails.follow()
            self.reasons.look_at_children(now)
            self.incoming.look()
            self._look_for_reasons(now)
        if self._signal and not self._shielded and not self._interrupted:
            self._interrupt("signal", f"it received {self._signal}")
        if self._due("view", now, _VIEW_NS):
            self._show(now)

    def renew_lease(self) -> None:
        """Tell the guard that this runner lives."""
        me = processes.identify(os.getpid())
        body = {
            "renewed_ns": clock.monotonic_ns(),
            "boot": clock.boot_id(),
            "epoch": self._context.epoch,
            "runner": me.as_json() if me else None,
            # An abort that is being obeyed is no reason for the guard to act, however long the undo takes.
            "stopping": self._shielded or self._interrupted,
        }
        path = self._context.paths.lease
        temporary = path.with_name("lease.tmp")
        # Not synced: after a power cut there is no runner whose lease could matter.
        with suppress(OSError):
            temporary.write_text(json.dumps(body), encoding="utf-8")
            temporary.chmod(0o600)
            temporary.replace(path)

    def _due(self, what: str, now: int, period_ns: int) -> bool:
        if now < self._next[what]:
            return False
        self._next[what] = now + period_ns
        return True

    def _look_for_reasons(self, now: int) -> None:
        if self._shielded or self._interrupted:
            return
        reason = self.reasons.reason_to_stop(now)
        if reason is not None:
            self._interrupt(reason.by, reason.reason)

    def _interrupt(self, by: str, reason: str) -> None:
        self._interrupted = True
        self.renew_lease()
        raise Interrupted(by, reason)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self._signal or self._interrupted:
            self._context.view.notice(
                f"{name} again: the fault is being undone, which may take up to {self._undo_seconds:.0f} s;"
                " a second signal does not cut it short"
            )
            return
        self._signal = name
        self._context.view.notice(f"{name}: undoing what may be in effect, then stopping")

    def _show(self, now: int) -> None:
        effect, sentence, since, total = self._phase
        begun = next(
            (
                entry.stamp.monotonic_ns
                for entry in self._context.entries
                if entry.kind is Kind.INTENT and entry.effect is Effect.INJECT
            ),
            None,
        )
        load = self.tails.load()
        plan = self._context.plan
        self._context.view.tick(
            Live(
                run=self._context.run,
                phase=str(effect) if effect else "start",
                sentence=sentence,
                phase_elapsed_seconds=(now - since) / NANOSECONDS,
                phase_total_seconds=total,
                since_fault_seconds=None if begun is None else (now - begun) / NANOSECONDS,
                rto_seconds=plan.objectives.rto_seconds,
                beats=self.tails.strip(),
                load_per_second=load.per_second if load else None,
                load_p50_seconds=load.p50_seconds if load else None,
                load_p95_seconds=load.p95_seconds if load else None,
                load_errors_per_second=load.errors_per_second if load else None,
                writes_acknowledged=self.tails.writes_acknowledged,
                recovery=self.tails.recovery() if effect is Effect.RECOVER else None,
                next=self.next_sentence,
                simulated=plan.simulated,
            )
        )
