"""The order service's way to its database: a psycopg pool that says quickly when the database is gone.

A request waits for a connection at most a second, and not at all once connecting has been refused; nothing
backs off, so the service is well again as soon as the database is. Must never repeat a write by itself.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

WAIT_SECONDS = 1.0
STATEMENT_SECONDS = 2.0
POOL_SIZE = 8
_MARGIN_SECONDS = 0.3

Connection = psycopg.AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]


class DatabaseDownError(Exception):
    """The database did not answer: no connection, a broken one, or no answer in time."""


class Database:
    """Runs statements. All methods belong to one event loop."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._pool: Pool | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Make the pool. Does not wait for the database."""
        pool: Pool = AsyncConnectionPool(
            self._conninfo,
            connection_class=psycopg.AsyncConnection[DictRow],
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": 2,
                "application_name": "order-service",
                "options": f"-c statement_timeout={round(STATEMENT_SECONDS * 1000)}",
            },
            min_size=0,
            max_size=POOL_SIZE,
            timeout=WAIT_SECONDS,
            # Give up at once: the next request tries again, and this one hears of it.
            reconnect_timeout=0.0,
            reconnect_failed=self._refused,
            open=False,
        )
        await pool.open()
        self._pool = pool

    async def close(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close(timeout=STATEMENT_SECONDS)

    async def reconnect(self) -> None:
        """Leave the old connections to their requests and take new ones, to where the service file leads now."""
        old = self._pool
        await self.open()
        if old is not None:
            task = asyncio.create_task(old.close(timeout=STATEMENT_SECONDS))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def fetch(self, statement: str, values: Sequence[Any] = ()) -> list[DictRow]:
        """The rows of one statement, committed.

        Raises:
            DatabaseDownError: there is no database that answers in time.
            psycopg.Error: the database refused the statement.
        """
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(refused)
        work = asyncio.create_task(self._execute(statement, values, refused))
        try:
            await asyncio.wait(
                {work, refused},
                timeout=WAIT_SECONDS + STATEMENT_SECONDS + _MARGIN_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not work.done():
                raise DatabaseDownError("connection refused" if refused.done() else "no answer in time")
            return work.result()
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed) as error:
            raise DatabaseDownError(str(error).strip() or type(error).__name__) from error
        finally:
            self._waiting.discard(refused)
            refused.cancel()
            if not work.done():
                # Cancelling may itself wait for a server that is stopped: nobody waits for that.
                work.cancel()
                self._closing.add(work)  # pyright: ignore[reportArgumentType]
                work.add_done_callback(self._forget)

    async def _execute(self, statement: str, values: Sequence[Any], refused: asyncio.Future[None]) -> list[DictRow]:
        pool = self._pool
        if pool is None:
            raise DatabaseDownError("the service is closing")
        connection = await pool.getconn()
        try:
            while _has_hung_up(connection):
                # The server has died since: such connections are thrown away, and nothing was sent yet.
                await connection.close()
                await pool.putconn(connection)
                connection = await pool.getconn()
            self._waiting.discard(refused)
            cursor = await connection.execute(statement, values)  # pyright: ignore[reportArgumentType]
            return await cursor.fetchall() if cursor.description else []
        finally:
            await pool.putconn(connection)

    async def _refused(self, pool: AsyncConnectionPool[Any]) -> None:
        if pool is not self._pool:
            return
        for waiting in list(self._waiting):
            if not waiting.done():
                waiting.set_result(None)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._closing.discard(task)
        if not task.cancelled():
            task.exception()


def _has_hung_up(connection: Connection) -> bool:
    # A server says nothing on an idle connection but its farewell.
    if connection.closed:
        return True
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return bool(poller.poll(0))
