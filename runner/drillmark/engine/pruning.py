"""Takes away what of old runs is bulky and no evidence: samples, and the logs of children.

Journal, plan, result, report and the hashes of every sample stay, and the journal itself says what was taken away and
by whom. Must never touch a run that has not ended, or in which something may still be in effect.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from drillmark import clock, files, undo
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import StaleEpochError, UndoFileError
from drillmark.journal.entries import to_line
from drillmark.journal.opening import open_if_there
from drillmark.journal.port import RunRow, Store
from drillmark.model.entry import Entry, Kind
from drillmark.model.stamp import NANOSECONDS

WHAT = "pruned"
# What may go, from the run's folder.
_BULKY = ("samples/**/*", "children/*", "chaos/child.log", "progress.jsonl")


@dataclass(frozen=True, slots=True)
class Pruned:
    """One run, and what of it was (or would be) taken away."""

    run: str
    files: list[str]
    bytes: int


def prune(root: Path, *, older_than_seconds: float, by: str, really: bool) -> list[Pruned]:
    """Prune every run that began before then and has ended; oldest first. Raises JournalError."""
    workspace = WorkspacePaths(root)
    before_ns = clock.now().wall_ns - round(older_than_seconds * NANOSECONDS)
    store = open_if_there(workspace)
    if store is None:
        return []
    try:
        old = [row for row in store.runs() if row.started_wall_ns < before_ns]
        found = (_prune(root, store, row, by=by, really=really) for row in old)
        return [one for one in found if one is not None]
    finally:
        store.close()


def _prune(root: Path, store: Store, row: RunRow, *, by: str, really: bool) -> Pruned | None:
    paths = RunPaths(files.inside(root, row.directory))
    bulky = sorted({path for pattern in _BULKY for path in paths.directory.glob(pattern) if _is_ours(path)})
    if not bulky:
        return None
    entries = store.read(row.run)
    if not _is_over(paths, entries):
        return None
    names = [path.relative_to(paths.directory).as_posix() for path in bulky]
    made = Pruned(row.run, names, sum(path.stat().st_size for path in bulky))
    if really:
        # Said before it is done: what is missing is then explained, whatever cuts this short.
        with contextlib.suppress(StaleEpochError):
            said = store.append(
                entries[-1], run=row.run, epoch=store.epoch_of(row.run), kind=Kind.EVENT, stamp=clock.now(),
                data={"what": WHAT, "by": by, "files": names, "bytes": made.bytes},
            )  # fmt: skip
            # A copy of the folder must explain it too.
            files.write_durably(paths.journal, "".join(to_line(entry) + "\n" for entry in (*entries, said)))
            for path in bulky:
                path.unlink(missing_ok=True)
            return made
        return None
    return made


def _is_ours(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_over(paths: RunPaths, entries: tuple[Entry, ...]) -> bool:
    """Whether it has ended, its result and its journal are there, and nothing can be in effect any more."""
    try:
        state = undo.read(paths.undo)
    except UndoFileError:
        return False
    ended = any(entry.kind is Kind.RUN_ENDED for entry in entries)
    kept = paths.journal.exists() and paths.result.exists() and paths.plan.exists()
    return ended and kept and not (state is not None and state.undoables)
