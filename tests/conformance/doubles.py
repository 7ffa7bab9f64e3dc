"""Servers that stand in for others: one answers HTTP as it is asked to, one speaks Vault's KV version 2.

The latter is not Vault: it knows one token, one AppRole, and a few secrets, and answers as Vault's API says that Vault
does. What it does not show is Vault's policies, leases and sealing.
"""

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


class VaultStandIn(Quiet):
    """KV version 2 at `secret/` and `other/`, and the login by AppRole; errors as Vault words them."""

    TOKEN = "hvs.CAESIJ-stand-in-51c0"
    ROLE_ID, SECRET_ID = "role-7d2a", "secret-id-90bb1f"
    PASSWORD = "Vq8-from-the-vault-2b"
    KEPT = {
        "/v1/secret/data/web": {"password": PASSWORD, "login": "jane"},
        "/v1/secret/data/deep/er": {"password": PASSWORD},
        "/v1/other/data/web": {"login": "from the other mount"},
    }

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if self.headers.get("X-Vault-Token") != self.TOKEN:
            self._say(403, {"errors": ["permission denied"]})
        elif path not in self.KEPT:
            self._say(404, {"errors": []})
        else:
            metadata = {"version": 1, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False}
            self._say(200, {"request_id": "r", "data": {"data": self.KEPT[path], "metadata": metadata}})

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if self.path != "/v1/auth/approle/login":
            self._say(404, {"errors": ["no handler for route"]})
        elif sent != {"role_id": self.ROLE_ID, "secret_id": self.SECRET_ID}:
            self._say(400, {"errors": ["invalid role or secret ID"]})
        else:
            self._say(200, {"auth": {"client_token": self.TOKEN, "policies": ["default"], "lease_duration": 3600}})

    def _say(self, status: int, body: dict[str, Any]) -> None:
        self.answer(status, json.dumps(body).encode())


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
