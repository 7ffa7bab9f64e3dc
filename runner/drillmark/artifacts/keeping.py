"""Copies runs that are over, and knows by a mark for each which are still to be copied. Must never change a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from drillmark import files, samples
from drillmark.artifacts import manifest
from drillmark.artifacts.manifest import Listed, Manifest, NoListError
from drillmark.artifacts.place import Place, Store
from drillmark.engine.paths import WorkspacePaths
from drillmark.engine.view import Live
from drillmark.errors import DrillmarkError, SampleFileError
from drillmark.journal import opening
from drillmark.journal.entries import run_ended
from drillmark.journal.port import RunRow
from drillmark.model.entry import Entry

# Only for who drives the run: what may be in effect, who may act, what is asked of it.
_NO_EVIDENCE = {"undo.json", "epoch", "lock", "lease", "abort", "unsent.jsonl", "guard.config.json", "guard.stop"}
_BELOW = ("samples/*.dms", "chaos/events.jsonl", "chaos/journal.json")


@dataclass(slots=True)
class Kept:
    """What was kept this time, and what there is to say."""

    runs: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])


class Marker:
    """Hears of a run, and marks it: it is to be kept once it is over."""

    name = "artifacts"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._marked = False

    def entry(self, entry: Entry, sentence: str) -> None:  # noqa: ARG002 - a listener's
        """Mark the run at its first entry."""
        if not self._marked:
            mark(self._root, entry.run)
            self._marked = True

    def tick(self, live: Live) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def mark(root: Path, run: str) -> None:
    """Remember that a run is to be kept. Raises OSError."""
    folder = _marks(root)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / run).touch()


def keep(root: Path, place: Place, *, driven: Callable[[Path], bool], mine: str = "") -> Kept:
    """Copy every marked run that is over. Never raises for a place, or a run, that cannot be reached.

    `driven` says of a run's directory whether somebody still drives it; `mine` is the run that this process has driven
    to its end.
    """
    kept = Kept()
    folder = _marks(root)
    marked = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not marked:
        return kept
    try:
        for row, entries in _over(root, marked, driven, mine):
            try:
                kept.problems += _copy(root, row, entries, place.open())
            except OSError as error:
                kept.problems.append(f"run {row.run} is not kept: {error}")
            else:
                (folder / row.run).unlink(missing_ok=True)
                kept.runs.append(row.run)
    except DrillmarkError as error:
        kept.problems.append(f"runs are not kept, which is tried again: {error}")
    return kept


def _over(
    root: Path, marked: Sequence[str], driven: Callable[[Path], bool], mine: str
) -> Iterator[tuple[RunRow, Sequence[Entry]]]:
    workspace = WorkspacePaths(root)
    store = opening.open_if_there(workspace)
    if store is None:
        return
    with closing(store):
        for run in marked:
            row = next((row for row in store.find(run) if row.run == run), None)
            directory = files.inside(root, row.directory) if row is not None else workspace.runs / run
            if not directory.exists():
                (_marks(root) / run).unlink(missing_ok=True)  # it never began, or only its end was written here
                continue
            if row is None or (run != mine and driven(directory)):
                continue
            entries = store.read(run)
            if run_ended(entries) is not None:
                yield row, entries


def _copy(root: Path, row: RunRow, entries: Sequence[Entry], store: Store) -> list[str]:
    store.check()
    directory = files.inside(root, row.directory)
    sealed = {str(entry.data.get("file")): str(entry.data.get("sha256") or "") for entry in entries
              if entry.data.get("what") == "samples_closed"}  # fmt: skip
    # Of a run that was taken over each machine has a part: what another one brought stays as it is.
    made = _brought(store, row.run)
    there = {one.path: one for one in made.files}
    for path in _evidence(directory):
        name = path.relative_to(directory).as_posix()
        size, digest = path.stat().st_size, _digest(path)
        if name in there and there[name].sha256 != digest:
            if not _has_grown(path, there[name]):
                continue
            made.files.remove(there.pop(name))
        if name not in made.altered and sealed.get(name, "") not in ("", digest):
            made.altered.append(name)
        if not store.holds(f"{row.run}/{name}", size, digest):
            store.put(f"{row.run}/{name}", path, digest)
        if name not in there:
            made.files.append(Listed(name, size, digest))
    manifest.write(store, scratch(root), row.run, made)
    return [f"run {row.run}: {name} is not what its journal says; it was kept as it is" for name in made.altered]


def _brought(store: Store, run: str) -> Manifest:
    try:
        return manifest.read(store, run) or Manifest()
    except NoListError as error:  # which is no matter of other runs
        raise OSError(str(error)) from error


def _has_grown(path: Path, earlier: Listed) -> bool:
    """Whether it begins with what is there: a journal only grows, as by a later undo."""
    with path.open("rb") as file:
        began = file.read(earlier.bytes) if path.suffix == ".jsonl" else b""
    return bool(began) and hashlib.sha256(began).hexdigest() == earlier.sha256


def _digest(path: Path) -> str:
    try:
        return samples.digest(path)
    except SampleFileError as error:
        raise OSError(str(error)) from error


def _evidence(directory: Path) -> list[Path]:
    """Whole files alone: no link, and nothing that somebody was writing when they died."""
    top = [path for path in directory.iterdir() if path.name not in _NO_EVIDENCE]
    found = [*top, *(path for pattern in _BELOW for path in directory.glob(pattern))]
    return sorted(path for path in found if path.is_file() and not path.is_symlink() and path.suffix != ".tmp")


def scratch(root: Path) -> Path:
    """The folder for what is only on its way to a place."""
    return root / ".drillmark" / "artifacts"


def _marks(root: Path) -> Path:
    return scratch(root) / "waiting"
