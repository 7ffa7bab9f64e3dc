"""User-level probes for databases and ports: Chaos Toolkit functions, also under plain `chaos run`.

The prober recognises them by name and asks natively, at full pace (`observe/native.py`); there the same arguments
mean the same. Each call here is a fresh connection. Must never put a connection string into an error.
"""

from __future__ import annotations

import datetime as dt
import decimal
import socket
import uuid
from typing import Any

from chaoslib.exceptions import ActivityFailed

__all__ = ["sql", "tcp"]


def sql(
    query: str,
    dsn: str | None = None,
    timeout_seconds: float = 2.0,
    secrets: dict[str, Any] | None = None,
) -> Any:
    """The first row of a PostgreSQL query: its value if it has one column, else a list; None without a row.

    `dsn` is taken from the activity's `secrets` (their key `dsn`) unless it is given.

    Raises:
        ActivityFailed: no connection, an error of the server, or no answer within `timeout_seconds`.
    """
    import psycopg  # noqa: PLC0415  # the extra `postgres` is optional

    target = dsn or (secrets or {}).get("dsn")
    if not target:
        raise ActivityFailed("the probe sql needs a dsn: name a block of secrets that has one")
    milliseconds = max(1, round(timeout_seconds * 1000))
    try:
        with psycopg.connect(
            str(target),
            autocommit=True,
            connect_timeout=max(1, round(timeout_seconds)),
            tcp_user_timeout=milliseconds,
            application_name="drillmark probe",
            client_encoding="utf8",
        ) as connection:
            connection.execute(b"SET statement_timeout = %d" % milliseconds)
            cursor = connection.execute(query.encode())
            return value_of(cursor.fetchone() if cursor.description else None)
    except psycopg.Error as error:
        raise ActivityFailed(describe(error)) from None


def tcp(host: str, port: int, timeout_seconds: float = 2.0) -> bool:
    """Whether a TCP connection can be opened.

    Raises:
        ActivityFailed: it cannot, or not within `timeout_seconds`.
    """
    try:
        socket.create_connection((host, int(port)), timeout=timeout_seconds).close()
    except TimeoutError:
        raise ActivityFailed("timeout") from None
    except OSError as error:
        raise ActivityFailed(f"cannot connect: {error.strerror or type(error).__name__}") from None
    return True


def value_of(row: tuple[Any, ...] | None) -> Any:
    """A row as the value that a tolerance looks at: JSON types only."""
    if row is None:
        return None
    values = [_plain(value) for value in row]
    return values[0] if len(values) == 1 else values


def describe(error: Exception) -> str:
    """What went wrong with PostgreSQL, in words that carry no connection string."""
    state = getattr(error, "sqlstate", None)
    if state:
        return f"sql {state}"
    text = str(error).lower()
    for sign, word in (("refused", "refused"), ("timeout", "timeout"), ("closed", "closed"), ("password", "auth")):
        if sign in text:
            return word
    return f"sql {type(error).__name__}"


def _plain(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return value
