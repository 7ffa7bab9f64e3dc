"""Asks runs to stop. The runner obeys within a tick; if it does not, its guard does.

Needs no journal: where that cannot be read, a run is asked to stop all the same. A run is asked in its folder, so one
whose folder is on another machine of the fleet is asked there, or by the global stop, which its worker hears.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from drillmark import files, runs, users
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import JournalError, UsageError
from drillmark.journal.entries import run_ended
from drillmark.journal.opening import open_if_there, open_store
from drillmark.journal.port import RunRow


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs were asked to stop.

    Attributes:
        elsewhere: runs that go on, and whose folder is not here -> the worker that has it, where the journal says so.
        problems: runs that could not be asked -> why.
    """

    runs: list[str] = field(default_factory=list[str])
    elsewhere: dict[str, str] = field(default_factory=dict[str, str])
    problems: dict[str, str] = field(default_factory=dict[str, str])


def abort(root: Path, row: RunRow, reason: str) -> None:
    """Ask a run to undo what may be in effect, and to stop. Raises UsageError where it has ended, or is elsewhere."""
    if has_ended(root, row):
        raise UsageError(f"run {row.run} has ended already")
    if not _is_here(root, row):
        raise UsageError(
            f"run {row.run} cannot be asked from here: its folder is on another machine{_of(_worker(root, row))}",
            hint=f"`drillmark abort {row.run}` there; `drillmark stop` stops the runs of all machines",
        )
    _ask(root, row, by="person", reason=_by_user(reason))


def abort_all(root: Path, reason: str) -> Asked:
    """Ask every run of the workspace that has not ended to stop."""
    return ask_all(root, by="person", reason=_by_user(reason))


def ask_all(root: Path, *, by: str, reason: str) -> Asked:
    """The same for whoever wants it. What hinders one keeps none of the others from being asked."""
    asked = Asked()
    for row in _going_on(root):
        if not _is_here(root, row):
            asked.elsewhere[row.run] = _worker(root, row)
            continue
        try:
            _ask(root, row, by=by, reason=reason)
        except OSError as error:
            asked.problems[row.run] = error.strerror or str(error)
        else:
            asked.runs.append(row.run)
    return asked


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
    return run_ended(entries) is not None


def told_elsewhere(run: str, worker: str) -> str:
    """That a run goes on, and not here."""
    return f"run {run} goes on, and its folder is on another machine{_of(worker)}"


def _going_on(root: Path) -> list[RunRow]:
    """Every run that has not ended, also those that only their folder knows."""
    found: list[RunRow] = []
    with suppress(JournalError):
        store = open_if_there(WorkspacePaths(root))
        if store is not None:
            try:
                found = store.unended()
            finally:
                store.close()
    known = {row.run for row in found}
    without_result = [
        row
        for row in runs.in_folders(root)
        if row.run not in known and not RunPaths(root / row.directory).result.exists()
    ]
    return found + [row for row in without_result if not has_ended(root, row)]


def _is_here(root: Path, row: RunRow) -> bool:
    return (root / row.directory).is_dir()


def _worker(root: Path, row: RunRow) -> str:
    """The worker that began it; empty where none did, or nothing says so."""
    entries = runs.KnownEntries(root, row)
    ordered = entries[0].data.get("ordered") if entries else None
    return str(ordered.get("worker", "")) if isinstance(ordered, dict) else ""


def _of(worker: str) -> str:
    return f", that of worker {worker}" if worker else ""


def _ask(root: Path, row: RunRow, *, by: str, reason: str) -> None:
    files.write_durably(RunPaths(root / row.directory).abort, json.dumps({"by": by, "reason": reason}))


def _by_user(reason: str) -> str:
    return f"{users.known() or 'somebody'}: {reason}"
