"""The helper that keeps sessions open for a fault (`python -m drillmark.faults.holder DEED`); see `holding`.

Must never open a session before its pid is on disk, nor after its deed is undone; and ends after an hour in any case.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql

from drillmark import clock, files, processes
from drillmark.faults import holding

LONGEST_SECONDS = 3600.0
_PAUSE_SECONDS = 0.3
_BUSY_SECONDS = 0.02
# What the server would end by itself is held all the same, so that the fault lasts until its undo.
_OPTIONS = "-c statement_timeout=0 -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=0"
_FREE = """select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
- coalesce(current_setting('reserved_connections', true), '0')::int - count(*)
from pg_stat_activity where backend_type = 'client backend'"""
_EVICT = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s"

Session = psycopg.Connection[Any]


class Holder:
    """Keeps what a deed asks for: connections, or a lock."""

    def __init__(self, hold: dict[str, Any], application: str) -> None:
        self._hold = hold
        self._application = application
        self._admin: Session | None = None
        self.sessions: list[Session] = []

    def once(self) -> bool:
        """Take what is not held yet. Returns whether all of it is held. Raises psycopg.Error."""
        self.sessions = [session for session in self.sessions if not _has_hung_up(session)]
        return self._lock() if "lock" in self._hold else self._exhaust()

    def _exhaust(self) -> bool:
        # First of all: where ordinary connections are used up, its own kind is what is left.
        if self._admin is None or _has_hung_up(self._admin):
            self._admin = self._open(holding.ADMIN_DSN, " admin")
        self._take_all()
        evicted = self._hold.get("evict")
        if evicted and self._admin.execute(_EVICT, (evicted,)).fetchall():
            self._take_all()
            return False
        row = self._admin.execute(_FREE).fetchone()
        return row is not None and row[0] <= 0

    def _take_all(self) -> None:
        with contextlib.suppress(psycopg.OperationalError):  # refused, which is what is wanted
            while True:
                self.sessions.append(self._open(holding.DSN))

    def _lock(self) -> bool:
        if not self.sessions:
            table = sql.Identifier(*str(self._hold["lock"]).split("."))
            with contextlib.ExitStack() as unless_locked:
                session = unless_locked.enter_context(contextlib.closing(self._open(holding.DSN)))
                session.execute("begin")
                session.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
                self.sessions.append(session)
                unless_locked.pop_all()
        return True

    def _open(self, variable: str, suffix: str = "") -> Session:
        return psycopg.connect(
            os.environ[variable],
            autocommit=True,
            connect_timeout=5,
            application_name=f"{self._application}{suffix}",
            options=_OPTIONS,
        )


def main(path: Path) -> None:
    """Hold until the deed is undone."""
    me = processes.identify(os.getpid())
    assert me is not None
    holding.write(path, me.as_json())
    deed = cast("dict[str, Any]", files.read_json(path) or {})
    keep(path, me.as_json(), Holder(deed["facts"]["hold"], deed["facts"]["application"]), time.sleep)


def keep(path: Path, told: dict[str, object], holder: Holder, pause: Callable[[float], None]) -> None:
    """Hold as long as the deed at `path` is in effect, and say so once all is held."""
    deadline = clock.monotonic_ns() + round(LONGEST_SECONDS * 1e9)
    said = dict(told)
    while holding.in_effect(path) and clock.monotonic_ns() < deadline:
        whole, busy, new = False, False, dict(said)
        try:
            whole = holder.once()
            busy = not whole
        except psycopg.Error as error:
            # A server that is away comes back; a table that is not there does not.
            new["refused" if isinstance(error, psycopg.ProgrammingError) else "problem"] = str(error).strip()
        if whole and "holding" not in said:
            new["holding"] = [session.info.backend_pid for session in holder.sessions]
        if new != said:
            said = new
            with contextlib.suppress(OSError):
                holding.write(path, said)
        pause(_BUSY_SECONDS if busy else _PAUSE_SECONDS)


def _has_hung_up(session: Session) -> bool:
    # A server says nothing on an idle connection but its farewell.
    if session.closed:
        return True
    poller = select.poll()
    poller.register(session.fileno(), select.POLLIN)
    return bool(poller.poll(0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
