"""What a worker does beside its drills: a thread that looks again and again, and once more in the end.

Must never stop or slow the worker, whatever a look runs into.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

_LOOK_SECONDS = 10.0
# Within what a service manager allows after the drain.
_LAST_SECONDS = 20.0


@contextmanager
def looking(
    name: str, look: Callable[[], None], say: Callable[[str], None], failed: str, *, every_seconds: float | None = None
) -> Generator[None]:
    """Look for as long as the block lasts. `failed` begins the complaint of a look that broke, said once until it ends.

    The last look is waited for, but not for ever: what hangs then is left.
    """
    over = threading.Event()

    def work() -> None:
        complained = ""
        while True:
            last = over.wait(every_seconds or _LOOK_SECONDS)
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
        thread.join(_LAST_SECONDS)
