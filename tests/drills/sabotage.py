"""What makes a drill's twin wrong: Chaos Toolkit activities that do harm. Used by tests alone."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psycopg

from drillmark.recovery import postgres_pitr


def kill_child(role: str) -> None:
    """kill -9 an observer or the load of this run."""
    run = Path(os.environ["DRILLMARK_RUN_DIR"])
    os.kill(json.loads((run / "children" / f"{role}.json").read_text())["pid"], signal.SIGKILL)


def do_nothing(seconds: float = 3.0) -> str:
    """A recovery that recovers nothing."""
    time.sleep(seconds)
    return "all is well"


def fail() -> None:
    """An activity that fails."""
    raise RuntimeError("sabotaged")


def restore_empty(configuration=None, secrets=None) -> dict:
    """A restore that 'succeeds', into a database in which nothing is."""
    report = postgres_pitr.restore(configuration=configuration, secrets=secrets)
    found = report["drillmark"]
    dsn = f"service=orders-admin host=127.0.0.1 port={found['port']} dbname=orders"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("truncate orders")
        connection.execute("drop schema drillmark cascade")
    return report
