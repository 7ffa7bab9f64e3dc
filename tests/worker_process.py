"""A real `drillmark worker` in a process of its own, its output and its tables, on SQLite."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from drillmark.fleet.agenda import Agenda
from drillmark.fleet.database import Database

PATIENCE_SECONDS = 240.0


def look_back(root: Path, seconds: float) -> None:
    """The workspace's schedules are known, and were looked at so long ago: as if a worker had been here before."""
    database = Database(root)
    database.prepare()
    Agenda(root, database, print).look()
    database.close()
    with sqlite3.connect(root / ".drillmark" / "fleet.sqlite3") as connection:
        connection.execute("delete from fleet_wants")
        connection.execute("delete from fleet_occurrences")
        connection.execute("update fleet_drills set looked_until = looked_until - ?", (seconds + 60,))


def rows(root: Path, query: str) -> list[tuple]:
    with sqlite3.connect(root / ".drillmark" / "fleet.sqlite3", timeout=20) as connection:
        return connection.execute(query).fetchall()


def wait_for(what, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    seen = what()
    while not seen and time.monotonic() < deadline:
        time.sleep(0.2)
        seen = what()
    return seen


class Worker:
    """A worker, its output, and its end."""

    def __init__(self, root: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "drillmark", "worker", *arguments]
        self.process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def end(self, number=signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            self.process.stdout.close()
