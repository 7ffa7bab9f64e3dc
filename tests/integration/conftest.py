"""Fixtures that several files of tests share: a lab for faults, which each leaves well; the fleet's databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import ActivityFailed

import own_database
from drillmark import lab as labs
from drillmark.fleet.database import Database
from drillmark.recovery import postgres_pitr
from lab_helpers import SMALL_BYTES, healthy
from waiting import until


@pytest.fixture(scope="module")
def faults_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A lab for the whole file; within a test use `up`."""
    place = tmp_path_factory.mktemp("faults") / "a lab"
    yield labs.up(place, scale_bytes=SMALL_BYTES)
    labs.down(place)


@pytest.fixture
def up(faults_lab: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The lab, its variables set, within a run of its own; afterwards it must be well, and restorable."""
    for name, value in faults_lab.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DRILLMARK_RUN", f"run-{tmp_path.name}")
    monkeypatch.setenv("DRILLMARK_RUN_DIR", str(tmp_path))
    yield faults_lab
    until(lambda: labs.status(Path(faults_lab.directory)).state == "up" and healthy(faults_lab), seconds=60)
    until(is_restorable, seconds=60)


@pytest.fixture
def dsn(up: Any) -> str:
    """How users of the lab's database connect."""
    return up.environment["ORDERS_DSN"]


@pytest.fixture
def secrets(up: Any) -> dict[str, str]:
    """What Chaos Toolkit hands to a fault that names both blocks of secrets."""
    return {"dsn": up.environment["ORDERS_DSN"], "admin_dsn": up.environment["ORDERS_ADMIN_DSN"]}


def is_restorable() -> bool:
    """After a switch-over it takes a moment until the new timeline's first segment is archived."""
    try:
        return postgres_pitr.is_restorable()
    except ActivityFailed:
        return False


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[own_database.OwnServer]:
    """A PostgreSQL for the databases of fleets."""
    folder = tmp_path_factory.mktemp("own")
    folder.chmod(0o755)
    with own_database.running(folder / "server") as running:
        yield running


@pytest.fixture
def shared_database(
    own_server: own_database.OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A fleet's database on PostgreSQL, to which DRILLMARK_DATABASE_URL leads."""
    monkeypatch.setenv("DRILLMARK_DATABASE_URL", own_server.fresh())
    made = Database(tmp_path)
    yield made
    made.close()


@pytest.fixture
def database(root: Path) -> Iterator[Database]:
    """The fleet's database of the workspace `root`, on SQLite."""
    made = Database(root)
    made.prepare()
    yield made
    made.close()
