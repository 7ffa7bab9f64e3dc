"""What Locust logs and the user's file prints: without secrets, and only so much of it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TextIO

_LOG_LINES = 500


def mask(masked: Callable[[str], str]) -> None:
    """Send all output of this process through `masked`, and only so much of it."""
    out = _Masked(sys.stderr, masked)
    sys.stdout = sys.stderr = out  # type: ignore[assignment]
    logging.basicConfig(stream=out, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


class _Masked:
    """A text stream without secrets, that falls silent after so many lines."""

    def __init__(self, stream: TextIO, masked: Callable[[str], str]) -> None:
        self._stream = stream
        self._mask = masked
        self._lines = 0

    def write(self, text: str) -> int:
        """Write masked text."""
        if self._lines <= _LOG_LINES:
            self._lines += text.count("\n")
            self._stream.write(self._mask(text))
            if self._lines > _LOG_LINES:
                self._stream.write("[further output is left out]\n")
        return len(text)

    def flush(self) -> None:
        """Pass it on."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Never."""
        return False
