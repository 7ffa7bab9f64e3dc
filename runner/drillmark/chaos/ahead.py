"""A child for an experiment that nobody has read yet: forked first of all, it imports Chaos Toolkit while we start.

Imports next to nothing, so that it is there in a moment. The child is told everything with its request, and ends at
once when the pipe to it is closed. Must never be made where a fork is not safe.
"""

from __future__ import annotations

import contextlib
import os

from drillmark import forked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO


class Ahead:
    """Such a child, and our end of its standard input."""

    def __init__(self, process: forked.Forked, stdin: IO[bytes]) -> None:
        self.process = process
        self.stdin = stdin

    def drop(self) -> None:
        """End it, unless it has ended: nobody wanted it, or it has done its work."""
        with contextlib.suppress(OSError):
            self.stdin.close()
        self.process.kill()
        self.process.wait()


def begin() -> Ahead | None:
    """Fork it; None where that cannot be done, and a program is started later instead."""
    if not forked.possible():
        return None
    inward, outward = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    process = None
    with contextlib.suppress(OSError):
        process = forked.Forked(_run, name="drillmark-chaos", stdin=inward, output=null, ends_whole=True)
    # Not in a `finally`: the child's end comes by, which has files of its own under these numbers.
    os.close(inward)
    os.close(null)
    if process is None:
        os.close(outward)
        return None
    return Ahead(process, open(outward, "wb", buffering=0))


def _run() -> int:
    from drillmark.chaos import child  # noqa: PLC0415 - not in the parent

    return child.ahead()
