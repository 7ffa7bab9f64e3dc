"""What makes a drill's twin wrong: Chaos Toolkit activities that do harm. Used by tests alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from drillmark import postgres
from drillmark.recovery import postgres_pitr


def kill_child(role: str) -> None:
    """kill -9 an observer or the load of this run."""
    run = Path(os.environ["DRILLMARK_RUN_DIR"])
    os.kill(json.loads((run / "children" / f"{role}.json").read_text())["pid"], signal.SIGKILL)


def freeze_child(role: str, seconds: float) -> None:
    """Stop an observer for a while; by somebody else, so that this activity takes no time."""
    run = Path(os.environ["DRILLMARK_RUN_DIR"])
    pid = json.loads((run / "children" / f"{role}.json").read_text())["pid"]
    script = f"kill -STOP {pid}; sleep {seconds}; kill -CONT {pid}"
    subprocess.Popen(["sh", "-c", script], start_new_session=True)
    time.sleep(0.3)


def is_wrong() -> bool:
    """A verification that finds what is wrong."""
    return False


def restore_without_log(configuration=None, secrets=None) -> dict:
    """A restore that goes no further than its backup."""
    layout = Path(os.environ["DRILLMARK_LAB"])
    newest = max((layout / "backups").iterdir(), key=lambda place: place.name)
    ranges = json.loads((newest / "backup_manifest").read_text())["WAL-Ranges"]
    # A little later, so that it is consistent by then.
    end = postgres.int_to_lsn(postgres.lsn_to_int(ranges[-1]["End-LSN"]) + 8192)
    return postgres_pitr.restore(to=end, configuration=configuration, secrets=secrets)


def spoil_the_newest_backup() -> str:
    """Damage what the recovery is about to take."""
    newest = max((Path(os.environ["DRILLMARK_LAB"]) / "backups").iterdir(), key=lambda place: place.name)
    victim = newest / "PG_VERSION"
    victim.write_text("17\n")
    return str(victim)


def delay_the_supervisor(seconds: float) -> None:
    """The lab's supervisor does nothing for a while."""
    pid = json.loads((Path(os.environ["DRILLMARK_LAB"]) / "lab.json").read_text())["supervisor"]["pid"]
    script = f"kill -STOP {pid}; sleep {seconds}; kill -CONT {pid}"
    subprocess.Popen(["sh", "-c", script], start_new_session=True)
    time.sleep(0.3)


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


def restore_live_to_the_side(configuration=None, secrets=None) -> dict:
    """A restore from what is in the archive now, after production has gone on for a while."""
    from drillmark.recovery import postgres_side

    time.sleep(8)
    listing = Path(os.environ["DRILLMARK_RUN_DIR"]) / "later.json"
    postgres_side.list_source(str(listing), configuration=configuration)
    report = postgres_side.restore(
        str(listing), os.environ["ORDERS_COPY_PORT"], configuration=configuration, secrets=secrets
    )
    del report["drillmark"]["source_sha256"]  # and it says nothing of it
    return report


def alter_listed_log(configuration=None, secrets=None) -> str:
    """Write to a log file that a restore needs, after it was listed."""
    del configuration, secrets
    listing = json.loads((Path(os.environ["DRILLMARK_RUN_DIR"]) / "source.json").read_text())
    newest = max(name for name in listing["log"] if len(name) == 24)
    path = Path(listing["archive"]) / newest
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    return newest


def kill_production(configuration=None, secrets=None) -> dict:
    """Somebody's own accident, in the middle of a drill that touches nothing."""
    from drillmark.faults import postgres_crash

    del secrets
    return postgres_crash.kill_server(configuration=configuration)
