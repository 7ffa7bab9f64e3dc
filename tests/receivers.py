"""A real HTTP server that keeps what it is sent: a webhook, or a collector of OTLP."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WITHIN_SECONDS = 60.0


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`status` is what it answers from now on; while `holds` is clear it answers nobody."""

    port: int = 0
    status: int = 200
    received: list[Received] = field(default_factory=list)
    holds: threading.Event = field(default_factory=threading.Event)

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in list(self.received)]

    def titles(self) -> list[str]:
        return [body["title"].removeprefix("[Drillmark] ") for body in self.json()]

    def wait(self, enough: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WITHIN_SECONDS
        while not enough():
            assert time.monotonic() < deadline, f"no {what} within {WITHIN_SECONDS:g} s; received: {self.received}"
            time.sleep(0.02)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.holds.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            receiver.holds.wait(WITHIN_SECONDS)
            try:
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                return  # it was not waited for

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.holds.set()
        server.shutdown()
        thread.join()
        server.server_close()
