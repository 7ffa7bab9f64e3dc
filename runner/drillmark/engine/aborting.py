"""Asks runs to stop. The runner obeys within a tick; if it does not, its guard does.

Needs no journal: where that cannot be read, a run is asked to stop all the same.
"""

from __future__ import annotations

import getpass
import json
from pathlib import Path

from drillmark import files, runs
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import JournalError, UsageError
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind


def abort(root: Path, row: RunRow, reason: str) -> None:
    """Ask a run to undo what may be in effect, and to stop. Raises UsageError where it has ended."""
    if has_ended(root, row):
        raise UsageError(f"run {row.run} has ended already")
    ask(root, row, by="person", reason=f"{_user()}: {reason}")


def ask(root: Path, row: RunRow, *, by: str, reason: str) -> None:
    """Write down that a run is to stop."""
    files.write_durably(RunPaths(root / row.directory).abort, json.dumps({"by": by, "reason": reason}))


def abort_all(root: Path, reason: str) -> list[RunRow]:
    """Ask every run of the workspace that has not ended to stop; returns them."""
    going_on = [row for row in runs.every(root) if not has_ended(root, row)]
    for row in going_on:
        abort(root, row, reason)
    return going_on


def has_ended(root: Path, row: RunRow) -> bool:
    """Whether a run has come to its end; where its journal cannot tell, whether it has a result."""
    try:
        store = open_store(WorkspacePaths(root))
        try:
            entries = store.read(row.run)
        finally:
            store.close()
    except JournalError:
        return RunPaths(root / row.directory).result.exists()
    return any(entry.kind is Kind.RUN_ENDED for entry in entries)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"  # a user without a name, as in some containers
