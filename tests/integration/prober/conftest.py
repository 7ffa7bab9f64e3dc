"""A server to beat on, and the prober: in this process, or as the engine starts it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from answering import PERIOD, Answering
from drillmark import clock, samples
from drillmark.model.evidence import Table
from drillmark.observe import paced, prober
from observe_children import NS, Child


@pytest.fixture
def server() -> Iterator[Any]:
    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    running: Any = Server(("127.0.0.1", 0), Answering)
    running.delay, running.status, running.hits = 0.0, 200, 0
    running.body, running.content_type = b'{"source": "database"}', "application/json"
    running.seen, running.posted = [], []
    running.url = f"http://127.0.0.1:{running.server_address[1]}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join(60)


@pytest.fixture
def beat(tmp_path: Path) -> Any:
    """Beats in this process for some seconds; `between` is called half-way, in a thread."""

    def run(
        activities: list[dict[str, Any]],
        seconds: float,
        *,
        timeout: float = 20.0,
        secrets: dict[str, Any] | None = None,
        configuration: dict[str, Any] | None = None,
        between: Any = None,
    ) -> Table:
        path = tmp_path / "beats.dms"

        async def work() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            if between:
                loop.call_later(seconds / 2, between)
            connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False)
            async with aiohttp.ClientSession(connector=connector) as session:
                probes = paced.make_probes(
                    activities,
                    configuration or {},
                    secrets or {},
                    session=session,
                    period_ns=round(PERIOD * NS),
                    timeout_seconds=timeout,
                )
                writer = samples.SampleWriter(path, samples.BEATS, {"start_ns": clock.monotonic_ns()})
                beats = prober.Prober(
                    writer,
                    probes,
                    start_ns=writer.meta["start_ns"],
                    period_ns=round(PERIOD * NS),
                    timeout_ns=round(timeout * NS),
                )
                loop.call_later(seconds, stop.set)
                await beats.run(stop)
                writer.close()
                for each in probes:
                    await each.probe.close()
                await asyncio.sleep(0.1)

        asyncio.run(work())
        return samples.read(path)

    return run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Starts the prober as the engine does."""
    running: list[Child] = []

    def begin(
        activities: list[dict[str, Any]], *, lease: float = 600, env: dict[str, str] | None = None, **config: Any
    ) -> Child:
        config = {"every_seconds": PERIOD, "timeout_seconds": 20.0, "activities": activities, **config}
        where = tmp_path / "run with space"
        running.append(Child("drillmark.observe.prober", "prober", where, config, environment=env, lease_seconds=lease))
        return running[-1]

    yield begin
    for each in running:
        each.end(signal.SIGKILL)
