"""Identity of processes: a pid alone may belong to somebody else by now, a pid with its start time may not.

Used wherever a process is adopted or ended. Must never end a process whose start time does not match.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from drillmark import clock

_PID_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process: its pid, and its start time as the kernel gives it (clock ticks since boot)."""

    pid: int
    start: str

    def as_json(self) -> dict[str, object]:
        """The form that stands in files."""
        return {"pid": self.pid, "start": self.start}


def told(value: object) -> ProcessIdentity | None:
    """The process that stands in a file (see `as_json`), or None where what stands there is none."""
    if not isinstance(value, dict):
        return None
    body = cast("dict[str, Any]", value)
    pid, start = body.get("pid"), body.get("start")
    # Zero and less mean groups to the kernel, and to nobody else.
    if type(pid) is not int or not 0 < pid < _PID_LIMIT or not isinstance(start, str):
        return None
    return ProcessIdentity(pid, start)


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a living process, or None. A zombie counts as dead."""
    start = _start(pid)
    return None if start is None else ProcessIdentity(pid, start)


def is_alive(process: ProcessIdentity) -> bool:
    """Whether that very process lives still (zombies do not)."""
    return _start(process.pid) == process.start


def end(process: ProcessIdentity, *, group: bool, grace_seconds: float, kill_wait_seconds: float = 5.0) -> bool:
    """End a process (or its whole group, if it leads one): TERM, then KILL after the grace.

    Returns whether it is gone. A process whose start time differs is somebody else's and is left alone.
    """
    if not is_alive(process):
        if group:
            _end_orphans(process)
        return True
    ask_to_end(process, group=group)
    if grace_seconds > 0 and _wait(process, grace_seconds):
        if group:
            _signal(process.pid, signal.SIGKILL, group=True)
        return True
    _signal(process.pid, signal.SIGKILL, group=group)
    return _wait(process, kill_wait_seconds)


def _end_orphans(leader: ProcessIdentity) -> None:
    """End what a leader that has died left in its group.

    A group's id is not given to another process while the group has members, and members are younger than their
    leader: whatever is older belongs to somebody else.
    """
    if identify(leader.pid) is not None:
        return  # another process has that pid now, so the group is gone
    for pid in _pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            member = identify(pid)
            if os.getpgid(pid) == leader.pid and member is not None and float(member.start) >= float(leader.start):
                os.kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    if Path("/proc/self/stat").exists():
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    import psutil  # noqa: PLC0415

    return psutil.pids()


def ask_to_end(process: ProcessIdentity, *, group: bool) -> None:
    """Send TERM and wait for nothing."""
    if is_alive(process):
        _signal(process.pid, signal.SIGTERM, group=group)
        # A stopped process takes no TERM until it goes on.
        _signal(process.pid, signal.SIGCONT, group=group)


def _signal(pid: int, number: signal.Signals, *, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def _wait(process: ProcessIdentity, seconds: float) -> bool:
    deadline = clock.monotonic_ns() + round(seconds * 1e9)
    while clock.monotonic_ns() < deadline:
        if not is_alive(process):
            return True
        time.sleep(0.01)
    return not is_alive(process)


def _start(pid: int) -> str | None:
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_bytes().rsplit(b")", 1)[1].split()
        except (OSError, IndexError):
            return None
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    import psutil  # noqa: PLC0415  # only where there is no /proc; its import takes as long as a child's whole start

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None
