"""Ends a worker that is stopped: `python -m drillmark.fleet.warden PID START SECONDS`, a child of each worker.

A worker that hangs, or was stopped, may go on at any time with an effect that another has undone meanwhile. So its
warden ends it before anybody may take over: when nothing came through the pipe for a lease. It ends with its worker.
Imports little: there is one for each worker.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading

from drillmark.processes import ProcessIdentity, identify, is_alive

_ARGUMENTS = 4


class Warden:
    """The worker's side: a thread tells the warden that this process goes on, until `close`.

    A thread of its own: a database that does not answer stops the worker's loop, but is no reason to end it.
    """

    def __init__(self, lease_seconds: float) -> None:
        me = identify(os.getpid())
        assert me is not None
        command = [sys.executable, "-m", "drillmark.fleet.warden", str(me.pid), me.start, str(lease_seconds)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert self._child.stdin is not None
        os.set_blocking(self._child.stdin.fileno(), False)
        self._pipe = self._child.stdin.fileno()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._tick, args=(lease_seconds / 6,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let it go: the worker ends."""
        assert self._child.stdin is not None
        self._closing.set()
        self._thread.join()
        self._child.stdin.close()
        self._child.wait(10.0)

    def _tick(self, seconds: float) -> None:
        while not self._closing.wait(seconds):
            with contextlib.suppress(OSError):
                os.write(self._pipe, b".")


def watch(worker: ProcessIdentity, seconds: float) -> None:
    """Wait for signs of life; end the worker where there are none."""
    while True:
        ready, _, _ = select.select([0], [], [], seconds)
        if ready:
            if not os.read(0, 4096):
                return
            continue
        if is_alive(worker):
            os.kill(worker.pid, signal.SIGKILL)
        return


if __name__ == "__main__" and len(sys.argv) == _ARGUMENTS:
    watch(ProcessIdentity(int(sys.argv[1]), sys.argv[2]), float(sys.argv[3]))
