"""What both of our children do with themselves: where commands come from, where noise goes, when to die.

Imported in child processes alone, on their main thread. Must never let an activity reach the command channel, nor
let a line into the log that has not been through the redactor.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import signal
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark.chaos.ambient import settle_kubernetes
from drillmark.chaos.launch import open_log

if TYPE_CHECKING:
    from drillmark.chaos.redact import Redactor

EXIT_SECONDS = 1.5
_DRAIN_EVERY_SECONDS = 0.5
_LONGEST_LINE_BYTES = 1 << 20


class Channel:
    """The command channel to the parent: lines in, and (the worker's) JSON lines out.

    Made first of all, it moves the pipes to other descriptors that no activity inherits: an activity that reads its
    standard input gets an end of file, one that prints lands in the log. When the parent's end closes, the whole
    process group is killed at once, in the middle of whatever runs: the parent's death must not leave a child that
    goes on injecting.
    """

    def __init__(self) -> None:
        self._in = os.dup(0)
        self._out = os.dup(1)
        self.log_file = os.dup(2)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        # A handler, not SIG_IGN: what is ignored stays ignored in the programs that activities start.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _leave_it_to_the_parent)
        threading.Thread(target=self._read, name="drillmark-commands", daemon=True).start()

    def receive(self) -> str:
        """The next line; blocks without limit."""
        return self._lines.get()

    def send(self, message: dict[str, Any]) -> None:
        """One JSON line to the parent. A parent that is gone is the reading thread's business."""
        data = json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except BrokenPipeError:
            kill_own_group()

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(self._in, 1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._lines.put(line.decode("utf-8"))
        kill_own_group()


def kill_own_group() -> None:
    """SIGKILL to the own process group, where we lead one; else to ourselves alone."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


class Log:
    """`child.log`: what chaoslib logs and what activities print, redacted, line by line.

    Descriptors 1 and 2 go to a file without a name, read from here. Not to a pipe: a server that an activity leaves
    running, with our output for its own, would die of it later, and that would be our doing. Not to the log itself:
    what programs write there has not been redacted.
    """

    def __init__(self, descriptor: int | None, redactor: Redactor) -> None:
        """`descriptor`: of the file; None where that is not known yet (`open`)."""
        self._log = descriptor
        self._redactor = redactor
        self._lock = threading.Lock()
        with tempfile.TemporaryFile() as noise:
            self._noise = os.dup(noise.fileno())
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(noise.fileno(), 1)
            os.dup2(noise.fileno(), 2)
        self._offset = 0
        self._rest = b""
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(line_buffering=True, errors="backslashreplace")
        self._configure_logging()
        # First in, last out: what activities have Python do at its end may be printed, too.
        atexit.register(self.drain, to_the_end=True)
        threading.Thread(target=self._drain_for_ever, name="drillmark-log", daemon=True).start()

    def open(self, path: Path) -> None:
        """From here on it is known where the log is; what was printed before goes there too."""
        self._log = open_log(path)

    def write(self, text: str) -> None:
        """Append a text, redacted. A log that cannot be written is no reason to stop an undo."""
        if self._log is None:
            return
        data = (self._redactor.text(text).rstrip("\n") + "\n").encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._log, data) :]
        except OSError:
            return

    def drain(self, *, to_the_end: bool = False) -> None:
        """Bring over what was printed: whole lines, or all of it."""
        if self._log is None:
            return
        with self._lock:
            while chunk := os.pread(self._noise, 1 << 16, self._offset):
                self._offset += len(chunk)
                whole, newline, self._rest = (self._rest + chunk).rpartition(b"\n")
                if newline:
                    self.write(whole.decode("utf-8", "backslashreplace"))
            if self._rest and (to_the_end or len(self._rest) > _LONGEST_LINE_BYTES):
                self.write(self._rest.decode("utf-8", "backslashreplace"))
                self._rest = b""

    def _drain_for_ever(self) -> None:
        ticker = threading.Event()
        while not ticker.wait(_DRAIN_EVERY_SECONDS):
            self.drain()

    def _configure_logging(self) -> None:
        handler = _Handler(self)
        handler.setFormatter(_Formatter("%(stamp)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(logging.WARNING)
        # Never DEBUG: there chaoslib logs arguments and outputs, and not only those of declared secrets.
        for name in ("chaostoolkit", "chaostoolkit-lib", "drillmark"):
            logging.getLogger(name).setLevel(logging.INFO)


def announce(run_dir: str, variables: dict[str, Any], attempt: int = 1) -> None:
    """Put into the environment what activities and their programs may want to know of the run."""
    os.environ["DRILLMARK_RUN_DIR"] = run_dir
    os.environ["DRILLMARK_RUN"] = str(variables.get("drillmark_run") or Path(run_dir).name)
    os.environ["DRILLMARK_PROGRESS"] = str(Path(run_dir) / "progress.jsonl")
    os.environ["DRILLMARK_ATTEMPT"] = str(attempt)
    settle_kubernetes(os.environ)


def end_within(seconds: float) -> None:
    """From here on this process ends: Python lets activities and controls write what they have not written yet.

    It waits so long for the threads that they left behind, and then takes no more than that again for the rest.
    """

    def hurry(_number: int, _frame: object) -> None:
        # Not by a thread: none of ours runs any more when modules are taken apart.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        raise SystemExit

    signal.signal(signal.SIGALRM, hurry)
    signal.setitimer(signal.ITIMER_REAL, seconds)


class _Handler(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._target = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._target.write(self.format(record))
        except Exception as error:  # noqa: BLE001 - a library's bad log call must not end a rollback
            self._target.write(f"a log record could not be formatted: {type(error).__name__}")


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return super().format(record)


def _leave_it_to_the_parent(_number: int, _frame: object) -> None:
    """The parent owns signals: it decides whether to undo, and says so on the channel."""
