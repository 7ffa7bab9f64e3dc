"""Quiet hours: whether it is quiet now, and the messages that wait until it is not.

They wait in a file of the workspace, so that the hours may be longer than the process that had something to say.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from drillmark import files
from drillmark.define.notifications import Quiet
from drillmark.telling.news import Message, Tone

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WORST_FIRST: tuple[Tone, ...] = ("failure", "warning", "success", "info")
# A weekend of nightly drills is far less; what is more is dropped, oldest first, and said.
_MOST_WAITING = 500


def is_quiet(quiet: Quiet | None, moment: datetime) -> bool:
    """Whether messages wait at that moment (aware)."""
    if quiet is None:
        return False
    local = moment.astimezone(ZoneInfo(quiet.time_zone))
    begin, end = time.fromisoformat(quiet.from_), time.fromisoformat(quiet.to)
    now = local.time()
    if begin < end:
        return begin <= now < end and _begins_on(quiet, local)
    # Over midnight: its morning belongs to the day before.
    return (now >= begin and _begins_on(quiet, local)) or (now < end and _begins_on(quiet, local - timedelta(days=1)))


def _begins_on(quiet: Quiet, local: datetime) -> bool:
    if quiet.days is None:
        return True
    today = local.weekday()
    for part in quiet.days.split(","):
        first, _, last = part.partition("-")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        if (begin <= today <= end) if begin <= end else (today >= begin or today <= end):
            return True
    return False


class Waiting:
    """The messages that wait, each with the channel that it is for. Safe to use from several processes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, channel: str, message: Message) -> None:
        """Let it wait. Raises OSError."""
        with self._locked():
            files.append_line_durably(self._path, json.dumps({"channel": channel} | message.as_json()))

    def take(self, channel: str) -> list[Message]:
        """The messages for a channel, oldest first; they wait no longer. Raises OSError."""
        if not self._path.exists():
            return []
        with self._locked():
            lines = files.read_json_lines(self._path)
            mine = [line for line in lines if line.get("channel") == channel]
            others = [line for line in lines if line.get("channel") != channel]
            if others:
                files.write_durably(self._path, "".join(json.dumps(line) + "\n" for line in others))
            else:
                self._path.unlink(missing_ok=True)
        return [message for line in mine[-_MOST_WAITING:] if (message := _message(line)) is not None]

    @contextmanager
    def _locked(self) -> Generator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def together(messages: list[Message]) -> Message | None:
    """What waited, as one message: nobody wants thirty at seven in the morning."""
    if len(messages) <= 1:
        return messages[0] if messages else None
    worst = min(messages, key=lambda message: _WORST_FIRST.index(message.tone)).tone
    text = "\n\n".join(f"{message.title}\n{message.text}" for message in messages)
    return Message(messages[-1].event, f"{len(messages)} messages of the quiet hours", text, worst)


def _message(line: dict[str, object]) -> Message | None:
    try:
        return Message.from_json(line)
    except (KeyError, TypeError):
        return None
