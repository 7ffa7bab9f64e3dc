"""The supervisor's ear: answers control requests on a Unix socket, one thread for each.

Knows HTTP and JSON, and nothing of what the requests mean.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from drillmark.errors import DrillmarkError

Handler = Callable[[dict[str, Any]], dict[str, Any]]


def serve(path: Path, routes: dict[tuple[str, str], Handler]) -> socketserver.BaseServer:
    """Listen on the socket `path` (a stale one is replaced), in threads. `shutdown()` of the answer ends it."""
    path.unlink(missing_ok=True)

    class RequestHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            handler = routes.get((self.command, self.path))
            try:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                if handler is None:
                    status, answer = 404, {"error": f"no such request: {self.command} {self.path}"}
                elif not isinstance(body, dict):
                    status, answer = 400, {"error": "the body must be a JSON object"}
                else:
                    status, answer = 200, handler(body)
            except DrillmarkError as error:
                status, answer = 409, {"error": str(error), "hint": error.hint, "code": error.code}
            except (KeyError, TypeError, ValueError) as error:
                status, answer = 400, {"error": f"bad request: {type(error).__name__} {error}"}
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = _answer  # noqa: N815 the names that http.server wants

        def address_string(self) -> str:
            return "control"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
            """Say nothing: the supervisor logs what it does."""

    server = _Server(str(path), RequestHandler)
    threading.Thread(target=server.serve_forever, name="control", daemon=True).start()
    return server


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
