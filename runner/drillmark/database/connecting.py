"""A connection to PostgreSQL that is patient, but not for ever: it comes back after a restart, and gives up in time.

A server that is stopped, or a cable that is cut, answers nothing at all: each piece of work has a deadline, after
which its socket is shut. Work that was cut short may or may not have been done, so it is begun again only where its
owner says that it may be. Must never print an address with its password.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from drillmark.database import versions
from drillmark.database.address import URL, without_secrets
from drillmark.errors import DatabaseError, UsageError

# Long enough for the restart of a server; short of a guard's lease.
PATIENCE_SECONDS = 10.0
_OPENING_SECONDS = 5.0
_SHORTEST_SECONDS = 2.0
_PAUSE_SECONDS = 0.2
_SETTINGS: dict[str, Any] = {
    "application_name": "drillmark",
    "client_encoding": "UTF8",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# A commit is on disk before it returns, whatever the server's default; a client that is gone holds no lock for long.
_SESSION = (
    "select set_config('idle_in_transaction_session_timeout', '30s', false),"
    " case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', false) end"
)

T = TypeVar("T")
Connection = psycopg.Connection[Any]


class Database:
    """Drillmark's database. Raises DatabaseError where it cannot be reached, or is of no version that fits.

    Attributes:
        place: its address, for people.
    """

    def __init__(self, url: str, *, patience_seconds: float = PATIENCE_SECONDS, checked: bool = True) -> None:
        self.place = without_secrets(url)
        try:
            self._parameters: dict[str, Any] = _SETTINGS | conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise UsageError(f"{URL} cannot be read: {self.place}", hint=_first_line(error, url)) from None
        self._url = url
        self._patience_seconds = patience_seconds
        self._checked = checked
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self.run(lambda _connection: None, patience_seconds=min(patience_seconds, _OPENING_SECONDS))

    def run(self, work: Callable[[Connection], T], *, again: bool = True, patience_seconds: float | None = None) -> T:
        """Do a piece of work on the connection, which commits by itself what is in no `transaction()`.

        Where the connection breaks it is done once more from the start, for as long as there is patience; with
        `again=False` only the connecting is. Raises DatabaseError in the end.
        """
        patience_seconds = self._patience_seconds if patience_seconds is None else patience_seconds
        deadline = time.monotonic() + patience_seconds
        with self._lock:
            while True:
                remaining = max(_SHORTEST_SECONDS, deadline - time.monotonic())
                begun = False
                try:
                    connection = self._connected(remaining)
                    begun = True
                    with _bounded(connection, remaining):
                        return work(connection)
                except psycopg.Error as error:
                    lost = self._is_lost()
                    self._forget()
                    if not lost or (begun and not again) or time.monotonic() >= deadline:
                        raise self._told(error, lost=lost) from None
                except BaseException:
                    if self._is_lost():
                        self._forget()
                    raise
                time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            self._forget()

    def _connected(self, seconds: float) -> Connection:
        if self._connection is None:
            parameters = {"connect_timeout": max(2, round(seconds))} | self._parameters
            connection = psycopg.connect(make_conninfo("", **parameters), autocommit=True, prepare_threshold=None)
            try:
                with _bounded(connection, seconds):
                    connection.execute(_SESSION)
                    if self._checked:
                        versions.refuse_unless_usable(versions.read(connection), self.place)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _is_lost(self) -> bool:
        return self._connection is None or self._connection.closed or self._connection.broken

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _told(self, error: psycopg.Error, *, lost: bool) -> DatabaseError:
        said = _first_line(error, self._url)
        if lost:
            hint = f"is it up, and does {URL} name it? nothing is lost; `drillmark db check` asks again"
            return DatabaseError(
                f"the database {self.place} cannot be reached: {said}", hint=hint, code="database-unreachable"
            )
        return DatabaseError(f"the database {self.place} refuses: {said}", hint="`drillmark db check` says more")


@contextmanager
def _bounded(connection: Connection, seconds: float) -> Generator[None]:
    """Shut the connection's socket if this takes longer: whoever waits for it gets an error, not an answer."""
    timer = threading.Timer(seconds, _shut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(connection: Connection) -> None:
    try:
        with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as copy:
            copy.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.Error):
        return  # it ended by itself meanwhile


def _first_line(error: BaseException, url: str) -> str:
    """The first line of what libpq says, without the password that may stand in it."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    try:
        secrets = [str(value) for name, value in conninfo_to_dict(url).items() if "password" in name]
    except psycopg.ProgrammingError:
        return "its form is postgresql://user@host:5432/drillmark"
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    return line
