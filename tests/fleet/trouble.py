"""What goes wrong in the proof, all the time: workers are killed, stopped and cut off, the database is restarted."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import suppress

import psycopg
from machines import LEASE_SECONDS, Fleet, Machine

# A worker that nothing happens to for so long is harmed all the same.
LONGEST_QUIET_SECONDS = 60.0


class Trouble:
    """Does harm, one thing after another, until it is told to stop."""

    def __init__(self, made: Fleet, seed: int, every: int) -> None:
        self.made, self.random, self.every = made, random.Random(seed), every
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._go, daemon=True)

    def _go(self) -> None:
        kinds = [
            self.kill,
            self.kill,
            self.halt,
            self.halt_for_long,
            self.cut_short,
            self.cut_long,
            self.shake,
            self.terminate,
            self.restart,
        ]
        while self._wait():
            harm = self.random.choice(kinds)
            self.made.harm[harm.__name__] = self.made.harm.get(harm.__name__, 0) + 1
            with suppress(psycopg.Error):
                harm(self.random.choice(self.made.machines))

    def _wait(self) -> bool:
        """Until so many more have ended: a slow machine is harmed as often as a quick one, not more."""
        ended = "select count(*) from drillmark.fleet_happenings where what in ('ended', 'retried')"
        aim = self.made.count(ended) + self.random.randint(1, 2 * self.every)
        deadline = time.monotonic() + LONGEST_QUIET_SECONDS
        while not self.stop.wait(self.random.uniform(0.2, 1.0)):
            if time.monotonic() > deadline or self.made.count(ended) >= aim:
                return True
        return False

    def kill(self, machine: Machine) -> None:
        machine.signal(signal.SIGKILL)

    def halt(self, machine: Machine) -> None:
        machine.signal(signal.SIGSTOP)
        self.stop.wait(self.random.uniform(0.1, LEASE_SECONDS * 0.8))
        machine.signal(signal.SIGCONT)

    def halt_for_long(self, machine: Machine) -> None:
        machine.signal(signal.SIGSTOP)
        self.stop.wait(LEASE_SECONDS * self.random.uniform(1.0, 3.0))
        machine.signal(signal.SIGCONT)

    def cut_short(self, machine: Machine) -> None:
        machine.cable.cut()
        self.stop.wait(self.random.uniform(0.1, LEASE_SECONDS))
        machine.cable.mend()

    def cut_long(self, machine: Machine) -> None:
        machine.cable.cut()
        self.stop.wait(LEASE_SECONDS * self.random.uniform(2.0, 4.0))
        machine.cable.mend()

    def shake(self, machine: Machine) -> None:
        machine.cable.shake()

    def terminate(self, _machine: Machine) -> None:
        self.made.server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and random() < 0.5 and datname = current_database()",
            name=self.made.name,
        )

    def restart(self, _machine: Machine) -> None:
        self.made.server.stop(self.random.choice(["fast", "immediate"]))
        self.stop.wait(self.random.uniform(0.0, LEASE_SECONDS))
        self.made.server.start()
