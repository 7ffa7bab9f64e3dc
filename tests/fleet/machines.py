"""The machines of a fleet in the proof: a worker's process, and the cable between it and the database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import short_worker

import own_database
from cable import Cable

LEASE_SECONDS = 15.0


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
