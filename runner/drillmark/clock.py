"""The only reader of clocks. Durations come from the monotonic clock; wall-clock stamps are for people.

Must never: be imported by the pure core (it gets stamps handed in).
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

from drillmark.model.stamp import Stamp


@cache
def boot_id() -> str:
    """This boot of this machine; monotonic stamps of two boots cannot be compared."""
    path = Path("/proc/sys/kernel/random/boot_id")
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    # macOS has no boot id; the boot's wall time in whole minutes stands in for it.
    return f"boot-{round((time.time() - time.monotonic()) / 60)}"


@cache
def host() -> str:
    """This machine's name."""
    return os.uname().nodename


def monotonic_ns() -> int:
    """Nanoseconds of the monotonic clock. On Linux all processes of one boot share it."""
    return time.monotonic_ns()


def now() -> Stamp:
    """A stamp of this instant."""
    return Stamp(monotonic_ns=time.monotonic_ns(), wall_ns=time.time_ns(), host=host(), boot=boot_id())
