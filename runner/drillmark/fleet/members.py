"""Who is in the fleet: a row for each worker, beaten at every quarter of a lease, and the proof that one is dead.

A worker whose beat is older than its lease may still be at work, cut off; it is called lost, and what it had in hand
taken over, only when its guard's time to undo is over too. One on this very machine is dead when its process is.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from drillmark import __version__, processes
from drillmark import clock as clocks
from drillmark.fleet.database import clock, now
from drillmark.fleet.tables import workers
from drillmark.processes import ProcessIdentity

WORKING, DRAINING, GONE, LOST = "working", "draining", "gone", "lost"


@dataclass(frozen=True, slots=True)
class Member:
    """A worker, as its row tells."""

    worker: str
    host: str
    boot: str
    process: ProcessIdentity
    labels: Mapping[str, str]
    slots: int
    lease_seconds: float
    state: str
    beat_at: float

    def silent_seconds(self, at: float) -> float:
        """How long nothing was heard of it."""
        return max(0.0, at - self.beat_at)

    def is_dead_here(self) -> bool:
        """Whether it was a process of this machine, since its last start, that is not there any more."""
        return (self.host, self.boot) == _here() and not processes.is_alive(self.process)


def join(
    connection: Connection, labels: Mapping[str, str], slots: int, lease_seconds: float, *, state: str = WORKING
) -> str:
    """Enter this process; returns the worker's id, which nobody had before and nobody will have again."""
    host, boot = _here()
    process = processes.identify(os.getpid())
    assert process is not None
    worker = f"{host}-{process.pid}-{secrets.token_hex(4)}".lower()
    moment = now(connection)
    row = {
        "worker": worker, "host": host, "boot": boot, "pid": process.pid, "process_start": process.start,
        "version": __version__, "labels": json.dumps(dict(labels), sort_keys=True), "slots": slots,
        "lease_seconds": lease_seconds, "state": state, "started_at": moment, "beat_at": moment,
    }  # fmt: skip
    connection.execute(sa.insert(workers).values(row))
    return worker


def beat(connection: Connection, worker: str) -> str:
    """Say that the worker lives; returns its state, `lost` where others have given it up (then nothing is written)."""
    beaten = (
        sa.update(workers)
        .where(workers.c.worker == worker, workers.c.state.in_([WORKING, DRAINING]))
        .values(beat_at=clock(connection))
        .returning(workers.c.state)
    )
    return connection.execute(beaten).scalar_one_or_none() or LOST


def leave(connection: Connection, worker: str, state: str) -> None:
    """From now on it is draining, or gone."""
    connection.execute(
        sa.update(workers)
        .where(workers.c.worker == worker, workers.c.state.in_([WORKING, DRAINING]))
        .values(state=state)
    )


def present(connection: Connection) -> list[Member]:
    """All that are working or draining, also those that have fallen silent."""
    rows = connection.execute(sa.select(workers).where(workers.c.state.in_([WORKING, DRAINING]))).mappings()
    return [_member(row) for row in rows]


def give_up(connection: Connection, worker: str) -> None:
    """It is proven dead. From now on its beats count no more."""
    connection.execute(sa.update(workers).where(workers.c.worker == worker).values(state=LOST))


def _here() -> tuple[str, str]:
    """This machine, and what tells its processes: containers of one boot have pids of their own."""
    namespace = Path("/proc/self/ns/pid")
    return clocks.host(), f"{clocks.boot_id()}{namespace.readlink() if namespace.exists() else ''}"


def _member(row: Mapping[Any, Any]) -> Member:
    return Member(
        worker=row["worker"],
        host=row["host"],
        boot=row["boot"],
        process=ProcessIdentity(row["pid"], row["process_start"]),
        labels=json.loads(row["labels"]),
        slots=row["slots"],
        lease_seconds=row["lease_seconds"],
        state=row["state"],
        beat_at=row["beat_at"],
    )
