"""Ends a worker that is stopped: `python -m drillmark.fleet.warden PID START SECONDS`, a child of each worker.

A worker that hangs, or was stopped, may go on at any time with an effect that another has undone meanwhile. So its
warden ends it before anybody may take over: when nothing came through the pipe for a lease. It ends with its worker.
Imports little: there is one for each worker.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

from drillmark.processes import ProcessIdentity, identify, is_alive

_ARGUMENTS = 4


class Warden:
    """The worker's side: start it, then `tick` at least once in a lease."""

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

    def tick(self) -> bool:
        """Say that this process goes on; False where the warden is gone."""
        try:
            os.write(self._pipe, b".")
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let it go: the worker ends."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(10.0)


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
