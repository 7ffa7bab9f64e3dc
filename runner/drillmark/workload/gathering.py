"""What workers on other machines send to the master: the bytes of their sample files, and what their clocks say.

Their stamps are of their own clocks. Every second the master's clock is compared with each: it was answered between
two of its own stamps, so the distance of the two clocks is known to half the round trip. Must never write past the end
of what came before: a hole would read as damage.
"""

from __future__ import annotations

import os
from typing import Any

from drillmark import samples
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe.child import Child
from drillmark.workload import words

_FLUSH_NS = NANOSECONDS


class Gathering:
    """The files of all workers from elsewhere."""

    def __init__(self, me: Child) -> None:
        self._me = me
        self._files: dict[tuple[str, int], int] = {}
        self._flushed_ns = 0
        self._clocks = samples.SampleWriter(me.samples("load-clocks"), samples.LOAD_CLOCKS, {"run": me.run})

    def take(self, worker: int, told: dict[str, Any]) -> str:
        """The next bytes of a file; returns what is wrong with them, empty if nothing is. Raises OSError."""
        kind, at, data = told.get("kind"), told.get("at"), told.get("bytes")
        if kind not in words.FILES or not isinstance(at, int) or not isinstance(data, bytes):
            return "it sent something that is no part of a sample file"
        size = self._files.setdefault((kind, worker), 0)
        if at != size or len(data) > words.CHUNK_BYTES or size + len(data) > words.FILE_LIMIT_BYTES:
            return f"bytes {size} to {at} of its {kind} samples never came"
        path = self._me.samples(words.file_name(kind, worker))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if not size else 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.seek(at)
            file.write(data)
        self._files[kind, worker] = size + len(data)
        return ""

    def clock(self, worker: int, sent_ns: int, at_ns: int, received_ns: int) -> None:
        """The worker's clock said `at_ns` between these two of ours. Raises OSError."""
        self._clocks.append(worker=worker, at_ns=at_ns, sent_ns=sent_ns, received_ns=received_ns)
        if received_ns - self._flushed_ns > _FLUSH_NS:
            self._flushed_ns = received_ns
            self._clocks.flush()

    def close(self) -> None:
        """No more is to come. Raises OSError."""
        self._clocks.close()
