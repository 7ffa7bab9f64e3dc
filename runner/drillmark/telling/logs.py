"""The structured log: one JSON object in each line, with run, drill and phase. Written by structlog.

One line for each journal entry, and for each message to a channel. Must never hold what the journal does not.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from drillmark.define.telling import Logs
from drillmark.engine.view import Live
from drillmark.model.entry import Entry, Kind
from drillmark.model.phases import phase_of
from drillmark.model.stamp import NANOSECONDS
from drillmark.telling.news import Message
from drillmark.telling.posting import Outcome
from drillmark.telling.severity import level_of, words_of

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# What is taken over from an entry as it is: short texts and numbers. Outputs may be long, and stand in the journal.
_TAKEN = ("effect", "key", "attempt", "status", "error", "what", "by", "reason", "verdict", "exit_code", "target")
_LONGEST_TEXT = 1000


class Log:
    """A listener. Raises OSError where its file cannot be opened."""

    name = "the log"

    def __init__(self, settings: Logs, root: Path, before: Sequence[Entry]) -> None:
        assert settings.to is not None
        self._file = _open(settings.to, root)
        self._lock = threading.Lock()
        self._logger: Any = structlog.wrap_logger(
            structlog.WriteLogger(self._file),
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.EventRenamer("message"),
                structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False),
            ],
        )
        self._about: dict[str, str] = {}
        for entry in before:
            self._know(entry)

    def entry(self, entry: Entry, sentence: str) -> None:
        """Write it."""
        self._know(entry)
        taken = {name: _short(entry.data[name]) for name in _TAKEN if entry.data.get(name) not in (None, "")}
        at = datetime.fromtimestamp(entry.stamp.wall_ns / NANOSECONDS, tz=UTC)
        fields = taken | self._about | {"kind": str(entry.kind), "sequence": entry.sequence, "epoch": entry.epoch}
        self._write(level_of(entry), words_of(entry, sentence), at, fields)

    def tick(self, live: Live) -> None:
        """Nothing: a log is of what happened."""

    def close(self) -> None:
        """Nothing waits; a file is closed."""
        if self._file is not sys.stderr:
            self._file.close()

    def told(self, channel: str, message: Message, outcome: Outcome, reason: str) -> None:
        """How a message to a channel went."""
        fields = {"channel": channel, "news": message.event, "outcome": outcome} | ({"error": reason} if reason else {})
        level = "warning" if outcome == "failed" else "info"
        self._write(level, f"message to {channel}: {outcome}", datetime.now(UTC), self._about | fields)

    def _know(self, entry: Entry) -> None:
        self._about = self._about | {"run": entry.run}
        if entry.kind is Kind.RUN_STARTED:
            self._about = self._about | {"drill": str(entry.data.get("drill", "")), "phase": "preparing"}
        if entry.kind is Kind.INTENT and entry.effect is not None:
            self._about = self._about | {"phase": phase_of(entry.effect, simulated=bool(entry.data.get("simulated")))}

    def _write(self, level: str, text: str, at: datetime, fields: dict[str, Any]) -> None:
        with self._lock:  # messages to channels come from threads of their own
            if not self._file.closed:
                getattr(self._logger, level)(text, timestamp=at.isoformat(timespec="microseconds"), **fields)


def _short(value: Any) -> Any:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _open(place: str, root: Path) -> Any:
    if place == "stderr":
        return sys.stderr
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # Whole lines at once: several runs may write to one file.
    return io.TextIOWrapper(io.FileIO(descriptor, "w"), encoding="utf-8", write_through=True, errors="backslashreplace")
