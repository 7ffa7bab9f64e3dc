"""Markers through a service: each write is a request as a user would send it, so that what users were told counts.

Requests are Chaos Toolkit's `http` providers, with the numbers of row and write filled in. Must never call a write
failed that may have been done: without a connection nothing is attempted, and once something may have been sent, only
an answer that says so makes it acknowledged or refused.
"""

from __future__ import annotations

import http.client
import select
import ssl
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

import numpy as np
import requests

from drillmark import clock, samples
from drillmark.observe import child
from drillmark.observe.changes import Write
from drillmark.observe.http import prepare, tls
from drillmark.observe.http_answers import Answered, fate_of, rows_of
from drillmark.observe.store import Reading, StoreError, Written, in_order
from drillmark.samples import LedgerKind, LedgerOp

_MOST_BYTES = 64 << 20
_NOT_THERE = frozenset({404, 410})
_NAMES = {LedgerOp.INSERT: "insert", LedgerOp.UPDATE: "update", LedgerOp.DELETE: "delete"}
_READ_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go. All requests of a marker writer go to one."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: str) -> Address:
        """Of a whole URL. Raises ValueError."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("its address is none")
        return cls(parts.scheme, parts.hostname, parts.port)


class HttpLink:
    """One connection to the service, kept from write to write."""

    def __init__(self, store: HttpStore, address: Address, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        if address.scheme == "https":
            context = store.tls if isinstance(store.tls, ssl.SSLContext) else _unchecked()
            self._connection = http.client.HTTPSConnection(address.host, address.port, timeout=seconds, context=context)
        else:
            self._connection = http.client.HTTPConnection(address.host, address.port, timeout=seconds)
        try:
            self._connection.connect()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise StoreError(_word(error)) from None
        self._over = False

    def is_usable(self) -> bool:
        """A service says nothing on an idle connection but its farewell."""
        sock = self._connection.sock
        if self._over or sock is None:
            return False
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        return not poller.poll(0)

    def write(self, write: Write, writer: int) -> Written:
        """Send one request, and judge its answer."""
        del writer
        request = self._store.request(_NAMES[write.op], write=write)
        try:
            answered = self.send(request)
        except TimeoutError:
            return Written(LedgerKind.INDETERMINATE, reason="timeout")
        except (OSError, http.client.HTTPException) as error:
            return Written(LedgerKind.INDETERMINATE, reason=_word(error))
        kind = fate_of(self._store.declared[_NAMES[write.op]], answered, self._store.configuration, self._store.secrets)
        return Written(kind, reason="" if kind is LedgerKind.ACKNOWLEDGED else str(answered.status))

    def send(self, request: requests.PreparedRequest) -> Answered:
        """The whole answer. Raises OSError and HTTPException; a time-out is a TimeoutError."""
        until = time.monotonic() + self._seconds
        self._over = True  # until the answer is whole
        connection = self._connection
        parts = urllib.parse.urlsplit(str(request.url))
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        headers = {str(key): str(value) for key, value in request.headers.items() if key != "Connection"}
        body: Any = request.body
        connection.request(str(request.method), target, body=body, headers=headers)
        response = connection.getresponse()
        content = bytearray()
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if connection.sock is not None:
                connection.sock.settimeout(left)
            if not (part := response.read(65536)):
                break
            content += part
            if len(content) > _MOST_BYTES:
                raise http.client.HTTPException("the answer is too long")
        if connection.sock is not None:
            connection.sock.settimeout(self._seconds)
        self._over = response.will_close
        return Answered(response.status, dict(response.getheaders()), bytes(content))

    def close(self) -> None:
        """At once."""
        self._connection.close()


class _ReadLink:
    """A connection to read by. A service may close one after any answer: then the next request has a new one."""

    def __init__(self, store: HttpStore, address: Address) -> None:
        self._make = lambda: HttpLink(store, address, _READ_SECONDS)
        self._link: HttpLink | None = None

    def usable(self) -> HttpLink:
        """One that the service has not closed. Raises StoreError where none can be opened."""
        if self._link is None or not self._link.is_usable():
            self.close()
            self._link = self._make()
        return self._link

    def close(self) -> None:
        """Let it go."""
        if self._link is not None:
            self._link.close()


class HttpStore:
    """A service that markers go through, as its writer declares it."""

    def __init__(self, me: child.Child, *, changes: bool) -> None:
        self.declared: dict[str, dict[str, Any]] = dict(me.config["requests"])
        self.configuration = {**me.configuration, "drillmark_run": me.run}
        block = me.config.get("secrets_name")
        self.secrets = {block: me.secrets.get(block) or {}} if block else {}
        self.tls = tls(bool(me.config.get("verify_tls", True)))
        self.seconds = float(me.config.get("timeout_write_seconds", 2.0))
        self._me = me
        told = [op for op in (LedgerOp.UPDATE, LedgerOp.DELETE) if changes and _NAMES[op] in self.declared]
        self.kinds: frozenset[LedgerOp] = frozenset(told)
        # A request that says what it found before is taken to be refused where that is not so.
        blind = [op for op in told if op is LedgerOp.UPDATE and "marker_before" not in repr(self.declared[_NAMES[op]])]
        self.meta: dict[str, Any] = {"store": "http", "compares": not blind}
        self.longest_seconds = 2 * self.seconds
        try:
            self._address = Address.of(str(self.request("insert", write=Write(LedgerOp.INSERT, 0, 0)).url))
        except (ValueError, requests.RequestException) as error:
            raise child.ChildError(f"markers cannot be sent: {error}") from None

    def request(self, name: str, *, write: Write | None = None, after: int = 0) -> requests.PreparedRequest:
        """One of the declared requests, with the numbers filled in."""
        numbers: dict[str, Any] = {"marker_after": after}
        if write is not None:
            numbers |= {"marker_row": write.key, "marker_write": write.id, "marker_before": write.before}
        return prepare(self.declared[name], self.configuration | numbers, self.secrets)

    def prepare(self) -> str:
        """Nothing is to be made; a service has no system identifier."""
        return ""

    def connect(self) -> HttpLink:
        """Raises StoreError: nothing was sent."""
        return HttpLink(self, self._address, self.seconds)

    def read_once(self) -> Reading:
        """All rows: in pages, all in one, or one by one where the request names a row."""
        from_ns = clock.monotonic_ns()
        wanted = repr(self.declared["read"])
        reading = _ReadLink(self, Address.of(str(self.request("read", write=Write(LedgerOp.INSERT, 0, 0)).url)))
        try:
            if "marker_row" in wanted:
                pairs = self._one_by_one(reading)
            else:
                pairs = self._pages(reading, paged="marker_after" in wanted)
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(_word(error)) from None
        finally:
            reading.close()
        flat = np.asarray(pairs, dtype=np.int64).reshape(-1)
        return Reading(*in_order(flat), False, "", 0, from_ns, clock.monotonic_ns())  # noqa: FBT003  # it answers

    def _pages(self, reading: _ReadLink, *, paged: bool) -> list[tuple[int, int]]:
        pairs: list[tuple[int, int]] = []
        after = 0
        while True:
            found = self._rows(reading, self.request("read", after=after)) or []
            fresh = [pair for pair in found if pair[0] > after] if paged else found
            pairs += fresh
            if not paged or not fresh:
                return pairs
            after = max(row for row, _ in fresh)

    def _one_by_one(self, reading: _ReadLink) -> list[tuple[int, int]]:
        ledger = samples.read(self._me.samples(str(self._me.config["ledger"])))
        pairs: list[tuple[int, int]] = []
        for row in np.unique(ledger["key"]).tolist():
            found = self._rows(reading, self.request("read", write=Write(LedgerOp.INSERT, row, row)), row=row)
            pairs += found or []
        return pairs

    def _rows(
        self, reading: _ReadLink, request: requests.PreparedRequest, row: int | None = None
    ) -> list[tuple[int, int]]:
        answered = reading.usable().send(request)
        if row is not None and answered.status in _NOT_THERE:
            return []
        return rows_of(self.declared["read"], answered, row=row)


def _unchecked() -> ssl.SSLContext:
    """As `verify_tls: false` asks for."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _word(error: Exception) -> str:
    """A short word for what went wrong, without any address."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead):
        return "closed"
    if isinstance(error, ConnectionError):
        return "reset"
    return type(error).__name__
