"""Progress of a recovery as JSON lines, for the live view. Must never be the reason why a recovery fails."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from drillmark import clock

_EVERY_NS = 200_000_000


class Progress:
    """Appends a line when a stage begins, at most five a second while bytes come in, and when it ends.

    Lines: `stamp`, `stage` (verify, copy, replay), `bytes`, `bytes_total`, `rate_bytes_per_second`, `text`.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stage = ""
        self._bytes = self._total = 0
        self._begun_ns = self._written_ns = 0

    @classmethod
    def of_environment(cls) -> Progress:
        """To the file that DRILLMARK_PROGRESS names, or to nowhere."""
        named = os.environ.get("DRILLMARK_PROGRESS")
        return cls(Path(named) if named else None)

    def begin(self, stage: str, bytes_total: int) -> None:
        """A stage begins."""
        with self._lock:
            self._stage, self._bytes, self._total = stage, 0, bytes_total
            self._begun_ns = clock.monotonic_ns()
            self._write(f"{stage} begins")

    def add(self, count: int) -> None:
        """So many more bytes are done. Any thread may call this."""
        with self._lock:
            self._bytes += count
            self._write_now_and_then()

    def at(self, count: int) -> None:
        """So many bytes are done in all."""
        with self._lock:
            self._bytes = count
            self._write_now_and_then()

    def end(self) -> None:
        """The stage is done."""
        with self._lock:
            self._write(f"{self._stage} done")

    def _write_now_and_then(self) -> None:
        if self._path is not None and clock.monotonic_ns() - self._written_ns >= _EVERY_NS:
            self._write("")

    def _write(self, text: str) -> None:
        if self._path is None:
            return
        now = clock.now()
        self._written_ns = now.monotonic_ns
        seconds = (now.monotonic_ns - self._begun_ns) / 1e9
        line = {
            "stamp": now.as_json(),
            "stage": self._stage,
            "bytes": self._bytes,
            "bytes_total": self._total,
            "rate_bytes_per_second": self._bytes / seconds if seconds > 0 else 0.0,
            "text": text,
        }
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(descriptor, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            # The view goes without; the restore goes on.
            self._path = None
