"""A stored run, by what a person types: its id, the beginning of it, `last`, or the folder it lies in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillmark.errors import UsageError

if TYPE_CHECKING:
    from drillmark.model.entry import Entry

RUN_HELP = "RUN is its id, the beginning of it, `last`, or the folder where it lies."


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run on disk.

    Attributes:
        run: its id.
        directory: where it lies.
        entries: its journal: the workspace's, or where there is none (a copied folder) the exported one.
        in_database: whether `entries` are the workspace's.
    """

    run: str
    directory: Path
    entries: tuple[Entry, ...]
    in_database: bool


def find(text: str) -> StoredRun:
    """The run that is meant. Raises UsageError where none or several are, JournalError where it cannot be read."""
    from drillmark import places, runs

    folder = Path(text)
    if ("/" in text or text in {".", ".."}) and folder.is_dir():
        entries = runs.read_exported(folder)
        if not entries:
            raise UsageError(f"{folder} holds no journal.jsonl", hint="give the folder of a run that has ended")
        return StoredRun(entries[0].run, folder.resolve(), entries, in_database=False)
    root = places.with_runs()
    row = runs.find(root, text)
    return StoredRun(row.run, root / row.directory, runs.read_entries(root, row), in_database=True)
