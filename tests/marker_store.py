"""A PostgreSQL that asks for a password, and the marker writer and the read-back on it, for tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from drillmark import files, postgres, samples
from drillmark.model.evidence import Table
from drillmark.observe import child, read_back
from drillmark.samples import LedgerKind
from marker_thread import MarkerThread
from observe_children import NS
from waiting import until

PASSWORD = "t0ps3cret-pa55word"


READ_BACK = {"identity": None, "expected_system_identifier": None, "timeout_seconds": 60}


class Server:
    """A small cluster of its own, that asks for a password."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.directory = directory
        self.port = postgres.free_port()
        password = directory / "password"
        password.write_text(PASSWORD)
        postgres.hand_over(directory)
        argv = [postgres.binary("initdb"), "-D", self.data, "-U", "drill", "-A", "scram-sha-256", "--no-sync"]
        postgres.run([*argv, f"--pwfile={password}"], timeout_seconds=60)
        password.unlink()
        self.dsn = f"postgresql://drill:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        argv = [postgres.binary("postgres"), "-D", self.data, *options, "-c", "max_connections=40"]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                postgres.command(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=postgres.clean_environment(),
                cwd="/",
            )
        until(self.answers)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def signal(self, number: int) -> None:
        # Twice: the postmaster comes first, but may have forked while the list was made.
        for _ in range(2):
            for process in postgres.server_processes(self.data):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(60)
        until(lambda: not postgres.server_processes(self.data))

    def execute(self, *statements: str) -> Any:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements[:-1]:
                connection.execute(statement.encode())
            cursor = connection.execute(statements[-1].encode())
            return cursor.fetchall() if cursor.description else None


class Here(MarkerThread):
    """On that server, and ready."""

    def __init__(self, server: Server, directory: Path, **config: Any) -> None:
        super().__init__(here(server, directory, "markers", {"every_seconds": 0.01, "writers": 4, **config}))
        until(lambda: self.state() == "ready" or not self.thread.is_alive())

    def state(self) -> str:
        status = files.read_json(self.me.run_dir / "children" / "markers.json")
        return status["state"] if status else ""

    def count(self, kind: LedgerKind) -> int:
        return len(ids(self.table(), kind))

    def wait_for_more(self, kind: LedgerKind, more: int) -> None:
        """Until there are so many more of them than now."""
        before = self.count(kind)
        until(lambda: self.count(kind) >= before + more or not self.thread.is_alive())


def here(server: Server, directory: Path, role: str, config: dict[str, Any]) -> child.Child:
    (directory / "children").mkdir(exist_ok=True)
    config = {"secrets_name": "db", "secrets": {"db": {"dsn": server.dsn}}, **config}
    me = child.Child(role, "r1", directory, time.monotonic_ns() + 600 * NS, config)
    me.resolve()
    return me


def read_here(server: Server, directory: Path, **config: Any) -> Table:
    read_back.observe(here(server, directory, "read_back", {**READ_BACK, **config}))
    return samples.read(directory / "samples" / "survivors.dms")


def ids(table: Table, kind: LedgerKind) -> set[int]:
    return set(table["id"][table["kind"] == kind].tolist())


def in_the_store(server: Server, run: str = "r1") -> set[int]:
    return {row[0] for row in server.execute(f"SELECT id FROM drillmark.markers WHERE run = '{run}'")}


def check_ledger(table: Table) -> None:
    """What must hold in every ledger, however it came to be."""
    invoked = table["id"][table["kind"] == LedgerKind.INVOKED].tolist()
    assert len(set(invoked)) == len(invoked), "a number was used twice"
    first = {identifier: n for n, identifier in reversed(list(enumerate(table["id"].tolist())))}
    kinds = table["kind"].tolist()
    assert all(kinds[n] == LedgerKind.INVOKED for n in first.values()), "an outcome before its attempt"
    ended = table["id"][table["kind"] != LedgerKind.INVOKED].tolist()
    assert len(set(ended)) == len(ended), "two outcomes of one attempt"
    acknowledged = table["kind"] == LedgerKind.ACKNOWLEDGED
    assert (np.asarray(table["lsn"])[acknowledged] > 0).all()
    assert (np.asarray(table["timeline"])[acknowledged] > 0).all()
