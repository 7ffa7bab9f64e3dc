"""What a worker does beside its drills: a thread that looks again and again, and once more in the end.

Must never stop or slow the worker, whatever a look runs into.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

_LOOK_SECONDS = 10.0


@contextmanager
def looking(
    name: str,
    look: Callable[[], None],
    say: Callable[[str], None],
    failed: str,
    *,
    first_seconds: float | None = None,
    every_seconds: float | None = None,
    last_seconds: float = 20.0,
) -> Generator[None]:
    """Look for as long as the block lasts. `failed` begins the complaint of a look that broke, said once until it ends.

    The last look is waited for, but not for ever: what hangs then is left. All that are beside a worker together must
    end within what a service manager allows after the drain.
    """
    over = threading.Event()

    def work() -> None:
        complained = ""
        every = _LOOK_SECONDS if every_seconds is None else every_seconds
        pause = every if first_seconds is None else first_seconds
        while True:
            last = over.wait(pause)
            pause = every
            text = ""
            try:
                look()
            except Exception as error:  # noqa: BLE001 - a database, a disk, a library: the next look tries again
                text = f"{failed}: {type(error).__name__}: {error}"
            if text and text != complained:
                say(text)
            complained = text
            if last:
                return

    thread = threading.Thread(target=work, name=f"drillmark-{name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(last_seconds)
