"""Runs single Chaos Toolkit activities in a warm child, one at a time; time-outs are enforced from here.

Must never import chaoslib: the engine's own process stays free of it and of what activities do to a process.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from drillmark import clock
from drillmark.chaos.launch import Child
from drillmark.chaos.layout import name_of
from drillmark.model.entry import Status
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillmark.processes import ProcessIdentity
    from drillmark.undo import Origin

_MODULE = "drillmark.chaos.worker"
_START_SECONDS = 60.0  # importing chaoslib takes one second, and many on a machine under load
_EXIT_SECONDS = 4.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class ActivityOutcome:
    """How one activity went.

    Attributes:
        name: the activity's name.
        status: succeeded, failed, timed_out, or indeterminate where the child ended in the middle of it.
        output: JSON, redacted, at most 64 KiB.
        tolerance_met: whether the value is within the tolerance; None where there is none, or it cannot be compared.
        error: why it is not good; redacted.
        started: when it began, as the child saw it; as we saw it where the child could not say.
        ended: when it ended, likewise.
    """

    name: str
    status: Status
    output: Any
    tolerance_met: bool | None
    error: str
    started: Stamp
    ended: Stamp

    @property
    def good(self) -> bool:
        """Whether it did what it was to do."""
        return self.status is Status.SUCCEEDED and self.tolerance_met is not False

    @property
    def answer(self) -> bool | None:
        """What a probe said: yes or no. None where it could not be asked, which is neither."""
        return self.tolerance_met if self.status is Status.SUCCEEDED else None

    @property
    def silence(self) -> str:
        """Why there is no answer; empty where there is one."""
        if self.answer is not None:
            return ""
        return (
            f"{self.name} could not be asked: {self.error or 'it has no tolerance, so no answer of it says anything'}"
        )

    def as_json(self) -> dict[str, Any]:
        """The form that stands in the journal."""
        return {
            "name": self.name,
            "status": self.status.value,
            "output": self.output,
            "tolerance_met": self.tolerance_met,
            "error": self.error,
            "started": self.started.as_json(),
            "ended": self.ended.as_json(),
            "good": self.good,
        }


@dataclass(slots=True)
class _Current:
    number: int
    name: str
    limit_seconds: float | None
    asked: Stamp
    began: Stamp | None = None


class ActivityWorker:
    """A warm child that runs one activity at a time.

    `variables` (keys that are laid over the configuration) may be changed between activities. `environment` is laid
    over our own. With `lenient`, activities run although some configuration or secret could not be loaded. `origin`
    is that of a bare experiment.
    """

    def __init__(
        self,
        run_dir: Path,
        configuration: Mapping[str, Any],
        secrets: Mapping[str, Any],
        *,
        log_path: Path,
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        lenient: bool = False,
        origin: Origin = NOWHERE,
    ) -> None:
        self.variables: dict[str, Any] = dict(variables or {})
        self._hello = {
            "run_dir": str(run_dir),
            "configuration": dict(configuration),
            "secrets": dict(secrets),
            "lenient": lenient,
            "var_files": list(origin.var_files),
            "secrets_file": origin.secrets_file,
        }
        # A folder that is gone is no reason not to try an undo.
        self._folder = origin.folder if Path(origin.folder).is_dir() else ""
        self._log_path = log_path
        self._environment = environment
        self._number = 0
        self._current: _Current | None = None
        self._child: Child | None = None
        self._spawn()

    @property
    def identity(self) -> ProcessIdentity | None:
        """The child that is there now; another one after a time-out or a cancel."""
        return None if self._child is None else self._child.identity

    @property
    def busy(self) -> bool:
        """Whether an activity was started whose outcome has not been taken with `poll`."""
        return self._current is not None

    def start(
        self,
        activity: dict[str, Any],
        *,
        timeout_seconds: float | None,
        attempt: int = 1,
        configuration: Mapping[str, Any] | None = None,
        secrets: Mapping[str, Any] | None = None,
        traceparent: str = "",
    ) -> None:
        """Begin an activity. Raises RuntimeError while another one runs.

        `configuration` and `secrets` stand in for the worker's own, for an activity of an experiment with its own.
        `traceparent` is the context of a trace that the activity hands on.
        """
        fields: dict[str, Any] = {"activity": activity, "attempt": attempt, "traceparent": traceparent}
        if configuration is not None:
            fields["configuration"] = dict(configuration)
        if secrets is not None:
            fields["secrets"] = dict(secrets)
        self.request("run", name_of(activity), timeout_seconds, **fields)

    def request(self, operation: str, name: str, timeout_seconds: float | None, **fields: Any) -> None:
        """Begin any of the worker's operations; for this package alone."""
        if self._current is not None:
            raise RuntimeError(f"the worker is busy with '{self._current.name}'")
        if self._child is None or not self._child.alive:
            self._spawn()
        self._number += 1
        self._current = _Current(self._number, name, timeout_seconds, clock.now())
        message = {"op": operation, "id": self._number, "variables": self.variables, **fields}
        self._tell(message)

    def poll(self) -> ActivityOutcome | None:
        """The outcome, once there is one; None before, and where nothing runs. Never blocks for long."""
        current = self._current
        if current is None or self._child is None:
            return None
        was_alive = self._child.alive  # asked before reading, so that the last words are not missed
        for line in self._child.lines():
            message = json.loads(line)
            if message.get("id") != current.number:
                continue
            if "ended" in message:
                self._current = None
                return _outcome(current, message)
            current.began = Stamp.from_json(message["began"])
        if not was_alive:
            self._drop()
            return _cut_short(
                current, Status.INDETERMINATE, "its process ended in the middle of it; what it did is not known"
            )
        return self._overdue(current)

    def run(
        self,
        activity: dict[str, Any],
        *,
        timeout_seconds: float | None,
        attempt: int = 1,
        configuration: Mapping[str, Any] | None = None,
        secrets: Mapping[str, Any] | None = None,
    ) -> ActivityOutcome:
        """Begin an activity and wait for its outcome."""
        self.start(
            activity,
            timeout_seconds=timeout_seconds,
            attempt=attempt,
            configuration=configuration,
            secrets=secrets,
        )
        return self.wait()

    def wait(self) -> ActivityOutcome:
        """Wait for the outcome of what runs. Raises RuntimeError where nothing does."""
        while (outcome := self.poll()) is None:
            if self._current is None:
                raise RuntimeError("nothing was started")
            time.sleep(_POLL_SECONDS)
        return outcome

    def cancel(self) -> ActivityOutcome | None:
        """Kill the child with all that it started. Returns the outcome of what ran (indeterminate), if anything."""
        current = self._current
        self._drop()
        return None if current is None else _cut_short(current, Status.INDETERMINATE, "it was cancelled")

    def close(self) -> None:
        """Let the child end. An activity that still runs is killed; servers that activities left running are not."""
        if self._child is not None and self._current is None and self._child.alive:
            self._tell({"op": "exit"})
            if self._child.leave(_EXIT_SECONDS):
                self._child = None
        self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _overdue(self, current: _Current) -> ActivityOutcome | None:
        now_ns = clock.monotonic_ns()
        if current.began is None:
            if now_ns - current.asked.monotonic_ns < _START_SECONDS * NANOSECONDS:
                return None
            self._drop()
            return _cut_short(current, Status.FAILED, f"its process was not ready within {_START_SECONDS:.0f} s")
        if current.limit_seconds is None:
            return None
        if now_ns - current.began.monotonic_ns < current.limit_seconds * NANOSECONDS:
            return None
        self._drop()
        return _cut_short(current, Status.TIMED_OUT, f"it took longer than {current.limit_seconds:g} s and was killed")

    def _spawn(self) -> None:
        self._drop()
        self._child = Child.start(
            _MODULE, log_path=self._log_path, environment=self._environment, answers=True, folder=self._folder
        )
        self._tell({**self._hello, "variables": self.variables})

    def _tell(self, message: dict[str, Any]) -> None:
        if self._child is not None:
            self._child.send_line(json.dumps(message))

    def _drop(self) -> None:
        self._current = None
        if self._child is not None:
            self._child.kill()
            self._child = None


def _outcome(current: _Current, message: dict[str, Any]) -> ActivityOutcome:
    return ActivityOutcome(
        name=current.name,
        status=Status(message["status"]),
        output=message.get("output"),
        tolerance_met=message.get("tolerance_met"),
        error=str(message.get("error", "")),
        started=current.began or current.asked,
        ended=Stamp.from_json(message["ended"]),
    )


def _cut_short(current: _Current, status: Status, error: str) -> ActivityOutcome:
    return ActivityOutcome(current.name, status, None, None, error, current.began or current.asked, clock.now())
