"""How recovery and faults connect: as the user's own connection string says, and alike everywhere."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg

from drillmark.errors import RecoveryError

_TIMEOUT_SECONDS = 5


def connect(dsn: str) -> psycopg.Connection[Any]:
    """A connection that commits each statement. Raises psycopg.Error.

    The client encoding is set because text of a database without one (SQL_ASCII) would come as bytes, and the
    time zone because times are compared as text.
    """
    connection = psycopg.connect(dsn, autocommit=True, connect_timeout=_TIMEOUT_SECONDS, client_encoding="UTF8")
    connection.execute("set time zone 'UTC'")
    return connection


@contextmanager
def store(dsn: str) -> Generator[psycopg.Connection[Any]]:
    """The same, closed at the end. Raises RecoveryError where the store does not answer, or refuses a statement."""
    try:
        connection = connect(dsn)
    except psycopg.Error as error:
        raise RecoveryError(f"the store does not answer: {error}") from error
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        raise RecoveryError(f"the store refuses: {error}") from error


def system_of(connection: psycopg.Connection[Any]) -> str:
    """Which system answers: the number that `initdb` gave it. Raises psycopg.Error."""
    row = connection.execute("select system_identifier::text from pg_control_system()").fetchone()
    return str(row[0]) if row else ""


def running_system(dsn: str) -> str:
    """The same of the store that users reach; empty where it does not answer, which proves nothing about a backup."""
    if not dsn:
        return ""
    try:
        with connect(dsn) as connection:
            return system_of(connection)
    except psycopg.Error:
        return ""
