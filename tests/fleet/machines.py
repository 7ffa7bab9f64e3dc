"""The machines of a fleet in the proof: a worker's process, and the cable between it and the database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import short_worker

import own_database

LEASE_SECONDS = 15.0


class Cable:
    """What connects a worker and the database, and can be cut: connections end, new ones are refused."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._cut = threading.Event()
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._cut.set()
        self.shake()

    def mend(self) -> None:
        self._cut.clear()

    def shake(self) -> None:
        """Every connection ends."""
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.shake()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._cut.is_set():
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to), timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._ends |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._ends.discard(one)
        one.close()


@dataclass
class Machine:
    """A worker's machine: its workspace, its cable, its process, started again whenever it ends."""

    name: str
    root: Path
    cable: Cable
    database: str
    targets: str
    log: Path
    program: tuple[str, ...] = (short_worker.__file__,)
    process: subprocess.Popen | None = None
    starts: int = 0

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DRILLMARK_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{self.cable.port}/{self.database}",
            "DRILLMARK_WORKSPACE": str(self.root),
            "PYTHONPATH": f"{Path(__file__).parents[2] / 'runner'}:{Path(__file__).parent}",
            "PROOF_TARGETS": self.targets,
        }

    def start(self) -> None:
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, str(self.root), self.targets, self.name, str(LEASE_SECONDS)],
                env=self.environment(),
                stdout=output,
                stderr=output,
                cwd=self.root,
            )
        self.starts += 1

    def watch(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.start()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@dataclass
class Fleet:
    server: own_database.OwnServer
    name: str
    root: Path
    machines: list[Machine]
    harm: dict[str, int] = field(default_factory=dict)

    def execute(self, statement: str, *values: object) -> list[tuple]:
        for _ in range(300):
            try:
                return self.server.execute(statement, *values, name=self.name)
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise TimeoutError("the server does not come back")

    def count(self, statement: str) -> int:
        return int(self.execute(statement)[0][0])
