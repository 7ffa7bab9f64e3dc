"""The alert receiver: `python -m drillmark.observe.alerts CONFIG.json`. A small web server that alerts are sent to.

It writes down what it received and when, and judges nothing. It answers 200 only once that is on the disk, so that
Alertmanager sends again what was not. It reads bodies of anybody who can reach its port and knows its token, if it has
one, so it must never do anything else with them. Must never write the token down, nor what was sent in its place.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from drillmark import clock
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.observe import child
from drillmark.observe.alert_bodies import LIMIT_BYTES, BodyError, matches, parse
from drillmark.observe.alert_log import NAME, AlertLog

# Where Prometheus itself posts its alerts, with the route as its `path_prefix`.
PROMETHEUS_PATH = "/api/v2/alerts"
_BODY_SECONDS = 10.0
_TICK_SECONDS = 0.5
_AWAY_NS = 2 * NANOSECONDS
_END_SECONDS = 1.0

Rules = dict[str, list[dict[str, str]]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """The routes of one run, and what became of each request. `failed` is set where the file cannot be written."""

    def __init__(self, log: AlertLog, rules: Rules, stop: asyncio.Event, *, token: str = "") -> None:
        self._log = log
        self._stop = stop
        self._wanted = f"Bearer {token}".encode() if token else b""
        self.failed: Exception | None = None
        self.application = web.Application(client_max_size=LIMIT_BYTES)
        paths = {f"{route.rstrip('/')}{PROMETHEUS_PATH}": route for route in rules} | {route: route for route in rules}
        for path, route in paths.items():
            self.application.router.add_post(path, self._handler(route, rules[route]))

    def _handler(self, route: str, wanted: list[dict[str, str]]) -> Handler:
        async def receive(request: web.Request) -> web.Response:
            received = clock.now()
            if not self._known(request):
                return self._refuse(received, route, 401, "it was refused: its token is missing or wrong")
            try:
                async with asyncio.timeout(_BODY_SECONDS):
                    body = await request.read()
            except TimeoutError:
                return self._refuse(received, route, 408, f"the body did not come within {_BODY_SECONDS:g} s")
            except web.HTTPRequestEntityTooLarge:
                return self._refuse(received, route, 413, f"the body is larger than {LIMIT_BYTES} bytes")
            try:
                return self._take(received, route, wanted, body)
            except Exception as error:  # noqa: BLE001  # an alert may be lost here: the run must not take it for silence
                return self._give_up(error)

        return receive

    def _known(self, request: web.Request) -> bool:
        sent = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return not self._wanted or hmac.compare_digest(sent, self._wanted)

    def _take(self, received: Stamp, route: str, wanted: list[dict[str, str]], body: bytes) -> web.Response:
        try:
            alerts = parse(body, now_ns=received.wall_ns)
        except BodyError as error:
            return self._refuse(received, route, 400, str(error))
        for alert in alerts:
            matched = any(matches(alert, labels) for labels in wanted)
            self._log.alert(received, route, alert, matched=matched)
        return web.json_response({"received": len(alerts)})

    def _refuse(self, received: Stamp, route: str, status: int, why: str) -> web.Response:
        try:
            self._log.unreadable(received, route, why)
        except OSError as error:
            return self._give_up(error)
        headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
        return web.json_response({"error": why}, status=status, headers=headers)

    def _give_up(self, error: Exception) -> web.Response:
        self.failed = error
        self._stop.set()
        return web.json_response({"error": "it could not be written down"}, status=503)


async def receive(me: child.Child) -> None:
    """Receive until SIGTERM or the deadline. Raises ChildError (a busy port), OSError (disk full, say)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.call_later(0.0 if me.stop_requested else me.remaining_seconds, stop.set)
    log = AlertLog(me.run_dir / NAME)
    receiver = Receiver(log, _rules(me.config["rules"]), stop, token=_token(me))
    runner = web.AppRunner(receiver.application, access_log=None, handle_signals=False, shutdown_timeout=_END_SECONDS)
    await runner.setup()
    host, port = str(me.config["host"]), int(me.config["port"])
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise child.ChildError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        me.report("ready", url=f"http://{host}:{runner.addresses[0][1]}")
        await _watch_itself(stop, log)
    finally:
        await runner.cleanup()
    if receiver.failed is not None:
        raise receiver.failed
    log.close()


async def _watch_itself(stop: asyncio.Event, log: AlertLog) -> None:
    """Until `stop`. A process that was stopped or starved for a while says so: it may have missed something."""
    before = clock.now()
    while not stop.is_set():
        try:
            async with asyncio.timeout(_TICK_SECONDS):
                await stop.wait()
        except TimeoutError:
            pass
        now = clock.now()
        if now.monotonic_ns - before.monotonic_ns > _AWAY_NS:
            log.away(before, now)
        before = now


def _token(me: child.Child) -> str:
    """What senders must know; empty where anybody may send. Raises ChildError where it is not to be had."""
    variable = str(me.config.get("token_variable") or "")
    token = os.environ.get(variable, "") if variable else ""
    if variable and not token:
        raise child.ChildError(f"alerts are to carry the token in {variable}, which is not set")
    return token


def _rules(rules: list[dict[str, Any]]) -> Rules:
    found: Rules = {}
    for rule in rules:
        found.setdefault(str(rule["webhook"]), []).append(dict(rule["match"]))
    return found


def main(arguments: list[str]) -> int:
    """Entry point of the process; returns its exit code."""
    return child.run(arguments, lambda me: asyncio.run(receive(me)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
