"""Waiting in tests: for what is waited for, with a generous deadline, and in the end saying what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(
    condition: Callable[[], Any], words: str | Callable[[], Any] = "", *, seconds: float = 60.0, every: float = 0.02
) -> Any:
    """The first true value of the condition; fails after the deadline, with these words and the last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() >= deadline:
            said = words() if callable(words) else words
            raise AssertionError(f"not within {seconds:g} s: {said or repr(value)}")
        time.sleep(every)
    return value
