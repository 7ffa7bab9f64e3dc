"""`/metrics` and `/healthz` of a worker: a small HTTP server in threads of its own.

It answers GET on two paths and nothing else, reads no body, and shows nothing that is secret. Must never keep a worker
from ending, nor end it where a port is taken: the caller decides that.
"""

from __future__ import annotations

import http.server
import json
import socket
import threading
from typing import Self

from drillmark.errors import UsageError
from drillmark.telling.health import Health
from drillmark.telling.metrics import WorkerMetrics

_SILENT_CLIENT_SECONDS = 10.0


class Server:
    """The running server; a context manager. Raises UsageError where it cannot listen there."""

    def __init__(self, listen: str, metrics: WorkerMetrics, health: Health) -> None:
        host, _, port = listen.rpartition(":")
        try:
            self._server = _Server((host, int(port)), metrics, health)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"cannot listen on {listen}: {getattr(error, 'strerror', '') or error}",
                hint="set metrics.listen in drillmark.yaml (port 0: one that is free)",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="drillmark-metrics", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens: host:port."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], metrics: WorkerMetrics, health: Health) -> None:
        self.metrics = metrics
        self.health = health
        super().__init__(address, _Handler)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """A client that goes away in the middle of an answer is nobody's business."""


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = _SILENT_CLIENT_SECONDS
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            body, content_type = self.server.metrics.render(self.headers.get("Accept", ""))
            self._answer(200, content_type, body)
        elif path == "/healthz":
            health = self.server.health.as_json()
            self._answer(200 if health["ok"] else 503, "application/json", json.dumps(health).encode() + b"\n")
        else:
            self._answer(404, "text/plain", b"there are /metrics and /healthz\n")

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """A scrape every few seconds is nothing to log."""
