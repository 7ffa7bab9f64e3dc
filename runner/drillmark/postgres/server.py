"""Starts and stops one PostgreSQL server. A server started here outlives the process that started it.

Must never signal a process that does not work in the data directory named.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Literal

from drillmark import clock
from drillmark.errors import LabError
from drillmark.postgres.binaries import binary, clean_environment, command
from drillmark.postgres.cluster import postmaster, postmaster_state, server_processes
from drillmark.processes import ProcessIdentity, identify, is_alive

StopMode = Literal["smart", "fast", "immediate", "kill"]
_SIGNALS = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
    "kill": signal.SIGKILL,
}
_POLL_SECONDS = 0.02


def spawn(argv: list[str], *, environment: dict[str, str], log: Path) -> ProcessIdentity:
    """Start a process in a session of its own, its output appended to `log` (0600). Waits for nothing.

    The caller's working directory is inherited. Raises LabError if it cannot be started.
    """
    program = shutil.which(argv[0]) or argv[0]
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        pid = os.posix_spawn(
            program, argv, environment, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULTS
        )
    except OSError as error:
        raise LabError(f"cannot start {program}: {error}", code="spawn-failed") from error
    return identify(pid) or ProcessIdentity(pid, "")


_DEFAULTS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)


def reap(process: ProcessIdentity) -> None:
    """Take a dead child's exit status, so that it does not stay as a zombie. Anybody else's child: nothing."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def forget_dead_server(data_directory: Path) -> None:
    """Remove a dead server's `postmaster.pid` where its pid now belongs to something else.

    PostgreSQL copes by itself with a pid that nobody has, but for a living one it refuses to start, whatever
    that process is. Does nothing while any process of the cluster lives.
    """
    file = data_directory / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int(file.read_text(encoding="ascii").splitlines()[0])
        if identify(pid) is not None and not server_processes(data_directory):
            file.unlink()


def begin(data_directory: Path, *, options: dict[str, str | int], log: Path) -> ProcessIdentity:
    """Start the server of a data directory, and wait for nothing.

    Args:
        data_directory: the cluster's directory.
        options: settings that go before those in the files (`port`, `archive_mode`, ...).
        log: a file to which the server's messages are appended.

    Raises:
        LabError: the program cannot be started.
    """
    words: list[str | Path] = [binary("postgres"), "-D", data_directory]
    for name, value in options.items():
        words += ["-c", f"{name}={value}"]
    return spawn(command(words), environment=clean_environment(), log=log)


def start(
    data_directory: Path,
    *,
    options: dict[str, str | int],
    log: Path,
    timeout_seconds: float = 60.0,
) -> ProcessIdentity:
    """Start the server of a data directory and wait until it takes connections (a standby: read-only ones).

    Raises:
        LabError: it ended, or was not ready in time (it is then left as it is), with the end of its log.
    """
    process = begin(data_directory, options=options, log=log)
    deadline = clock.monotonic_ns() + round(timeout_seconds * 1e9)
    while clock.monotonic_ns() < deadline:
        if not is_alive(process):
            reap(process)
            raise LabError(f"PostgreSQL did not start in {data_directory}: {_tail(log)}", code="postgres-failed")
        if postmaster(data_directory) == process and postmaster_state(data_directory) in {"ready", "standby"}:
            return process
        time.sleep(_POLL_SECONDS)
    raise LabError(
        f"PostgreSQL was not ready after {timeout_seconds:g} s in {data_directory}: {_tail(log)}",
        code="postgres-timeout",
    )


def stop(data_directory: Path, mode: StopMode = "fast", *, timeout_seconds: float = 30.0) -> bool:
    """Stop the server of a data directory, and wait until none of its processes is left.

    `kill` sends SIGKILL to all of its processes, the postmaster first, again until none is left.
    Returns whether it is gone; nothing running counts as gone.
    """
    deadline = clock.monotonic_ns() + round(timeout_seconds * 1e9)
    head = postmaster(data_directory)
    if mode != "kill" and head is not None:
        _signal(head, _SIGNALS[mode])
    while True:
        left = server_processes(data_directory)
        if not left:
            if head is not None:
                reap(head)
            return True
        if mode == "kill":
            for process in left:
                _signal(process, signal.SIGKILL)
        if clock.monotonic_ns() > deadline:
            return False
        time.sleep(_POLL_SECONDS)


def _signal(process: ProcessIdentity, number: signal.Signals) -> None:
    if is_alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _tail(log: Path, lines: int = 6) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return " | ".join(line.strip() for line in text.splitlines()[-lines:])
