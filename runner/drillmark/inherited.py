"""What a process may have from whoever started it, and cannot work with: mended first of all, for it and its children.

Imports next to nothing, because it is wanted before anything else. Must never change what is as it should be.
"""

from __future__ import annotations

import os
import signal
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def mend() -> None:
    """Have three standard streams, and ends of children that can be waited for."""
    _open_what_is_closed()
    # Ignored, the kernel throws every exit code away, and a program that failed would read as one that did not.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _open_what_is_closed() -> None:
    """Else the next file that is opened gets the number of a stream, with all that somebody writes to that."""
    for descriptor, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest that is free is this one; programs that we start have it too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good
