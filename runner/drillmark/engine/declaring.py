"""A person declares the disaster of a run. Its runner journals that; without one, whoever resumes the run does."""

from __future__ import annotations

import json
import os
from pathlib import Path

from drillmark import clock, files
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import RefusedError, UsageError
from drillmark.journal.entries import last, run_ended
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Effect
from drillmark.model.stamp import Stamp


def declare(root: Path, row: RunRow, *, by: str, reason: str) -> Stamp:
    """Write the declaration down; returns when it was made.

    Raises UsageError where the run has ended, RefusedError where nothing is broken yet, or somebody was first.
    """
    at = clock.now()
    store = open_store(WorkspacePaths(root))
    try:
        entries = store.read(row.run)
    finally:
        store.close()
    if run_ended(entries) is not None:
        raise UsageError(f"run {row.run} has ended already")
    if last(entries, Effect.INJECT) is None:
        raise RefusedError(
            f"run {row.run} has broken nothing yet", hint="what you see is no part of the drill; look into it"
        )
    path = RunPaths(root / row.directory).declaration
    mine = path.with_name(f"{path.name}.{os.getpid()}")
    files.write_durably(mine, json.dumps({"by": by, "reason": reason, "at": at.as_json()}))
    try:
        # Whole from its first moment on, and never over another's.
        os.link(mine, path)
    except FileExistsError:
        before = files.read_json(path) or {}
        raise RefusedError(
            f"the disaster of run {row.run} was declared already, by {before.get('by', 'somebody')}"
        ) from None
    finally:
        mine.unlink(missing_ok=True)
    files.sync_directory(path.parent)
    return at
