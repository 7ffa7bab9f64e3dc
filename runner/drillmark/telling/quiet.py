"""Quiet hours: whether it is quiet now, and the messages that wait until it is not, or until they could be sent.

They wait in a file of the workspace, so that they outlive the process that had something to say.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from drillmark import files
from drillmark.define.notifications import Quiet
from drillmark.telling.news import Message, Tone

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WORST_FIRST: tuple[Tone, ...] = ("failure", "warning", "success", "info")
# A weekend of nightly drills is far less. Of more, only the newest are told word for word.
MOST_TOLD = 500


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
    """The messages that wait, each with the channel that it is for. Safe to use from several processes.

    They wait until they are told: a process that ends while it tells them loses none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, channel: str, messages: Iterable[Message]) -> None:
        """Let them wait, but for what waits already, word for word. Raises OSError; then none of them waits."""
        with self._locked():
            known = set(self.of(channel))
            new = [message.as_json() for message in dict.fromkeys(messages) if message not in known]
            if new:
                self._write([*self._lines(), *({"channel": channel} | line for line in new)])

    def is_empty(self) -> bool:
        """Whether nothing waits, for any channel."""
        return not self._path.exists()

    def of(self, channel: str) -> list[Message]:
        """The messages for a channel, oldest first. Raises OSError."""
        lines = self._lines()
        return [message for line in lines if line.get("channel") == channel and (message := _message(line))]

    @contextmanager
    def telling(self, channel: str) -> Generator[list[Message]]:
        """The messages for a channel, oldest first; none while another process is at them. Raises OSError.

        Call `told` once they are told, before this ends.
        """
        name = hashlib.sha256(channel.encode()).hexdigest()[:12]
        with self._locked(f".{name}.lock", wait=False) as is_ours:
            if not is_ours or self.is_empty():
                yield []
                return
            yield self.of(channel)

    def told(self, channel: str, messages: Iterable[Message]) -> None:
        """These messages for a channel wait no longer, nor does what cannot be read. Raises OSError."""
        done = {None, *messages}
        with self._locked():
            lines = self._lines()
            self._write([line for line in lines if line.get("channel") != channel or _message(line) not in done])

    def _lines(self) -> list[dict[str, Any]]:
        # What cannot be read for a moment is not nothing: written anew, it would be lost.
        try:
            return files.json_lines(self._path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return []

    def _write(self, lines: Sequence[Mapping[str, object]]) -> None:
        if lines:
            files.write_durably(self._path, "".join(json.dumps(line) + "\n" for line in lines))
        else:
            self._path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, suffix: str = ".lock", *, wait: bool = True) -> Generator[bool]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._path.with_suffix(suffix), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(lock)


def together(messages: list[Message]) -> Message | None:
    """What waited, as one message with the worst as its title: nobody wants thirty at seven in the morning."""
    if len(messages) <= 1:
        return messages[0] if messages else None
    worst = min(messages, key=lambda message: _WORST_FIRST.index(message.tone))
    text = "\n\n".join(f"{message.title}\n{message.text}" for message in messages[-MOST_TOLD:])
    if len(messages) > MOST_TOLD:
        text = f"The oldest {len(messages) - MOST_TOLD} are left out.\n\n{text}"
    return Message(messages[-1].event, f"{worst.title}, and {len(messages) - 1} more", text, worst.tone)


def _message(line: dict[str, object]) -> Message | None:
    try:
        return Message.from_json(line)
    except (KeyError, TypeError):
        return None
