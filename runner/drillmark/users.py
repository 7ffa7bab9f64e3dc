"""Who the user of this process is. Must never fail: in a container there may be neither a variable nor an entry."""

from __future__ import annotations

import getpass
import os


def known() -> str:
    """The name of this process's user: from LOGNAME, USER or the machine's list of users; empty where none has it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def name() -> str:
    """The same; the user's number where nothing names it."""
    return known() or str(os.getuid())
