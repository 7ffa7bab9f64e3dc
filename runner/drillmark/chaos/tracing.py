"""Hands the context of a trace on to an activity: to its program in the environment, to its request in a header.

Imported in our child processes alone: the environment is that of the whole process.
"""

from __future__ import annotations

import os
from typing import Any

from drillmark.model import trace


def hand_on(activity: dict[str, Any], traceparent: str) -> dict[str, Any]:
    """The activity with the context in its request, if it is one; the programs that it starts find it as well.

    An empty context leaves the activity as it is, and what this process itself was given.
    """
    if not traceparent:
        return activity
    os.environ[trace.VARIABLE] = traceparent
    provider = activity.get("provider")
    if not isinstance(provider, dict) or provider.get("type") != "http":
        return activity
    headers: dict[str, Any] = dict(provider.get("headers") or {})
    if any(name.lower() == trace.HEADER for name in headers):
        return activity  # its own wins
    return {**activity, "provider": {**provider, "headers": {**headers, trace.HEADER: traceparent}}}


def of_experiment(phase: str, index: int) -> str:
    """The context of an activity of the run's experiment; empty where nothing is traced."""
    run = os.environ.get("DRILLMARK_RUN", "")
    return trace.traceparent(run, phase, str(index)) if run and index >= 0 and trace.is_on(os.environ) else ""
