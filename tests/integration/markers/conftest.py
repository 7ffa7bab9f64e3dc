"""One PostgreSQL for all tests of a file; each finds it answering, and without markers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marker_store import READ_BACK, Server
from observe_children import Child


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("pg"))
    yield server
    server.signal(signal.SIGCONT)
    server.kill()


@pytest.fixture
def server(cluster: Server) -> Server:
    if not cluster.answers():
        cluster.start()
    cluster.execute("DROP SCHEMA IF EXISTS drillmark CASCADE")
    return cluster


@pytest.fixture
def observe(tmp_path: Path, server: Server) -> Iterator[Any]:
    """Starts markers or read_back as the engine does."""
    running: list[Child] = []

    def begin(module: str, *, run: str = "r1", **config: Any) -> Child:
        config = {
            "store": "postgres",
            "secrets_name": "db",
            "secrets": {"db": {"dsn": {"type": "env", "key": "THE_DSN"}}},
            **({"every_seconds": 0.01, "writers": 4} if module == "markers" else READ_BACK),
            **config,
        }
        running.append(
            Child(
                f"drillmark.observe.{module}",
                module,
                tmp_path / "run",
                config,
                environment={"THE_DSN": server.dsn},
                run=run,
            )
        )
        return running[-1]

    yield begin
    for each in running:
        each.end(signal.SIGKILL)
