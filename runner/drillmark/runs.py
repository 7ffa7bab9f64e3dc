"""Stored runs: from a run's directory to the evidence that measuring reads. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, overload

from drillmark import files, samples
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import JournalError, SampleFileError, UsageError
from drillmark.journal.entries import from_line
from drillmark.journal.opening import is_there, open_if_there, open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Entry
from drillmark.model.evidence import Evidence, LoadPart, Rows, Table, Written
from drillmark.model.plan import Plan
from drillmark.places import reports_of

T = TypeVar("T")

# The sample files of every run, without suffix. Each marker writer has two more.
SAMPLES = ("beats", "load", "load-users", "load-clocks", "positions", "side")


def find(workspace: Path, text: str) -> RunRow:
    """The run that `text` names: its id, a prefix that only one has, or `last`. Raises UsageError."""
    found: list[RunRow] = []
    with suppress(JournalError):
        store = open_if_there(WorkspacePaths(workspace))
        if store is not None:
            try:
                found = store.find(text)
            finally:
                store.close()
    # Without its journal a run must be found all the same, so that its fault can be undone.
    found = found or in_folders(workspace, text)
    for row in found:
        files.inside(workspace, row.directory)
    if not found and not is_there(WorkspacePaths(workspace)):
        raise UsageError("there are no runs in this workspace yet", hint="start one: drillmark run DRILL")
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"no run begins with {text!r}", hint="`drillmark list` shows them; `last` is the newest")
    names = ", ".join(row.run for row in found[:5])
    raise UsageError(f"{len(found)} runs begin with {text!r}: {names}", hint="give more of its id")


def every(workspace: Path) -> list[RunRow]:
    """Every run of a workspace, also those that the journal does not know, or that it cannot tell any more."""
    rows: list[RunRow] = []
    with suppress(JournalError):
        store = open_if_there(WorkspacePaths(workspace))
        if store is not None:
            try:
                rows = store.runs()
            finally:
                store.close()
    known = {row.run for row in rows}
    return rows + [row for row in in_folders(workspace) if row.run not in known]


def in_folders(workspace: Path, text: str = "") -> list[RunRow]:
    """The runs that have a directory, newest last, as far as a directory tells."""
    folder = reports_of(workspace) / "runs"
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    chosen = names[-1:] if text == "last" else [name for name in names if name.startswith(text)]
    return [RunRow(name, "", "", str((folder / name).relative_to(workspace)), 0, 0) for name in chosen]


def read_entries(workspace: Path, row: RunRow) -> tuple[Entry, ...]:
    """The journal of a run: from the database, or where that has none from the run's `journal.jsonl`."""
    store = open_store(WorkspacePaths(workspace))
    try:
        entries = store.read(row.run)
    finally:
        store.close()
    return entries or read_exported(workspace / row.directory)


class KnownEntries(Sequence[Entry]):
    """The journal of a run, read when somebody looks: mostly nobody does, and a long one takes a while.

    Empty where it cannot be read. Whoever wants what stood there before a run goes on looks before that.
    """

    def __init__(self, workspace: Path, row: RunRow) -> None:
        self._place = workspace, row
        self._entries: tuple[Entry, ...] | None = None

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        return self._read()[index]

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> tuple[Entry, ...]:
        if self._entries is None:
            self._entries = ()
            with suppress(JournalError):
                self._entries = read_entries(*self._place)
        return self._entries


def read_exported(directory: Path) -> tuple[Entry, ...]:
    """The entries of `journal.jsonl`; empty where there is none. Raises JournalError for a damaged line."""
    path = files.inside(directory, "journal.jsonl")
    if not path.exists():
        return ()
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise JournalError(f"cannot read {path}: {error}") from error
    return tuple(from_line(line) for line in lines if line)


def read_plan(directory: Path) -> Plan:
    """The plan that the run performed. Raises UsageError where it is not there or damaged."""
    path = files.inside(directory, "plan.json")
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the run has no plan that can be read: {path}") from error


def read_evidence(directory: Path, plan: Plan, entries: Sequence[Entry]) -> Evidence:
    """Everything that measuring needs. A sample file that was never written, or is none, is None.

    What is long is read piece by piece when it is measured; of the others every row is needed at once.
    """

    def table(name: str) -> Table | None:
        # Looked up where there is a file: a bare experiment has none, and waits for no numpy.
        return _opened(directory, name, lambda path: samples.read(path))  # noqa: PLW0108

    def rows(name: str) -> Rows | None:
        return _opened(directory, name, lambda path: samples.stored(path))  # noqa: PLW0108

    written = {one.name: Written(table(one.ledger), table(one.survivors)) for one in plan.markers}
    parts = tuple(
        LoadPart(number, rows(f"load-{number}"), table(f"load-users-{number}")) for number in _load_parts(plan)
    )
    return Evidence(
        plan=plan,
        entries=tuple(entries),
        beats=rows("beats"),
        load=rows("load"),
        load_users=table("load-users"),
        written=written,
        positions=table("positions"),
        side=rows("side"),
        load_parts=parts,
        load_clocks=table("load-clocks"),
    )


def sample_names(plan: Plan) -> list[str]:
    """The run's sample files, without suffix."""
    load = [name for number in _load_parts(plan) for name in (f"load-{number}", f"load-users-{number}")]
    return [*SAMPLES, *load, *(name for one in plan.markers for name in (one.ledger, one.survivors))]


def _load_parts(plan: Plan) -> range:
    return range(1, (plan.load.parts if plan.load else 0) + 1)


def _opened(directory: Path, name: str, how: Callable[[Path], T]) -> T | None:
    """A sample file, or None where there is none that can be read, or only a link that leads out of the run."""
    path = directory / "samples" / f"{name}.dms"
    if not path.exists():
        return None
    try:
        return how(files.inside(directory, f"samples/{name}.dms"))
    except (SampleFileError, UsageError):
        return None
