"""Opens the journal of a workspace. The one place that knows where it is, and by what it is kept.

Must never read or write an entry.
"""

from __future__ import annotations

import importlib.util

from drillmark.database import address
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import UsageError
from drillmark.journal.port import Store
from drillmark.journal.store import JournalStore


def open_store(workspace: WorkspacePaths) -> Store:
    """The journal of a workspace: in the database that DRILLMARK_DATABASE_URL names, else in the workspace's own file.

    A file is made where there is none. Raises JournalError where the journal cannot be had.
    """
    url = address.configured()
    if not url:
        return JournalStore(workspace.journal)
    if importlib.util.find_spec("psycopg") is None:
        raise UsageError(
            f"{address.URL} is set, and there is no psycopg here to reach it", hint="pip install 'drillmark[fleet]'"
        )
    from drillmark.journal.postgres import PostgresStore  # noqa: PLC0415 - most workspaces need no PostgreSQL

    return PostgresStore(url)


def open_if_there(workspace: WorkspacePaths) -> Store | None:
    """The same, but None where nothing was ever journalled; nothing is made for a reader."""
    return open_store(workspace) if is_there(workspace) else None


def is_there(workspace: WorkspacePaths) -> bool:
    """Whether there is a journal to look into."""
    return bool(address.configured()) or workspace.journal.exists()
