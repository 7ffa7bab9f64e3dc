"""Writes to the event log, and to Chaos Toolkit's own journal, what chaoslib does, while it does it.

Imported in the experiment child alone. Must never let a new effect begin that could not be written down first.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaoslib import substitute
from chaoslib.run import RunEventHandler

from drillmark.chaos.events import EventLog, Phase, What
from drillmark.chaos.growing import Growing
from drillmark.chaos.layout import name_of, timeout_seconds
from drillmark.chaos.values import cut, failure_text, jsonable, provider_failure
from drillmark.files import write_durably, write_whole

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from drillmark.chaos.redact import Redactor
    from drillmark.chaos.settle import Settled


logger = logging.getLogger("drillmark.chaos")


class EventLogLostError(SystemExit):
    """The event log cannot be written, so nothing new may begin.

    A SystemExit, because chaoslib swallows every Exception that an event handler raises.
    """


@dataclass(slots=True)
class Place:
    """Where in the experiment this thread is, and what it has seen there."""

    phase: Phase
    index: int
    started: bool = False
    ended: bool = False
    run: dict[str, Any] | None = None


@dataclass
class Recorder(RunEventHandler):
    """Follows an experiment. Its handlers are called by chaoslib, in the thread that runs the activity."""

    events: EventLog
    redactor: Redactor
    settled: Settled
    journal_path: Path
    journal_copy: Path | None = None
    phase: Phase = Phase.BEFORE
    method_began: bool = False
    gate_failed: bool = False
    journal: dict[str, Any] | None = None
    undone: set[int] = field(default_factory=set[int])
    _thread: threading.local = field(default_factory=threading.local)
    _growing: Growing = field(default_factory=Growing)
    _told_during: set[bool] = field(default_factory=set[bool])

    @contextlib.contextmanager
    def at(self, place: Place) -> Generator[Place]:
        """What this thread runs within the block stands at that place."""
        self._thread.place = place
        try:
            yield place
        finally:
            self._thread.place = None

    def started(self, experiment: dict[str, Any], journal: dict[str, Any]) -> None:  # noqa: ARG002
        """Keep the journal that chaoslib fills."""
        self.journal = journal

    def start_method(self, experiment: dict[str, Any]) -> None:  # noqa: ARG002
        """From here on something may be in effect."""
        self.phase = Phase.METHOD
        self.method_began = True

    def start_activity(self, activity: dict[str, Any]) -> None:
        """Called right before the provider. Raises `EventLogLostError` if it cannot be written."""
        place = self._place()
        place.started = True
        try:
            written = self._write(What.ACTIVITY_STARTED, place, activity, timeout_seconds=self._limit(activity))
        except Exception:
            # It would be swallowed, and the activity would begin unseen.
            logger.exception("the event log cannot be written")
            written = False
        if not written and place.phase in (Phase.BEFORE, Phase.DURING, Phase.METHOD):
            raise EventLogLostError("the event log cannot be written")
        self.keep_journal()

    def activity_completed(self, activity: dict[str, Any], run: dict[str, Any]) -> None:
        """Called right after the provider, also while an exception is on its way."""
        place = self._place()
        place.ended, place.run = True, run
        if run.get("status") == "succeeded":
            error = provider_failure(activity, run.get("output"))
            status = "failed" if error else "succeeded"
        elif run.get("status") == "failed":
            status, error = "failed", failure_text(run)
        else:
            # chaoslib's record has no status: what raised past it may have begun something. An undo has not succeeded.
            status = "failed" if place.phase is Phase.ROLLBACKS else "indeterminate"
            error = _in_flight()
        self._write(
            What.ACTIVITY_ENDED, place, activity, status=status, output=self._stored(run.get("output")), error=error
        )
        self.keep_journal()

    def hypothesis_before_completed(
        self, experiment: dict[str, Any], state: dict[str, Any] | None, journal: dict[str, Any]
    ) -> None:
        """The gate: if it is not met, the method will not run."""
        del experiment, journal
        self._hypothesis(Phase.BEFORE, state)
        if state is not None and not state["steady_state_met"]:
            self.gate_failed = True
            self.events.write(What.GATE_FAILED, phase=Phase.BEFORE.value, error=self._missed(state))

    def hypothesis_after_completed(
        self, experiment: dict[str, Any], state: dict[str, Any] | None, journal: dict[str, Any]
    ) -> None:
        """Whether the steady state is back."""
        del experiment, journal
        self._hypothesis(Phase.AFTER, state)

    def hypothesis_unchecked(self, error: BaseException) -> None:
        """The hypothesis after raised past chaoslib: nobody knows whether it is met."""
        text = self.redactor.text(f"{type(error).__name__}: {error}")
        self.events.write(What.HYPOTHESIS_COMPLETED, phase=Phase.AFTER.value, status="indeterminate", error=text)

    def never_started(self, place: Place, activity: dict[str, Any], error: BaseException) -> None:
        """An activity ended before its provider was called (a reference that leads nowhere, a control)."""
        if not place.ended:
            place.ended = True
            text = f"{type(error).__name__}: {error}"
            self._write(What.ACTIVITY_ENDED, place, activity, status="failed", error=text)

    def continuous_hypothesis_iteration(self, iteration_index: int, state: Any) -> None:
        """A steady state that is met during the method, or missed, which chaoslib lets pass: each told once."""
        del iteration_index
        if state is not None and (met := bool(state["steady_state_met"])) not in self._told_during:
            self._told_during.add(met)
            self._hypothesis(Phase.DURING, state)
        self.keep_journal()

    def keep_journal(self, *, ended: bool = False) -> None:
        """Write Chaos Toolkit's journal as it is by now. A disk that is full is no reason to stop an undo.

        In between it is replaced as a whole too, but not synced: whoever kills this process finds the newest one, and
        after a power cut the event log tells.
        """
        if self.journal is None:
            return
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: a background thread is filling it
            text = self._growing.text(self.journal, self.redactor, ended=ended)
            for path in filter(None, (self.journal_path, self.journal_copy)):
                (write_durably if ended else write_whole)(path, text)

    def _place(self) -> Place:
        return getattr(self._thread, "place", None) or Place(self.phase, -1)

    def _write(self, what: What, place: Place, activity: dict[str, Any], **fields: Any) -> bool:
        if "error" in fields:
            fields["error"] = cut(self.redactor.text(fields["error"]))
        return self.events.write(
            what,
            phase=place.phase.value,
            index=place.index,
            name=self.redactor.text(name_of(activity)),
            type=str(activity.get("type", "")),
            **fields,
        )

    def _limit(self, activity: dict[str, Any]) -> float | None:
        provider = activity.get("provider") or {}
        limits = {"type": provider.get("type"), "timeout": provider.get("timeout")}
        declared = {"timeout": activity.get("timeout"), "provider": limits}
        return timeout_seconds(substitute(declared, self.settled.configuration, self.settled.secrets))

    def _stored(self, output: Any) -> Any:
        return cut(self.redactor.value(jsonable(output)))

    def _hypothesis(self, phase: Phase, state: dict[str, Any] | None) -> None:
        if state is not None:
            met = bool(state["steady_state_met"])
            status, error = ("met", "") if met else ("missed", self._missed(state))
            self.events.write(What.HYPOTHESIS_COMPLETED, phase=phase.value, status=status, error=error)

    def _missed(self, state: dict[str, Any]) -> str:
        probe = state["probes"][-1]
        name = name_of(probe["activity"])
        if probe.get("status") == "failed":
            return self.redactor.text(f"the steady state probe '{name}' failed: {failure_text(probe)}")
        shown = json.dumps(self._stored(probe.get("output")), ensure_ascii=False)[:300]
        return self.redactor.text(f"the steady state probe '{name}' is not within its tolerance: {shown}")


def _in_flight() -> str:
    error = sys.exc_info()[1]
    return "it ended without a status" if error is None else f"{type(error).__name__}: {error}"
