"""The probes that the prober asks itself, without threads: HTTP, SQL and TCP.

`make` decides which activities these are; every other goes to `foreign`. Must never let one answer wait for another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
from chaoslib import substitute

from drillmark import clock
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe.answer import Answer, Probe, of_os_error
from drillmark.observe.http import HttpProbe
from drillmark.observe.probes import describe, value_of
from drillmark.observe.tolerance import is_met

MODULE = "drillmark.observe.probes"
# A kept SQL connection is given up after this long, so that one to an old server cannot pass for the new one.
SQL_KEPT_SECONDS = 1.0

Judge = Callable[[Any], bool]


class SqlProbe:
    """`drillmark.observe.probes.sql` over connections that are kept for a second and made anew when they fail.

    A failure on a kept connection is asked again on a fresh one, within the same time-out: a server that was
    restarted in between is up for a user who connects now. A query that writes may thus run twice.
    """

    def __init__(self, name: str, *, dsn: str, query: str, milliseconds: int, judge: Judge) -> None:
        import psycopg  # noqa: PLC0415  # the extra `postgres` is optional

        self.name = name
        self._psycopg = psycopg
        self._judge = judge
        self._dsn = dsn
        self._query = query.encode()
        self._milliseconds = milliseconds
        self._idle: list[tuple[int, Any]] = []

    async def ask(self) -> Answer:
        """Query once."""
        kept = self._take()
        try:
            if kept is not None:
                with contextlib.suppress(self._psycopg.OperationalError):
                    return await self._query_on(*kept)
            return await self._query_on(clock.monotonic_ns(), await self._connect())
        except self._psycopg.Error as error:
            return Answer(ok=False, detail=describe(error))
        except OSError as error:
            return of_os_error(error)

    async def close(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop()[1].pgconn.finish()

    def _take(self) -> tuple[int, Any] | None:
        oldest = clock.monotonic_ns() - round(SQL_KEPT_SECONDS * NANOSECONDS)
        while self._idle:
            born, connection = self._idle.pop()
            if born >= oldest and not connection.closed:
                return born, connection
            connection.pgconn.finish()
        return None

    async def _connect(self) -> Any:
        connection = await self._psycopg.AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            application_name="drillmark probe",
            client_encoding="utf8",
            tcp_user_timeout=self._milliseconds,
        )
        whole = False
        try:
            # Queries that nobody waits for any more must not pile up in a server that is stuck.
            await connection.execute(b"SET statement_timeout = %d" % self._milliseconds)
            whole = True
        finally:
            if not whole:
                connection.pgconn.finish()
        return connection

    async def _query_on(self, born: int, connection: Any) -> Answer:
        whole = False
        try:
            cursor = await connection.execute(self._query)
            value = value_of(await cursor.fetchone() if cursor.description else None)
            whole = True
        finally:
            if not whole:
                connection.pgconn.finish()
        self._idle.append((born, connection))
        return _judged(self._judge(value))


class TcpProbe:
    """`drillmark.observe.probes.tcp`: a connection can be opened."""

    def __init__(self, name: str, *, host: str, port: int, judge: Judge) -> None:
        self.name = name
        self._host = host
        self._port = port
        self._judge = judge

    async def ask(self) -> Answer:
        """Connect once, and hang up."""
        try:
            _, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            return of_os_error(error)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return _judged(self._judge(True))  # noqa: FBT003  # what the function returns

    async def close(self) -> None:
        """Nothing is kept."""


def make(
    name: str,
    activity: dict[str, Any],
    configuration: dict[str, Any],
    secrets: dict[str, Any],
    *,
    session: aiohttp.ClientSession,
    timeout_seconds: float,
) -> Probe | None:
    """The native probe for an activity, or None where only Chaos Toolkit can perform it.

    Raises ValueError, KeyError or TypeError for arguments that it cannot use.
    """
    provider: dict[str, Any] = activity["provider"]
    tolerance = activity.get("tolerance")
    if isinstance(tolerance, dict) and tolerance.get("type") == "probe":
        return None  # its tolerance is a call of its own, which may block
    if provider["type"] == "http":
        return HttpProbe(name, activity, configuration, secrets, session)
    if provider["type"] != "python" or provider.get("module") != MODULE:
        return None
    arguments: dict[str, Any] = substitute(dict(provider.get("arguments") or {}), configuration, secrets)

    def judge(value: Any) -> bool:
        return is_met(activity, value, configuration, secrets)

    if provider.get("func") == "sql":
        seconds = min(timeout_seconds, float(arguments.get("timeout_seconds", timeout_seconds)))
        return SqlProbe(
            name,
            dsn=_dsn(arguments, provider, secrets),
            query=str(arguments["query"]),
            milliseconds=max(1, round(1000 * seconds)),
            judge=judge,
        )
    if provider.get("func") == "tcp":
        return TcpProbe(name, host=str(arguments["host"]), port=int(arguments["port"]), judge=judge)
    return None


def _judged(met: bool) -> Answer:  # noqa: FBT001  # the answer itself
    return Answer(met, "ok" if met else "tolerance")


def _dsn(arguments: dict[str, Any], provider: dict[str, Any], secrets: dict[str, Any]) -> str:
    named: dict[str, Any] = {}
    for block in provider.get("secrets") or []:
        named.update(secrets.get(block) or {})
    dsn = arguments.get("dsn") or named.get("dsn")
    if not dsn:
        raise ValueError("it needs a dsn: name a block of secrets that has one")
    return str(dsn)
