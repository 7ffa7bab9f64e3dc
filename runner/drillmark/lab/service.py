"""The order service: creates and reads orders, and says honestly whether its database answers.

A process of its own (`python -m drillmark.lab.service LAB_DIRECTORY`), started and restarted by the
supervisor. Must never answer from memory: every answer comes from the database, now.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from drillmark.lab import markers
from drillmark.lab.database import Database, DatabaseDownError

_COLUMNS = "id, customer, item, quantity, price::text as price, created_at::text as created_at"
_MAXIMUM_TEXT = 200
_MAXIMUM_QUANTITY = 1_000_000
_MAXIMUM_PRICE = 1_000_000_000


class OrderError(ValueError):
    """What the client sent is no order."""


def application(conninfo: str) -> Starlette:
    """The service as an ASGI application on the database that `conninfo` leads to."""
    database = Database(conninfo)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        await database.open()
        yield
        await database.close()

    async def create(request: Request) -> JSONResponse:
        try:
            order = _order(json.loads(await request.body() or b"null"))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 422)
        rows = await database.fetch(
            f"insert into orders (customer, item, quantity, price) values (%s, %s, %s, %s) returning {_COLUMNS}",  # noqa: S608
            order,
        )
        return JSONResponse({"source": "database", **rows[0]}, 201)

    async def latest(_: Request) -> JSONResponse:
        return _one(await database.fetch(f"select {_COLUMNS} from orders order by id desc limit 1"))  # noqa: S608

    async def read(request: Request) -> JSONResponse:
        number = request.path_params["number"]
        return _one(await database.fetch(f"select {_COLUMNS} from orders where id = %s", (number,)))  # noqa: S608

    async def health(_: Request) -> JSONResponse:
        rows = await database.fetch("select pg_is_in_recovery() as read_only")
        if rows[0]["read_only"]:
            return JSONResponse({"status": "down", "database": "read-only"}, 503)
        return JSONResponse({"status": "ok", "database": "ok"})

    async def reconnect(_: Request) -> JSONResponse:
        await database.reconnect()
        return JSONResponse({"status": "reconnected"})

    return Starlette(
        routes=[
            Route("/orders", _honest(create), methods=["POST"]),
            Route("/orders/latest", _honest(latest)),
            Route("/orders/{number:int}", _honest(read)),
            *markers.routes(database, _honest),
            Route("/health", _honest(health)),
            Route("/admin/reconnect", reconnect, methods=["POST"]),
        ],
        lifespan=lifespan,
    )


Endpoint = Callable[[Request], Awaitable[JSONResponse]]


def _honest(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> JSONResponse:
        try:
            return await endpoint(request)
        except DatabaseDownError as error:
            return JSONResponse({"status": "down", "error": f"the database does not answer: {error}"}, 503)
        except psycopg.Error as error:
            return JSONResponse({"status": "error", "error": f"{type(error).__name__}: {error}"}, 500)

    return answer


def _one(rows: list[dict[str, Any]]) -> JSONResponse:
    if not rows:
        return JSONResponse({"source": "database", "error": "no such order"}, 404)
    return JSONResponse({"source": "database", **rows[0]})


def _order(body: Any) -> tuple[str, str, int, Decimal]:
    if not isinstance(body, dict):
        raise OrderError("the body must be a JSON object")
    customer, item, quantity = body.get("customer"), body.get("item"), body.get("quantity", 1)
    for name, text in (("customer", customer), ("item", item)):
        if not isinstance(text, str) or not 0 < len(text) <= _MAXIMUM_TEXT or "\x00" in text:
            raise OrderError(f"{name} must be a text of 1 to {_MAXIMUM_TEXT} characters")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 < quantity < _MAXIMUM_QUANTITY:
        raise OrderError("quantity must be a whole number above 0")
    try:
        price = Decimal(str(body.get("price", 0)))
    except InvalidOperation as error:
        raise OrderError("price must be a number") from error
    if not (price.is_finite() and 0 <= price < _MAXIMUM_PRICE):
        raise OrderError("price must be a number from 0 to 1,000,000,000")
    return str(customer), str(item), quantity, price


def main() -> None:
    """Serve until SIGTERM, on the address that ORDERS_URL names."""
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    port = int(os.environ["ORDERS_URL"].rpartition(":")[2])
    uvicorn.run(
        application(os.environ["ORDERS_DSN"]),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        loop="asyncio",
        ws="none",
        timeout_graceful_shutdown=1,
        backlog=512,
    )


if __name__ == "__main__":
    sys.exit(main())
