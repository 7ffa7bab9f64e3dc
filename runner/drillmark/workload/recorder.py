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
        self._waiting: list[tuple[int, float, str, str, Any, Any]] = []
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
        self._waiting.append((monotonic_ns(), response_time or 0.0, request_type, name, exception, response))

    def flush(self) -> None:
        """Write what came since the last time. Raises OSError; then nothing of it is lost but the file is at fault."""
        waiting, self._waiting = self._waiting, []
        for completed_ns, milliseconds, kind, name, exception, response in waiting:
            latency_ns = round(milliseconds * _NS_IN_MS)
            self._writer.append(
                start_ns=completed_ns - latency_ns,
                latency_ns=latency_ns,
                name=f"{kind} {name}",
                ok=exception is None,
                error="" if exception is None else self._mask(_describe(exception, response)),
            )
        self._writer.flush()
        self.requests += len(waiting)


def _describe(exception: Any, response: Any) -> str:
    """Short, and the same for the same failure: an address in it would make every one a word of its own."""
    status = getattr(response, "status_code", None)
    kind = type(exception).__name__
    if kind == "CatchResponseError":  # the user's own words
        return str(exception)
    if isinstance(status, int) and status >= _FIRST_ERROR_STATUS:
        return str(status)
    return kind if isinstance(exception, BaseException) else str(exception)
