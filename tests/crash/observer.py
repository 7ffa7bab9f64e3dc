"""An observer of its own, which no crash of the runner disturbs: when was the service away, and what was lost?"""

from __future__ import annotations

import http.client
import json
import math
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

PERIOD_SECONDS = 0.05
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """One round of a read and a write, in seconds of the monotonic clock. `order`: what was acknowledged."""

    sent: float
    received: float
    good: bool
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what and what the truth lies, in seconds."""

    lo: float
    hi: float

    def meets(self, observed: dict[str, float | None], slack: float) -> bool:
        """Whether a reported interval and this one can hold the same truth."""
        lo, hi = observed["lo"] or 0.0, observed["hi"]
        return lo <= self.hi + slack and (hi is None or hi >= self.lo - slack)


@dataclass
class Observer:
    """Reads and writes an order twenty times a second, under a customer's name that is this observer's alone."""

    url: str
    customer: str
    looks: list[Look] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            sent = time.monotonic()
            order = None
            try:
                order = self._once()
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                pass
            self.looks.append(Look(sent, time.monotonic(), order is not None, order))

    def _once(self) -> int | None:
        read = self._ask("GET", "/orders/latest")
        if read is None or read["source"] != "database":
            return None
        order = {"customer": self.customer, "item": "truth", "quantity": 1, "price": 0}
        written = self._ask("POST", "/orders", order)
        return None if written is None else int(written["id"])

    def _ask(self, method: str, path: str, body: object = None) -> dict | None:
        where = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=TIMEOUT_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            return json.loads(text) if answer.status in (200, 201) else None
        finally:
            connection.close()

    def outage(self, since: float, until: float, not_before: float) -> Bounds:
        """Bounds of the time from the first failure to the return for good, which counts from `not_before` at least."""
        looks = [look for look in self.looks if look.received >= since and look.sent < until]
        bad = [index for index, look in enumerate(looks) if not look.good]
        if not bad:
            return Bounds(0.0, 2 * TIMEOUT_SECONDS)
        first, last = bad[0], bad[-1]
        before = looks[first - 1].sent if first else since
        back = [look.received for look in looks[last + 1 :] if look.received >= not_before]
        return Bounds(max(0.0, looks[last].sent - looks[first].received), (back[0] if back else math.inf) - before)

    def recovery_point(self, since: float, until: float, survived: Callable[[int], bool]) -> Bounds:
        """Bounds of how old what came back is: from the newest write before the disaster that is there to the disaster."""
        looks = [look for look in self.looks if look.received >= since - 60 and look.sent < until]
        bad = next((look for look in looks if look.received >= since and not look.good), None)
        written = [look for look in looks if look.order is not None]
        lost = [look for look in written if look.order is not None and not survived(look.order)]
        first_lost = min((look.received for look in lost), default=math.inf)
        kept = [
            look for look in written
            if look.order is not None and survived(look.order)
            and look.received < min((one.sent for one in lost), default=bad.sent if bad else math.inf)
        ]  # fmt: skip
        # The disaster lies between the last good look before the first bad one and that one's answer.
        good_before = [look.sent for look in looks if look.good and (bad is None or look.sent < bad.sent)]
        earliest = max([since, *(good_before[-1:] if bad else []), *(look.sent for look in lost)])
        latest = max([bad.received if bad else math.inf, *(look.received for look in lost)])
        lo = 0.0 if not lost else max(0.0, earliest - first_lost)
        return Bounds(lo, latest - kept[-1].sent if kept else math.inf)
