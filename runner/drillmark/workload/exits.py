"""Users that call `sys.exit`: noticed, and not thrown into whatever greenlet stands first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent


def catch_exits(noticed: Callable[[Any], None]) -> None:
    """Call `noticed` with the exit code of every SystemExit that a greenlet lets out."""
    # gevent would throw a user's SystemExit into the main greenlet, wherever it stands, once for each user.
    hub: Any = gevent.get_hub()
    default = hub.handle_system_error

    def handle(kind: Any, value: Any, trace: Any = None) -> None:
        if kind is SystemExit:
            noticed(getattr(value, "code", ""))
        else:
            default(kind, value, trace)

    hub.handle_system_error = handle
