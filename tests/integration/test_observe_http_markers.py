"""Markers over HTTP, against a small service that is refused, slow, cut off, wrong, and forgets."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from drillmark import samples
from drillmark.errors import DrillmarkError
from drillmark.model.evidence import Table
from drillmark.observe import child, read_back
from drillmark.observe.http_answers import Answered, fate_of
from drillmark.samples import LedgerKind, LedgerOp
from marker_thread import MarkerThread
from observe_children import NS
from waiting import until


class Service:
    """Keeps rows in memory. `behave`: what it does with a write beside, or instead."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.behave = ""
        self.reads = 0
        self.closes = False  # each connection after one answer
        self.lock = threading.Lock()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.write(lambda body: service.insert(body["id"]))

            def do_PUT(self) -> None:
                self.write(lambda body: service.change(self.row, body["before"], body["write"]))

            def do_DELETE(self) -> None:
                before = int(parse_qs(urlsplit(self.path).query)["before"][0])
                self.write(lambda _: service.change(self.row, before, None))

            @property
            def row(self) -> int:
                return int(urlsplit(self.path).path.rpartition("/")[2])

            def do_GET(self) -> None:
                service.reads += 1
                parts = urlsplit(self.path)
                with service.lock:
                    rows = dict(service.rows)
                if parts.path.startswith("/one/"):
                    row = self.row
                    self.answer(*((200, {"write": rows[row]}) if row in rows else (404, {})))
                    return
                after = int(parse_qs(parts.query).get("after", ["0"])[0])
                page = [{"id": row, "write": rows[row]} for row in sorted(rows) if row > after][:7]
                self.answer(200, {"markers": page})

            def write(self, work: Any) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                behave = service.behave
                if behave in ("", "500 after", "cut after", "slow"):
                    status = work(body)
                if behave == "503 before":
                    self.answer(503, {})
                elif behave == "422":
                    self.answer(422, {})
                elif behave == "202":
                    self.answer(202, {})
                elif behave == "500 after":
                    self.answer(500, {})
                elif behave == "cut after":
                    self.close_connection = True
                    self.connection.close()
                elif behave == "slow":
                    time.sleep(0.9)
                    with contextlib.suppress(OSError):
                        self.answer(status, {})
                else:
                    self.answer(status, {})

            def answer(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                if service.closes:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a connection that this test cuts

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def insert(self, row: int) -> int:
        with self.lock:
            self.rows[row] = row
        return 201

    def change(self, row: int, before: int, write: int | None) -> int:
        with self.lock:
            if self.rows.get(row) != before:
                return 404
            if write is None:
                del self.rows[row]
            else:
                self.rows[row] = write
        return 200

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


JSON = {"Content-Type": "application/json"}


def requests_to(url: str, *, read: dict[str, Any] | None = None) -> dict[str, Any]:
    row = url + "/markers/${drillmark_run}/${marker_row}"
    changed = {"write": "${marker_write}", "before": "${marker_before}"}
    return {
        "insert": {"method": "POST", "url": f"{url}/markers", "headers": JSON, "arguments": {"id": "${marker_row}"}},
        "update": {"method": "PUT", "url": row, "headers": JSON, "arguments": changed},
        "delete": {"method": "DELETE", "url": row + "?before=${marker_before}"},
        "read": read
        or {"method": "GET", "url": url + "/markers?after=${marker_after}", "rows": "$.markers[*]", "write": "$.write"},
    }


def here(directory: Path, role: str, **config: Any) -> child.Child:
    (directory / "children").mkdir(exist_ok=True, parents=True)
    config = {"store": "http", "ledger": "ledger-http", "survivors": "survivors-http", **config}
    me = child.Child(role, "r1", directory, time.monotonic_ns() + 120 * NS, config)
    me.resolve()
    return me


class Writing(MarkerThread):
    """Over HTTP, with updates and deletions."""

    def __init__(self, directory: Path, url: str, **config: Any) -> None:
        settings = {"every_seconds": 0.01, "writers": 2, "changes": True, "timeout_write_seconds": 20.0}
        super().__init__(
            here(directory, "markers-http", requests=requests_to(url), **settings | config), ledger="ledger-http"
        )

    def count(self, kind: LedgerKind) -> int:
        try:
            return int((self.table()["kind"] == kind).sum())
        except (DrillmarkError, FileNotFoundError):
            return 0

    def wait_for(self, kind: LedgerKind, more: int) -> None:
        target = self.count(kind) + more
        until(lambda: self.count(kind) >= target or not self.thread.is_alive(), seconds=60)
        assert self.error is None, self.error


def acknowledged_rows(ledger: Table) -> tuple[dict[int, int], set[int]]:
    """What the acknowledged writes alone leave, and the rows with a write of unknown outcome: told one by one."""
    rows: dict[int, int] = {}
    ended: set[int] = set()
    unclear: set[int] = set()
    for kind, number, op, key in zip(*(ledger[name].tolist() for name in ("kind", "id", "op", "key")), strict=True):
        if kind == LedgerKind.ACKNOWLEDGED and op == LedgerOp.DELETE:
            rows.pop(key, None)
        elif kind == LedgerKind.ACKNOWLEDGED:
            rows[key] = number
        if kind in (LedgerKind.ACKNOWLEDGED, LedgerKind.FAILED):
            ended.add(number)
    for number, key in zip(ledger["id"].tolist(), ledger["key"].tolist(), strict=True):
        if number not in ended:
            unclear.add(key)
    return rows, unclear


@pytest.mark.parametrize("closes", [False, True])
def test_rows_are_written_changed_and_read_back_page_by_page_and_one_by_one(
    service: Service, tmp_path: Path, closes: bool
):
    service.closes = closes
    writing = Writing(tmp_path, service.url)
    writing.wait_for(LedgerKind.ACKNOWLEDGED, 120)
    ledger = writing.end()
    assert ledger.closed
    assert ledger.meta["compares"] is True
    assert {int(op) for op in ledger["op"]} == {LedgerOp.INSERT, LedgerOp.UPDATE, LedgerOp.DELETE}
    rows, unclear = acknowledged_rows(ledger)
    assert not unclear
    assert rows == service.rows
    one_by_one = {"method": "GET", "url": service.url + "/one/${marker_row}", "write": "$.write"}
    for read in (None, one_by_one):
        service.reads = 0
        config = {"requests": requests_to(service.url, read=read), "timeout_seconds": 60, "identity": None}
        read_back.observe(here(tmp_path, "read_back-http", **config))
        found = samples.read(tmp_path / "samples" / "survivors-http.dms")
        assert dict(zip(found["id"].tolist(), found["value"].tolist(), strict=True)) == rows
        assert found.meta["identity"] == "unknown"
        assert service.reads > len(rows) / 7


@pytest.mark.parametrize("behave", ["503 before", "500 after", "cut after", "slow", "202"])
def test_what_nobody_was_told_is_indeterminate_whether_it_was_done_or_not(
    service: Service, tmp_path: Path, behave: str
):
    writing = Writing(tmp_path, service.url, **({"timeout_write_seconds": 0.3} if behave == "slow" else {}))
    writing.wait_for(LedgerKind.ACKNOWLEDGED, 20)
    service.behave = behave
    writing.wait_for(LedgerKind.INDETERMINATE, 4)
    service.behave = ""
    writing.wait_for(LedgerKind.ACKNOWLEDGED, 20)
    ledger = writing.end()
    assert not (ledger["kind"] == LedgerKind.FAILED).any()
    rows, unclear = acknowledged_rows(ledger)
    # What was acknowledged is there, whatever else is.
    assert {row: write for row, write in rows.items() if row not in unclear} == {
        row: write for row, write in service.rows.items() if row not in unclear
    }


def test_only_what_says_that_nothing_was_done_is_a_refusal(service: Service, tmp_path: Path):
    writing = Writing(tmp_path, service.url)
    writing.wait_for(LedgerKind.ACKNOWLEDGED, 20)
    service.behave = "422"
    writing.wait_for(LedgerKind.FAILED, 4)
    service.behave = ""
    ledger = writing.end()
    assert not (ledger["kind"] == LedgerKind.INDETERMINATE).any()
    assert acknowledged_rows(ledger) == (service.rows, set())


def test_without_a_connection_nothing_is_attempted(service: Service, tmp_path: Path):
    writing = Writing(tmp_path, service.url)
    writing.wait_for(LedgerKind.ACKNOWLEDGED, 20)
    service.server.shutdown()
    service.server.socket.close()
    # Kept connections are still served by their threads: they are taken away, too.
    service.behave = "cut after"
    until(lambda: writing.count(LedgerKind.INDETERMINATE) >= 2, seconds=60)
    time.sleep(0.5)
    before = writing.count(LedgerKind.INVOKED)
    time.sleep(1.0)
    assert writing.count(LedgerKind.INVOKED) == before
    assert writing.end().closed


def test_a_service_that_never_acknowledges_is_an_error_that_says_what_it_answered(service: Service, tmp_path: Path):
    service.behave = "202"
    writing = Writing(tmp_path, service.url)
    writing.thread.join(60)
    assert "no marker was acknowledged: 202" in str(writing.error)


@pytest.mark.parametrize(
    ("status", "declared", "kind"),
    [
        (201, {}, LedgerKind.ACKNOWLEDGED),
        (202, {}, LedgerKind.INDETERMINATE),
        (202, {"tolerance": 202}, LedgerKind.ACKNOWLEDGED),
        (302, {}, LedgerKind.INDETERMINATE),
        (400, {}, LedgerKind.FAILED),
        (404, {}, LedgerKind.FAILED),
        (408, {}, LedgerKind.INDETERMINATE),
        (409, {}, LedgerKind.INDETERMINATE),
        (409, {"refused": [409]}, LedgerKind.FAILED),
        (404, {"refused": [409]}, LedgerKind.INDETERMINATE),
        (500, {}, LedgerKind.INDETERMINATE),
        (503, {}, LedgerKind.INDETERMINATE),
        (200, {"tolerance": {"type": "jsonpath", "target": "body", "path": "$.ok", "expect": [True]}}, LedgerKind.ACKNOWLEDGED),
        (500, {"tolerance": {"type": "jsonpath", "target": "body", "path": "$.ok", "expect": [True]}}, LedgerKind.INDETERMINATE),
        (200, {"tolerance": {"type": "jsonpath", "target": "body", "path": "$.ok", "expect": [False]}}, LedgerKind.INDETERMINATE),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, declared: dict[str, Any], kind: LedgerKind):
    answered = Answered(status, {"Content-Type": "application/json"}, b'{"ok": true}')
    assert fate_of(declared, answered, {}, {}) is kind
