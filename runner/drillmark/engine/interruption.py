"""What stops a run from outside: the exception that says so, and signals that must wait for an undo."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818  # it is no error: somebody wants the run to stop
    """Somebody or something wants the run to stop. `by`: person, signal, guard, runner, stop or kill_switch."""

    def __init__(self, by: str, reason: str) -> None:
        super().__init__(reason)
        self.by = by
        self.reason = reason


@contextmanager
def signals_wait() -> Generator[None]:
    """Take no notice of INT, TERM and HUP: an undo of last resort is under way."""
    # Handlers that do nothing: what is blocked or ignored would be inherited by what the undo starts.
    before = {number: signal.signal(number, lambda _number, _frame: None) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
