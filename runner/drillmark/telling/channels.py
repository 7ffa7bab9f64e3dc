"""One channel: its address with the secrets of the environment, and a message sent to it by apprise.

The only place where an address is whole. Must never let it, or a part of it that came from the environment, into an
error, a log or a file.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from drillmark.chaos.redact import Redactor, collect
from drillmark.define.notifications import VARIABLE, Channel
from drillmark.telling.news import Message

# Pieces of an address that are long enough to be looked for in a longer text.
_SHORTEST_PIECE = 6
_LONGEST_REASON = 300
_TITLE = "[Drillmark] "


class DeadChannelError(Exception):
    """The channel could not be told; the text says why, and holds no secret."""


class Address:
    """A channel's address. Raises DeadChannelError where a variable is not set, or apprise does not know its kind."""

    def __init__(self, channel: Channel, environment: Mapping[str, str]) -> None:
        names = VARIABLE.findall(channel.url)
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise DeadChannelError(f"{', '.join(missing)} is not set in the environment")
        whole = VARIABLE.sub(lambda match: environment[match[1]], channel.url)
        values = [environment[name] for name in names]
        pieces = {piece for value in values for piece in re.split(r"[/:@?&=#;,\s]+", value)}
        pieces = {piece for piece in pieces if len(piece) >= _SHORTEST_PIECE}
        self._redactor = Redactor(collect([whole, *values]) | pieces if names else ())
        # There may be addresses in what it logs: that is for nobody's handlers.
        logging.getLogger("apprise").propagate = False
        try:
            import apprise  # noqa: PLC0415 - half a second, and nobody needs it who has no channels
        except ImportError:
            raise DeadChannelError("apprise is not installed: pip install 'drillmark[telling]'") from None
        asset = apprise.AppriseAsset(app_id="Drillmark", app_desc="Drillmark", async_mode=False)
        self._apprise: Any = apprise.Apprise(asset=asset)
        self._ask(lambda: self._add(whole), "apprise does not know this kind of address")

    def send(self, message: Message) -> None:
        """Send it. Raises DeadChannelError."""

        def notify() -> tuple[bool, list[str]]:
            result = self._apprise.notify(
                title=_TITLE + message.title,
                body=message.text or message.title,
                notify_type=message.tone,
                body_format="text",
                log_level=logging.WARNING,
            )
            return bool(result), [entry.message for entry in result.logs()]

        self._ask(notify, "it was not sent")

    def _ask(self, action: Callable[[], tuple[bool, list[str]]], otherwise: str) -> None:
        said: list[str] = []
        try:
            good, said = action()
            if good:
                return
        except Exception as error:  # noqa: BLE001 - a hundred plug-ins, each with errors of its own
            said.append(f"{type(error).__name__}: {error}")
        text = "; ".join(dict.fromkeys(said)) or otherwise
        raise DeadChannelError(self._redactor.text(text)[:_LONGEST_REASON])

    def _add(self, whole: str) -> tuple[bool, list[str]]:
        said: list[str] = []
        thread = threading.get_ident()

        class Collector(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if record.thread == thread:
                    said.append(record.getMessage())

        collector = Collector(logging.WARNING)
        logger = logging.getLogger("apprise")
        logger.addHandler(collector)
        try:
            return bool(self._apprise.add(whole)), said
        finally:
            logger.removeHandler(collector)
