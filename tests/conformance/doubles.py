"""Servers that stand in for others in these tests: one that answers HTTP as it is asked to, and later Vault's KV v2."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any


class Quiet(http.server.BaseHTTPRequestHandler):
    """Says the same every time, and nothing on the screen."""

    protocol_version = "HTTP/1.0"

    def version_string(self) -> str:
        return "conformance"

    def date_time_string(self, *_: Any) -> str:
        return "always"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def answer(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client that ran out of its time
            self.wfile.write(body)


class Answer(Quiet):
    """`/STATUS` answers with that status; `/echo`, `/text`, `/latin`, `/broken`, `/away`, `/slow` as they are named."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        match path:
            case "/echo":
                sent = {name: self.headers[name] for name in ("X-Token", "Content-Type") if name in self.headers}
                told = {"method": self.command, "query": query, "body": body, "headers": sent}
                self.answer(200, json.dumps(told).encode())
            case "/text":
                self.answer(200, b"all is well\n", "text/plain")
            case "/charset":
                self.answer(200, b'{"source": "database"}', "application/json; charset=utf-8")
            case "/latin":
                self.answer(200, "gr\u00fc\u00dfe".encode("latin-1"), "text/plain; charset=iso-8859-1")
            case "/broken":
                self.answer(200, b'{"source": ', "application/json")
            case "/away":
                self.answer(302, b"", Location="/200")
            case "/slow":
                time.sleep(1.5)
                self.answer(200, b"{}")
            case "/nothing":
                self.answer(204, b"", "text/plain")
            case _:
                self.answer(int(path[1:4]), json.dumps({"source": "database"}).encode())

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET


@contextlib.contextmanager
def serving(handler: type[Quiet]) -> Iterator[str]:
    """A server on a free port, and its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
