"""The parent's end of an experiment: starts the child, tells it when to go on, reads its event log.

Must never import chaoslib, nor decide anything: the engine does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from drillmark import clock
from drillmark.chaos.events import Event, EventReader, What
from drillmark.chaos.launch import Child
from drillmark.model.stamp import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillmark.chaos.ahead import Ahead
    from drillmark.processes import ProcessIdentity

_MODULE = "drillmark.chaos.child"
_EXIT_SECONDS = 4.0


class ExperimentChild:
    """A child that runs one experiment; see `drillmark.chaos.child` for what it does on which command."""

    def __init__(self, child: Child, event_log: Path, told: Mapping[str, Any] | None = None) -> None:
        self._child = child
        self._told = dict(told or {})
        self._reader = EventReader(event_log)
        self._unread: list[Event] = []
        self._running: dict[tuple[str, int], Event] = {}
        self._finished = False

    @classmethod
    def spawn(
        cls, event_log: Path, *, log_path: Path, environment: Mapping[str, str] | None = None, folder: str = ""
    ) -> ExperimentChild:
        """Start the child and wait for nothing. It has no experiment yet. Raises OSError if it cannot be started."""
        event_log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(Child.start(_MODULE, log_path=log_path, environment=environment, folder=folder), event_log)

    @classmethod
    def take(cls, ahead: Ahead, event_log: Path, *, log_path: Path, environment: Mapping[str, str]) -> ExperimentChild:
        """Take a child that is there already. Where its log is, and its environment, it is told with its request."""
        told = {"log": str(log_path), "environment": dict(environment)}
        return cls(Child(ahead.process, ahead.stdin), event_log, told)

    def ask(self, request: Mapping[str, Any]) -> None:
        """Hand the child its experiment. It does nothing with it before it is told to `go`.

        Request: `experiment`, `configuration_resolved` (or None), `event_log`, `journal_path`, `run_dir`,
        `hold_after_method` (True), `settings` ({}), `variables` ({}). For a bare experiment `bare` (the plan's, with
        `vars` or `experiment`) in place of `experiment`, its configuration and settings; it does not hold.
        """
        self._child.send_line(json.dumps({**request, **self._told}))

    @classmethod
    def start(
        cls, request: Mapping[str, Any], *, log_path: Path, environment: Mapping[str, str] | None = None
    ) -> ExperimentChild:
        """Start the child with its request and wait for nothing; see `ask`."""
        child = cls.spawn(Path(str(request["event_log"])), log_path=log_path, environment=environment)
        child.ask(request)
        return child

    @property
    def identity(self) -> ProcessIdentity:
        """The child's pid and start time; it leads its process group."""
        return self._child.identity

    @property
    def alive(self) -> bool:
        """Whether the child lives still."""
        return self._child.alive

    def send(self, command: Literal["go", "finish", "undo"]) -> None:
        """Tell the child. It hears `finish` and `undo` when its method is over, not in the middle of an activity."""
        self._child.send_line(command)

    def poll(self) -> list[Event]:
        """The events that came since the last call."""
        self._absorb()
        events, self._unread = self._unread, []
        return events

    @property
    def running(self) -> list[Event]:
        """Activities that began and have not ended, by the events polled so far."""
        return list(self._running.values())

    def overdue(self, default_seconds: float | None = None) -> list[Event]:
        """Running activities that take longer than they themselves declare (or than the default, without that)."""
        now_ns = clock.monotonic_ns()
        late: list[Event] = []
        for event in self._running.values():
            limit = event.timeout_seconds if event.timeout_seconds is not None else default_seconds
            if limit is not None and now_ns - event.stamp.monotonic_ns > limit * NANOSECONDS:
                late.append(event)
        return late

    def kill(self) -> None:
        """SIGKILL to the child's whole group, unless the child has finished by itself.

        What a finished experiment left running in its group (a server that a rollback started again) is to live.
        """
        self._absorb()
        if not (self._finished and self._child.leave(_EXIT_SECONDS)):
            self._child.kill()

    def close(self) -> None:
        """Let go of the child. One that is not finished is killed: it must not go on by itself."""
        self.kill()

    def _absorb(self) -> None:
        for event in self._reader.new():
            self._unread.append(event)
            place = (event.phase, event.index)
            if event.event == What.ACTIVITY_STARTED:
                self._running[place] = event
            elif event.event == What.ACTIVITY_ENDED:
                self._running.pop(place, None)
            elif event.event in (What.FINISHED, What.FAILED):
                self._finished = True
