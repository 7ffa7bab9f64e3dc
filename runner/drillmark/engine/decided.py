"""Looks for decisions that concern a run that goes on: the global stop, and an approval that is withdrawn.

They stand in the journal store, which a fleet's workers share. Only its length is asked for, until that grows.
"""

from __future__ import annotations

from datetime import UTC, datetime

from drillmark import clock, decisions
from drillmark.engine.context import Context
from drillmark.engine.interruption import Interrupted
from drillmark.errors import JournalError, StaleEpochError
from drillmark.model.entry import Kind
from drillmark.model.stamp import NANOSECONDS

EVERY_NS = NANOSECONDS
# So long nobody may be able to tell whether everything was stopped, or the run was taken over: no longer than a worker
# of a fleet may be silent. With a shorter lease of its guard, so long as that.
_UNTOLD_SECONDS = 30.0


class Decided:
    """One run's look at the decisions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next_ns = 0
        self._length = -1
        self._read_ns = clock.monotonic_ns()
        lease = context.plan.fault.lease_seconds if context.plan.fault else _UNTOLD_SECONDS
        self._untold_ns = round(min(lease, _UNTOLD_SECONDS) * NANOSECONDS)

    def reason_to_stop(self, now_ns: int) -> Interrupted | None:
        """Why the run must stop, or None. Cheap where nothing was decided.

        Raises StaleEpochError where a worker elsewhere has taken the run over.
        """
        if now_ns < self._next_ns:
            return None
        self._next_ns = now_ns + EVERY_NS
        try:
            epoch = self._context.store.epoch_of(self._context.run)
            length = self._context.store.length(decisions.CHAIN)
            found = None if length == self._length else self._look()
        except JournalError as error:
            if now_ns - self._read_ns > self._untold_ns:
                return Interrupted("runner", f"nobody can tell whether everything was stopped: {error}")
            return None
        if epoch > self._context.epoch:
            raise StaleEpochError(
                f"run {self._context.run} was taken over by another worker", hint="this runner touches nothing any more"
            )
        self._length, self._read_ns = length, now_ns
        return found

    def _look(self) -> Interrupted | None:
        now = datetime.fromtimestamp(clock.now().wall_ns / NANOSECONDS, tz=UTC)
        state = decisions.state(decisions.read(self._context.store), now)
        if state.stop is not None:
            return Interrupted("stop", f"everything was stopped by {state.stop.by}: {state.stop.reason}")
        approved = self._approved()
        if approved in state.withdrawn:
            return Interrupted("person", f"its approval was withdrawn by {state.withdrawn[approved]}")
        return None

    def _approved(self) -> int:
        """The approval that the run rests on; 0: none."""
        cited = (
            entry.data.get("entry")
            for entry in reversed(self._context.entries)
            if entry.kind is Kind.EVENT and entry.data.get("what") == "approved"
        )
        number = next(cited, 0)
        return number if isinstance(number, int) else 0
