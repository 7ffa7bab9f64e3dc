"""Where a stored run stands: concluded, running, or left behind by its runner. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from drillmark import clock, files, processes

State = Literal["concluded", "running", "lost"]


def state_of(directory: Path) -> State:
    """Whether a run has its result, is being driven now, or needs `drillmark resume`."""
    if is_driven(directory):
        return "running"
    return "concluded" if (directory / "result.json").exists() else "lost"


def is_driven(directory: Path) -> bool:
    """Whether the runner that holds the run's lease lives."""
    lease = files.read_object(directory / "lease")
    identity = processes.told(lease.get("runner"))
    return identity is not None and lease.get("boot") == clock.boot_id() and processes.is_alive(identity)
