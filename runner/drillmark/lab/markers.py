"""Markers through the order service: rows that a drill writes as a user writes orders, in the same database.

A change says what its row was last written by, and is refused where that is not so. Must never answer from memory.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from drillmark.lab.database import Database

PAGE_ROWS = 5000

Endpoint = Callable[[Request], Awaitable[JSONResponse]]


def routes(database: Database, honest: Callable[[Endpoint], Endpoint]) -> list[Route]:
    """The routes. `honest` makes an answer of what the database refuses."""

    async def insert(request: Request) -> JSONResponse:
        try:
            body = json.loads(await request.body())
            values = (str(body["run"]), int(body["id"]), int(body["id"]))
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "a marker has a run and an id"}, 422)
        await database.fetch("insert into service_markers (run, id, write) values (%s, %s, %s)", values)
        return JSONResponse({"source": "database", "id": values[1]}, 201)

    async def update(request: Request) -> JSONResponse:
        run, row = _place(request)
        try:
            body = json.loads(await request.body())
            write, before = int(body["write"]), int(body["before"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "a change has a write, and the one before"}, 422)
        changed = await database.fetch(
            "update service_markers set write = %s where run = %s and id = %s and write = %s returning id",
            (write, run, row, before),
        )
        return _changed(bool(changed))

    async def delete(request: Request) -> JSONResponse:
        run, row = _place(request)
        before = int(request.query_params.get("before", "0"))
        changed = await database.fetch(
            "delete from service_markers where run = %s and id = %s and write = %s returning id", (run, row, before)
        )
        return _changed(bool(changed))

    async def read(request: Request) -> JSONResponse:
        after = int(request.query_params.get("after", "0"))
        rows = await database.fetch(
            "select id, write from service_markers where run = %s and id > %s order by id limit %s",
            (request.path_params["run"], after, PAGE_ROWS),
        )
        return JSONResponse({"source": "database", "markers": rows})

    return [
        Route("/markers", honest(insert), methods=["POST"]),
        Route("/markers/{run}", honest(read)),
        Route("/markers/{run}/{row:int}", honest(update), methods=["PUT"]),
        Route("/markers/{run}/{row:int}", honest(delete), methods=["DELETE"]),
    ]


def _place(request: Request) -> tuple[str, int]:
    return str(request.path_params["run"]), int(request.path_params["row"])


def _changed(done: bool) -> JSONResponse:  # noqa: FBT001  # what the database said
    if done:
        return JSONResponse({"source": "database"})
    return JSONResponse({"source": "database", "error": "no such marker, or it was last written otherwise"}, 404)
