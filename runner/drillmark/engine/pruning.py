"""Takes away what of old runs is bulky and no evidence: samples, and the logs of children.

Journal, plan, result, report and the hashes of every sample stay, and the journal itself says what was taken away and
by whom. The same goes for the copies of runs that are kept elsewhere. Must never touch a run that has not ended, or in
which something may still be in effect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from drillmark import clock, files, undo
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import StaleEpochError, UndoFileError
from drillmark.journal.entries import run_ended, to_line
from drillmark.journal.opening import open_if_there
from drillmark.journal.port import RunRow, Store
from drillmark.model.entry import Entry, Kind
from drillmark.model.stamp import NANOSECONDS

WHAT = "pruned"
# What may go, from the run's folder.
_BULKY_FOLDERS = ("samples", "children")
_BULKY_FILES = ("chaos/child.log", "progress.jsonl")


class Copies(Protocol):
    """The copies of runs at another place. Every method raises DrillmarkError where that cannot be reached."""

    def listed(self, run: str) -> Mapping[str, int]:
        """Name and size of each file of a whole copy."""
        ...

    def remove(self, run: str, names: Collection[str], journal: str) -> None:
        """Take these away, and leave the journal that says so."""
        ...


@dataclass(frozen=True, slots=True)
class Pruned:
    """One run, and what of it, and of its copy, was (or would be) taken away."""

    run: str
    files: list[str]
    bytes: int
    copy_files: list[str]
    copy_bytes: int


def prune(
    root: Path, *, older_than_seconds: float, by: str, really: bool, copies: Copies | None = None
) -> Iterator[Pruned]:
    """Prune every run that began before then and has ended, oldest first; each is told when it is done.

    Raises JournalError, and what `copies` raises: the run at hand, and those after it, are then for another time.
    """
    workspace = WorkspacePaths(root)
    before_ns = clock.now().wall_ns - round(older_than_seconds * NANOSECONDS)
    store = open_if_there(workspace)
    if store is None:
        return
    try:
        for row in store.runs():
            if row.started_wall_ns >= before_ns:
                continue
            done = _prune(root, store, row, by=by, really=really, copies=copies)
            if done is not None:
                yield done
    finally:
        store.close()


def _prune(root: Path, store: Store, row: RunRow, *, by: str, really: bool, copies: Copies | None) -> Pruned | None:
    paths = RunPaths(files.inside(root, row.directory))
    here = sorted(path for path in paths.directory.rglob("*") if _is_ours(path, paths.directory))
    listed = copies.listed(row.run) if copies is not None else {}
    there = sorted(name for name in listed if _is_bulky(name))
    if not (here or there):
        return None
    entries = store.read(row.run)
    if not _is_over(paths, store, entries):
        return None
    names = [path.relative_to(paths.directory).as_posix() for path in here]
    made = Pruned(row.run, names, sum(path.stat().st_size for path in here), there, sum(listed[name] for name in there))
    if not really:
        return made
    # Said before it is done: what is missing is then explained, whatever cuts this short.
    said = {str(name) for entry in entries if entry.data.get("what") == WHAT for name in entry.data.get("files", ())}
    gone = sorted({*names, *there})
    if not said.issuperset(gone):
        try:
            data = {"what": WHAT, "by": by, "files": gone, "bytes": made.bytes, "copy_bytes": made.copy_bytes}
            epoch = store.epoch_of(row.run)
            entry = store.append(
                entries[-1], run=row.run, epoch=epoch, kind=Kind.EVENT, stamp=clock.now(), data=data
            )  # fmt: skip
        except StaleEpochError:
            return None
        entries = (*entries, entry)
    journal = "".join(to_line(entry) + "\n" for entry in entries)
    if copies is not None and there:
        copies.remove(row.run, there, journal)
    if here:
        # A copy of the folder must explain it too.
        files.write_durably(paths.journal, journal)
        for path in here:
            path.unlink(missing_ok=True)
    return made


def _is_bulky(name: str) -> bool:
    return PurePosixPath(name).parts[0] in _BULKY_FOLDERS or name in _BULKY_FILES


def _is_ours(path: Path, directory: Path) -> bool:
    return path.is_file() and not path.is_symlink() and _is_bulky(path.relative_to(directory).as_posix())


def _is_over(paths: RunPaths, store: Store, entries: tuple[Entry, ...]) -> bool:
    """Whether it has ended, its evidence is there, and nothing can be in effect any more.

    A run of another machine has no folder here: then the copy of its undo file tells.
    """
    whole = paths.journal.exists() and paths.result.exists() and paths.plan.exists()
    elsewhere = not paths.directory.exists()
    try:
        kept = store.kept_undo(entries[-1].run) if entries and elsewhere else None
        state = undo.from_text(kept) if kept is not None else undo.read(paths.undo)
    except UndoFileError:
        return False
    ended = run_ended(entries) is not None
    return ended and (whole or elsewhere) and not (state is not None and state.undoables)
