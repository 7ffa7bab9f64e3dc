"""A web server that answers as a test says, and what the prober made of its answers."""

from __future__ import annotations

import contextlib
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np

from drillmark import samples
from drillmark.model.evidence import Table

PERIOD = 0.05


class Answering(BaseHTTPRequestHandler):
    """Answers as its server says at the moment."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.hits += 1
        server.seen.append((self.path, dict(self.headers)))
        time.sleep(server.delay)
        body = server.body
        status = int(self.path.rpartition("/")[2]) if "/status/" in self.path else server.status
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", server.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_POST(self) -> None:
        server: Any = self.server
        server.posted.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.do_GET()

    def log_message(self, *args: Any) -> None:
        pass


def http(url: str, **more: Any) -> dict[str, Any]:
    return {
        "name": more.pop("name", "read"),
        "type": "probe",
        "tolerance": more.pop(
            "tolerance", {"type": "jsonpath", "target": "body", "path": "$.source", "expect": ["database"]}
        ),
        "provider": {"type": "http", "url": url, "timeout": 20, **more},
    }


def words(table: Table) -> dict[str, set[tuple[int, str]]]:
    """What each probe's rows say: good or not, and the detail."""
    found: dict[str, set[tuple[int, str]]] = {}
    for name, ok, detail in zip(
        samples.texts(table, "probe"), table["ok"].tolist(), samples.texts(table, "detail"), strict=True
    ):
        found.setdefault(name, set()).add((ok, detail))
    return found


def steps(table: Table) -> Any:
    """Slots from one beat that is there to the next."""
    return np.diff(np.unique(np.asarray(table["beat"])))
