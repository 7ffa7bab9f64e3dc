"""Copies of undo files in the database: what another machine undoes from when the one that has the file is lost.

Written before the intent of a fault, so that there is no fault without one. Where a workspace keeps its own journal
there is no copy: no other machine could take over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillmark.database import address

if TYPE_CHECKING:
    from drillmark.database.connecting import Connection, Database

_KEEP = """
insert into drillmark.undo (run, epoch, body)
select run, %(epoch)s, %(body)s from drillmark.runs where run = %(run)s and epoch <= %(epoch)s
on conflict (run) do update set epoch = excluded.epoch, body = excluded.body, written_at = clock_timestamp()
where undo.epoch <= excluded.epoch
"""


def keep(run: str, epoch: int, text: str) -> bool:
    """Write the copy, where there is a database. False where a higher epoch has the run: nothing was written.

    Raises DatabaseError where it cannot be written: then no effect may begin.
    """
    database = _open()
    if database is None:
        return True
    try:
        return database.run(lambda connection: _keep(connection, run, epoch, text))
    finally:
        database.close()


def read(run: str) -> str | None:
    """The copy of a run's undo file; None where there is none. Raises DatabaseError."""
    database = _open()
    if database is None:
        return None
    try:
        row = database.run(
            lambda connection: connection.execute("select body from drillmark.undo where run = %s", (run,)).fetchone()
        )
    finally:
        database.close()
    return None if row is None else str(row[0])


def _open() -> Database | None:
    url = address.configured()
    if not url:
        return None
    from drillmark.database.connecting import Database  # noqa: PLC0415 - most workspaces need no driver

    return Database(url)


def _keep(connection: Connection, run: str, epoch: int, text: str) -> bool:
    return connection.execute(_KEEP, {"run": run, "epoch": epoch, "body": text}).rowcount > 0
