"""The lab's supervisor: keeps its servers and its service alive, takes its backups, answers its control socket.

A daemon (`python -m drillmark.lab.supervisor LAB_DIRECTORY`). What it starts outlives it; one that comes
after it adopts what lives, by pid and start time. Must never start a cluster that is held or retired, and
never touch a process that is not of this lab.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from drillmark import processes
from drillmark.lab import control_server, state
from drillmark.lab.keeper import Keeper
from drillmark.lab.layout import Layout
from drillmark.lab.requests import Requests
from drillmark.lab.schedule import Schedule

TICK_SECONDS = 0.1
FAILED_TICK_SECONDS = 1.0
log = logging.getLogger("drillmark.lab.supervisor")


def main(directory: Path) -> int:
    """Supervise the lab in `directory` until SIGTERM; then stop everything cleanly. Returns the exit code."""
    os.chdir("/")
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    layout = Layout(directory)
    with layout.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            log.info("another supervisor lives: this one ends")
            return 0
        lab = state.read(layout)
        if lab is None:
            log.error("no lab in %s", directory)
            return 2
        lab.supervisor = processes.identify(os.getpid())
        supervise(Keeper(lab))
    return 0


def supervise(keeper: Keeper) -> None:
    """Look after the lab, tick by tick, until SIGTERM."""
    ending = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        log.info("signal %d: stopping", number)
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    keeper.begin()
    schedule = Schedule(keeper)
    schedule.begin()
    control = keeper.lab.control
    control.parent.mkdir(mode=0o700, exist_ok=True)
    server = control_server.serve(control, Requests(keeper, schedule).routes())
    log.info("supervising %s, control %s", keeper.lab.directory, control)
    while not ending.wait(TICK_SECONDS):
        try:
            keeper.tick()
            schedule.tick()
        except Exception:
            # A supervisor that dies of one failure supervises nothing: it says so and goes on.
            log.exception("tick failed")
            ending.wait(FAILED_TICK_SECONDS)
    server.shutdown()
    server.server_close()
    keeper.end()
    with contextlib.suppress(OSError):
        control.unlink()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
