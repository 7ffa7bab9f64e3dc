"""Starts and ends our child processes: own session and group, a pipe for commands, a log of mode 0600.

Must never end a process that it did not start, nor put anything secret into a child's arguments.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from drillmark import clock
from drillmark.chaos.redact import is_secret_name
from drillmark.model.stamp import NANOSECONDS
from drillmark.processes import ProcessIdentity, identify, is_alive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import IO, Protocol

    class Process(Protocol):
        """What is asked of a child's process: Popen has it, and `forked.Forked`."""

        pid: int
        returncode: int | None

        def poll(self) -> int | None:
            """The exit code, or None while it lives."""
            ...

        def wait(self, timeout: float | None = None) -> int:
            """Wait for its end. Raises subprocess.TimeoutExpired."""
            ...

        def kill(self) -> None:
            """SIGKILL."""
            ...


# A variable of the command line that may hold a secret goes to our children in the environment, under this name.
VARIABLE = "DRILLMARK_VAR_"

_WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.002


class Child:
    """A child that leads its own process group, and dies with its whole group when our end of its stdin closes."""

    def __init__(self, process: Process, stdin: IO[bytes] | None, stdout: IO[bytes] | None = None) -> None:
        self._process = process
        self._stdin, self._stdout = stdin, stdout
        # A child that is dead already is a zombie until it is waited for: its pid is still its own.
        self.identity = identify(process.pid) or ProcessIdentity(process.pid, "")
        self._rest = b""
        if stdout is not None:
            os.set_blocking(stdout.fileno(), False)

    @classmethod
    def start(
        cls,
        module: str,
        *,
        log_path: Path,
        environment: Mapping[str, str] | None,
        answers: bool = False,
        folder: str = "",
    ) -> Child:
        """Start a program of ours. Raises OSError."""
        import subprocess  # noqa: PLC0415 - a child that is forked needs none of it

        log = open_log(log_path)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if answers else log,
                stderr=log,
                env=None if environment is None else {**os.environ, **environment},
                cwd=folder or None,
                start_new_session=True,
                bufsize=0,
            )
        finally:
            os.close(log)
        return cls(process, process.stdin, process.stdout)

    @property
    def alive(self) -> bool:
        """Whether the child lives. A child that has ended is not waited for before `kill` or `close`."""
        return self._process.returncode is None and is_alive(self.identity)

    def send_line(self, line: str) -> None:
        """Write one line to the child. One that is dead does not hear it; that shows in `alive`."""
        pipe = self._stdin
        if pipe is None or pipe.closed:
            return
        data = line.encode("utf-8") + b"\n"
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[pipe.write(data) or 0 :]

    def lines(self) -> list[bytes]:
        """The whole lines that the child has answered since the last call; never blocks."""
        pipe = self._stdout
        if pipe is None or pipe.closed:
            return []
        data = self._rest
        while chunk := pipe.read(1 << 16):
            data += chunk
        *whole, self._rest = data.split(b"\n")
        return whole

    def kill(self) -> None:
        """SIGKILL to the whole group, also to what a dead child left in it; wait for the child."""
        if self._process.returncode is None:  # not waited for: pid and group are still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()  # one that was forked just now may not lead its group as yet
            self.leave(_WAIT_SECONDS)
        self._close_pipes()

    def leave(self, seconds: float) -> bool:
        """Wait so long for the child to end by itself, and let go of it. What it started in its group lives on."""
        deadline = clock.monotonic_ns() + round(seconds * NANOSECONDS)
        while self._process.poll() is None:
            if clock.monotonic_ns() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        self._close_pipes()
        return True

    def _close_pipes(self) -> None:
        for pipe in (self._stdin, self._stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def kept_back(text: str) -> tuple[str, str | None]:
    """Name and type of a variable `name[:type]=value` whose value must not be stored; type None where it may be.

    What is named like a secret is one; bytes cannot stand in JSON.
    """
    name, _, kind = text.partition("=")[0].partition(":")
    return name, (kind or "str") if is_secret_name(name) or kind == "bytes" else None


def open_log(path: Path) -> int:
    """A log that cannot be opened (read-only folder, full disk) must not keep an undo from running."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
