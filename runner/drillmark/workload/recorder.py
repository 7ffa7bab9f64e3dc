"""Records every request that Locust reports, without slowing it.

The listener only takes a stamp and puts a tuple on a list; rows are made and written by `flush`, a few times a
second. Locust's `start_time` is wall clock: a request's start here is the monotonic stamp of its completion, less
the time that Locust measured for it.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import Any

from drillmark.samples import SampleWriter

_NS_IN_MS = 1_000_000
_FIRST_ERROR_STATUS = 400


class Recorder:
    """One listener and its sample file."""

    def __init__(self, writer: SampleWriter, mask: Callable[[str], str]) -> None:
        self._writer = writer
        self._mask = mask
        self._waiting: list[tuple[int, float, str, str, str | None]] = []
        self.requests = 0

    def on_request(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        exception: Any = None,
        response: Any = None,
        **_more: Any,
    ) -> None:
        """Locust's `request` event."""
        # The response itself is not kept: what lives longer costs the garbage collector more than all the rest.
        error = None if exception is None else _describe(exception, response)
        self._waiting.append((monotonic_ns(), response_time or 0.0, request_type, name, error))

    def flush(self) -> None:
        """Write what came since the last time. Raises OSError."""
        waiting, self._waiting = self._waiting, []
        self._writer.append_rows([self._row(*each) for each in waiting])
        self._writer.flush()
        self.requests += len(waiting)

    def _row(
        self, completed_ns: int, milliseconds: float, kind: str, name: str, error: str | None
    ) -> tuple[int, int, str, int, str]:
        # In the order of `samples.LOAD`.
        latency_ns = round(milliseconds * _NS_IN_MS)
        failed = error is not None
        return completed_ns - latency_ns, latency_ns, f"{kind} {name}", not failed, self._mask(error) if failed else ""


def _describe(exception: Any, response: Any) -> str:
    """Short, and the same for the same failure: an address in it would make every one a word of its own."""
    status = getattr(response, "status_code", None)
    kind = type(exception).__name__
    if kind == "CatchResponseError":  # the user's own words
        return str(exception)
    if isinstance(status, int) and status >= _FIRST_ERROR_STATUS:
        return str(status)
    return kind if isinstance(exception, BaseException) else str(exception)
