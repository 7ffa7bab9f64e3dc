"""The experiment child's event log E: JSON lines, each on disk before the child goes on.

E is what is left when the child was killed. The child alone appends to it; the engine, `resume` and the guard read it.
A line that was cut short is never an error for a reader, and a line once written is never changed. Must never hold a
secret's value: what comes here has been through `redact`.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from drillmark import clock
from drillmark.files import sync_directory
from drillmark.model.stamp import Stamp

if TYPE_CHECKING:
    from pathlib import Path


class What(StrEnum):
    """What an event tells."""

    READY = "ready"  # imported, valid, configured; nothing begun; waits for `go`
    STARTED = "started"  # status: the hypothesis strategy, as chaoslib calls it
    ACTIVITY_STARTED = "activity_started"
    ACTIVITY_ENDED = "activity_ended"
    HYPOTHESIS_COMPLETED = "hypothesis_completed"  # status: met, missed, or indeterminate
    GATE_FAILED = "gate_failed"  # the hypothesis before was not met: the method never ran
    METHOD_COMPLETED = "method_completed"  # status: completed, aborted or interrupted; waits for `finish` or `undo`
    ROLLBACKS_STARTED = "rollbacks_started"
    ROLLBACKS_COMPLETED = "rollbacks_completed"
    ROLLBACKS_WAIVED = "rollbacks_waived"  # a bare experiment was told not to be undone in this case
    FINISHED = "finished"  # the child has nothing more to do
    FAILED = "failed"  # the child gives up; what had begun by then stands above in E


class Phase(StrEnum):
    """Which part of an experiment an activity belongs to."""

    BEFORE = "hypothesis_before"
    DURING = "hypothesis_during"
    METHOD = "method"
    AFTER = "hypothesis_after"
    ROLLBACKS = "rollbacks"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of E.

    Attributes:
        number: counts from 1.
        event: a value of `What`.
        stamp: when it happened, as the child saw it.
        phase: a value of `Phase`, or empty.
        index: place of the activity in its phase's list, -1 where there is none.
        name: the activity's name.
        type: `action` or `probe`.
        status: of an activity: `succeeded`, `failed` or `indeterminate`.
        output: JSON, redacted, at most 64 KiB.
        error: text of the exception, redacted.
        timeout_seconds: how long the activity may take by its own declaration, on `activity_started`.
        deviated: on `finished`: whether the steady state was missed after the method.
    """

    number: int
    event: str
    stamp: Stamp
    phase: str = ""
    index: int = -1
    name: str = ""
    type: str = ""
    status: str = ""
    output: Any = None
    error: str = ""
    timeout_seconds: float | None = None
    deviated: bool | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Event:
        """The event of one line. Raises KeyError, TypeError or ValueError on anything else."""
        timeout = data.get("timeout_seconds")
        return cls(
            number=int(data["n"]),
            event=str(data["event"]),
            stamp=Stamp.from_json(data["stamp"]),
            phase=str(data.get("phase", "")),
            index=int(data.get("index", -1)),
            name=str(data.get("name", "")),
            type=str(data.get("type", "")),
            status=str(data.get("status", "")),
            output=data.get("output"),
            error=str(data.get("error", "")),
            timeout_seconds=None if timeout is None else float(timeout),
            deviated=data.get("deviated"),
        )


class EventLog:
    """The writing end of E. Safe to use from several threads.

    Attributes:
        lost: a line could not be written. No new effect may begin from then on.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._number = max((event.number for event in read_events(path)), default=0)
        # The line before may be torn: then ours must not be glued to it.
        self._mend = os.fstat(self._file).st_size > 0
        self.lost = False
        sync_directory(path.parent)

    def write(self, event: What, **fields: Any) -> bool:
        """Append one event and wait until it is on disk. Returns whether it is; never raises OSError."""
        with self._lock:
            self._number += 1
            data = {"n": self._number, "event": event.value, **fields, "stamp": clock.now().as_json()}
            line = json.dumps(data, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"
            if self._mend:
                line = b"\n" + line
            try:
                written = os.write(self._file, line)
                os.fsync(self._file)
            except OSError:
                self._mend, self.lost = True, True
                return False
            self._mend = written != len(line)
            self.lost = self.lost or self._mend
            return not self._mend


class EventReader:
    """Reads E while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[Event]:
        """The whole lines that came since the last call. A file that is not there yet has none."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except (FileNotFoundError, IsADirectoryError):
            return []
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        return [event for line in data[:whole].splitlines() if (event := _parse(line)) is not None]


def read_events(path: Path) -> list[Event]:
    """All whole events of E, in order. A torn line is left out; a file that is not there has none."""
    return EventReader(path).new()


def _parse(line: bytes) -> Event | None:
    # A line torn by a full disk or a kill stays in the file, and the next begins on a line of its own.
    try:
        return Event.from_json(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
