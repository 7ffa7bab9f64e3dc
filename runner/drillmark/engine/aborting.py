"""Asks runs to stop. The runner obeys within a tick; if it does not, its guard does."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

from drillmark import files
from drillmark.engine.paths import RunPaths
from drillmark.errors import UsageError
from drillmark.journal.store import JournalStore, RunRow
from drillmark.model.entry import Kind


def abort(root: Path, row: RunRow, reason: str) -> None:
    """Ask a run to undo what may be in effect, and to stop. Raises UsageError where it has ended."""
    store = JournalStore(root / ".drillmark" / "journal.sqlite3")
    try:
        finished = any(entry.kind is Kind.RUN_ENDED for entry in store.read(row.run))
    finally:
        store.close()
    if finished:
        raise UsageError(f"run {row.run} has ended already")
    body = {"by": "person", "reason": f"{getpass.getuser()}: {reason}"}
    files.write_durably(RunPaths(root / row.directory).abort, json.dumps(body))
