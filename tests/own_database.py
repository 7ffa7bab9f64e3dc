"""Drillmark's own database for tests: a real PostgreSQL, with a migrated database for each test that asks."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from drillmark import postgres
from drillmark.database import migrating
from drillmark.recovery.launching import bring_up

TEMPLATE = "migrated"


@dataclass
class OwnServer:
    """A server that tests may stop, restart and freeze. It is this test's alone."""

    root: Path
    port: int

    def url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, *values: object, name: str = "postgres") -> list[tuple]:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def fresh(self, template: str = TEMPLATE) -> str:
        """The URL of a database of its own, migrated."""
        name = f"t{secrets.token_hex(6)}"
        self.execute(f"create database {name} template {template}")
        return self.url(name)

    def dump(self, url: str, path: Path) -> None:
        """Back a database up, as docs/how-to/back-up-the-database.md says."""
        path.touch()
        postgres.hand_over(path)
        argv = [postgres.binary("pg_dump"), "--format=custom", f"--file={path}", url]
        postgres.run(argv, timeout_seconds=300)

    def stop(self, how: str = "fast") -> None:
        postgres.stop(self.root / "data", how)

    def start(self) -> None:
        bring_up(self.root / "data", port=None, log=self.root / "server.log", timeout_seconds=300)

    def postmaster(self) -> int:
        """The pid of its first process."""
        return int((self.root / "data" / "postmaster.pid").read_text().splitlines()[0])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing of the server answers, and nothing says so: a cable that was cut looks like that."""
        pids = [process.pid for process in postgres.server_processes(self.root / "data")]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@contextmanager
def running(root: Path) -> Iterator[OwnServer]:
    """A server with a migrated database to copy from."""
    server = OwnServer(root, postgres.free_port())
    root.mkdir(parents=True, exist_ok=True)
    postgres.hand_over(root)
    argv = [
        postgres.binary("initdb"),
        "-D",
        root / "data",
        "-U",
        "postgres",
        "-A",
        "trust",
        "-N",
        "-E",
        "UTF8",
        "--no-locale",
    ]
    postgres.run(argv, timeout_seconds=120)
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "port": str(server.port),
        "shared_buffers": "16MB",
        "dynamic_shared_memory_type": "mmap",
        "max_connections": "60",
        "fsync": "off",  # what these tests kill is the server, never the machine
    }
    with (root / "data" / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    server.start()
    try:
        server.execute(f"create database {TEMPLATE}")
        migrating.migrate(server.url(TEMPLATE))
        yield server
    finally:
        server.stop("kill")
