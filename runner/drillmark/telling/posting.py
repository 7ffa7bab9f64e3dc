"""Messages to channels: each channel in a thread of its own, tried again, made to wait in quiet hours.

A channel that is dead, or that takes nothing, costs the others nothing. Must never raise into a drill: what was not
told is reported, with the channel's name and the reason.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from drillmark.define.notifications import Channel, Notifications, Quiet
from drillmark.telling.beside import Reports
from drillmark.telling.channels import Address, DeadChannelError
from drillmark.telling.news import Message
from drillmark.telling.quiet import Waiting, is_quiet, together

Outcome = Literal["sent", "waiting", "failed"]
# Called with a channel's name, the message, how it went, and why not; in the channel's own thread.
OnOutcome = Callable[[str, Message, Outcome, str], None]
_MOST_MESSAGES = 200
_TRY_AGAIN_AFTER_SECONDS = (1.0, 3.0)


def _nobody(_channel: str, _message: Message, _outcome: Outcome, _reason: str) -> None:
    """Nobody listens to how it went."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Around:
    """What all channels of one place share."""

    environment: Mapping[str, str]
    reports: Reports
    waiting: Waiting
    quiet: Quiet | None = None
    on_outcome: OnOutcome = _nobody
    now: Callable[[], datetime] = _now

    def holds_back(self, message: Message) -> bool:
        """Whether it has to wait at this moment."""
        quiet = self.quiet
        return quiet is not None and message.event not in quiet.let_through and is_quiet(quiet, self.now())


def wants(channel: Channel, message: Message) -> bool:
    """Whether a channel is to hear of it."""
    if channel.on and message.event not in channel.on:
        return False
    if channel.drills and message.drill not in channel.drills:
        return False
    return not (message.event == "end" and channel.verdicts and message.verdict not in channel.verdicts)


@dataclass(slots=True)
class Post:
    """One channel's thread. Its methods return at once, but for `join`."""

    channel: Channel
    around: Around
    _queue: queue.SimpleQueue[Message | None] = field(default_factory=queue.SimpleQueue[Message | None])
    _thread: threading.Thread | None = None
    _address: Address | None = None
    _dead: bool = False
    _now_sending: str = ""

    def start(self) -> None:
        """Begin; what waited in quiet hours goes first, if they are over."""
        self._thread = threading.Thread(target=self._work, name=f"drillmark-channel-{self.channel.name}", daemon=True)
        self._thread.start()

    def put(self, message: Message) -> None:
        """Send this in its turn; one too many is reported."""
        if self._queue.qsize() >= _MOST_MESSAGES:
            self._failed(message, "too many messages wait for it")
        else:
            self._queue.put(message)

    def close(self) -> None:
        """Nothing more comes."""
        self._queue.put(None)

    def join(self, deadline: float) -> None:
        """Wait until all is sent, at most until then (`time.monotonic`); report what is not."""
        if self._thread is None:
            return
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            left = self._queue.qsize() - 1  # without the word to end
            what = f'"{self._now_sending}"' + (f" and {left} more" if left > 0 else "")
            self.around.reports.add(f"the channel {self.channel.name} took nothing in time: {what}")

    def _work(self) -> None:
        self._send_what_waited()
        while (message := self._queue.get()) is not None:
            self._send_what_waited()
            self._now_sending = message.title
            if self.around.holds_back(message):
                self._wait(message)
            else:
                self._send(message)

    def _send_what_waited(self) -> None:
        waiting = self.around.waiting
        if waiting.is_empty():
            return
        try:
            with waiting.telling(self.channel.name) as waited:
                due = [message for message in waited if not self.around.holds_back(message)]
                message = together(due)
                if message is None:
                    return
                self._now_sending = message.title
                if self._send(message):
                    waiting.told(self.channel.name, due)
        except OSError as error:
            self.around.reports.add(f"messages that wait cannot be read: {error.strerror or error}")

    def _wait(self, message: Message) -> None:
        try:
            self.around.waiting.add(self.channel.name, [message])
        except OSError as error:
            self._failed(message, f"it is quiet, and the message cannot wait: {error.strerror or error}")
            return
        self.around.on_outcome(self.channel.name, message, "waiting", "")

    def _send(self, message: Message) -> bool:
        # A channel that was dead a moment ago gets one more try for each message, and no patience.
        for pause in (*(() if self._dead else _TRY_AGAIN_AFTER_SECONDS), None):
            try:
                self._address = self._address or Address(self.channel, self.around.environment)
                self._address.send(message)
            except DeadChannelError as error:
                if pause is None or self._address is None:
                    self._failed(message, str(error))
                    return False
                time.sleep(pause)
            else:
                self._dead = False
                self.around.on_outcome(self.channel.name, message, "sent", "")
                return True
        return False

    def _failed(self, message: Message, reason: str) -> None:
        self._dead = True
        self.around.reports.add(f'the channel {self.channel.name} was not told "{message.title}": {reason}')
        self.around.on_outcome(self.channel.name, message, "failed", reason)


class Posts:
    """All channels."""

    def __init__(self, notifications: Notifications, around: Around) -> None:
        self._posts = [Post(channel, around) for channel in notifications.channels]
        for post in self._posts:
            post.start()

    def put(self, message: Message) -> None:
        """Send it to every channel that wants it."""
        for post in self._posts:
            if wants(post.channel, message):
                post.put(message)

    def close(self, seconds: float) -> None:
        """Wait until all is sent, at most so long."""
        for post in self._posts:
            post.close()
        deadline = time.monotonic() + seconds
        for post in self._posts:
            post.join(deadline)


def around(
    root: Path,
    notifications: Notifications,
    environment: Mapping[str, str],
    reports: Reports,
    on_outcome: OnOutcome | None = None,
) -> Around:
    """What the channels of a workspace share."""
    waiting = Waiting(root / ".drillmark" / "notifications" / "waiting.jsonl")
    return Around(environment, reports, waiting, notifications.quiet, on_outcome or _nobody)
