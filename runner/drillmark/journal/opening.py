"""Opens the journal of a workspace. The one place that knows where it is, and by what it is kept.

Must never read or write an entry.
"""

from __future__ import annotations

import os

from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import JournalError
from drillmark.journal.port import Store
from drillmark.journal.store import JournalStore

URL = "DRILLMARK_DATABASE_URL"


def open_store(workspace: WorkspacePaths) -> Store:
    """The journal of a workspace, made where there is none. Raises JournalError where it cannot be had."""
    if os.environ.get(URL):
        raise JournalError(f"{URL} is set, and this version keeps journals in SQLite only", hint=f"unset {URL}")
    return JournalStore(workspace.journal)


def open_if_there(workspace: WorkspacePaths) -> Store | None:
    """The same, but None where nothing was ever journalled; nothing is made for a reader."""
    return open_store(workspace) if is_there(workspace) else None


def is_there(workspace: WorkspacePaths) -> bool:
    """Whether there is a journal to look into."""
    return bool(os.environ.get(URL)) or workspace.journal.exists()
