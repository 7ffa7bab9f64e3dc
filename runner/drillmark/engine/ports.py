"""Tries the ports that a drill will listen on, before anything is written or begun.

Must never leave one open.
"""

from __future__ import annotations

import errno
import os
import socket

from drillmark.errors import RefusedError
from drillmark.model.plan import Plan


def refuse_busy(plan: Plan) -> None:
    """A drill that would not hear its alerts, or its load's workers, is not started. Raises RefusedError."""
    if plan.alerts is not None:
        variable = plan.alerts.token_variable
        if variable and not os.environ.get(variable):
            words = f"alerts are to carry the token in {variable}, which is not set"
            raise RefusedError(words, hint="set it in the environment of what runs drills")
        hint = "wait for the other drill, or set alerts.listen in drillmark.yaml (port 0: one that is free)"
        _try_port(plan.alerts.host, plan.alerts.port, "receive alerts", hint)
    if plan.load is not None and plan.load.master_host is not None:
        hint = "wait for the other drill, or give load.master another port"
        _try_port(plan.load.master_host, plan.load.master_port, "wait for the load's workers", hint)


def _try_port(host: str, port: int, what: str, hint: str) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        why = "another drill or program listens there" if error.errno == errno.EADDRINUSE else error.strerror or error
        raise RefusedError(f"cannot {what} on {host}:{port}: {why}", hint=hint) from error
