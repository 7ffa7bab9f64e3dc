"""The journal in SQLite: one database for a workspace, every append durable before it returns.

An append is conditional on (sequence, epoch): a runner whose run was taken over by another, or by the guard,
gets StaleEpochError and has written nothing. Must never change or delete an entry.
"""

from __future__ import annotations

import gc
import sqlite3
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drillmark.errors import JournalError, StaleEpochError
from drillmark.journal import entries
from drillmark.journal.port import CHAIN, COUNT, UNENDED, RunRow
from drillmark.journal.rows import Digest, hashed
from drillmark.model.entry import Entry, Kind
from drillmark.model.stamp import Stamp

FORMAT = 1
_BUSY_SECONDS = 5.0
# Compatible with every version of this format: made on the way where an older one did not.
_INDEX = "create index if not exists runs_by_start on runs (started_wall_ns, run)"
_LAST_CHARACTER = "\U0010ffff"
_ENTRIES = "select sequence, run, epoch, kind, stamp, data, previous_hash, hash from entries where run = ?"
_SCHEMA = """
create table if not exists runs (
    run text primary key, drill text not null, target text not null,
    directory text not null, epoch integer not null, started_wall_ns integer not null
);
create table if not exists entries (
    run text not null references runs (run), sequence integer not null, epoch integer not null,
    kind text not null, stamp text not null, data text not null,
    previous_hash text not null, hash text not null, primary key (run, sequence)
);
"""


class JournalStore:
    """All journals of a workspace. Raises JournalError where the database cannot be read or written."""

    def __init__(self, path: Path, *, busy_seconds: float = _BUSY_SECONDS) -> None:
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
            try:
                self._prepare(path)
            except BaseException:
                self._connection.close()
                raise
        self._path = path

    def _prepare(self, path: Path) -> None:
        self._connection.execute("pragma journal_mode=wal")
        # FULL: a commit is on disk before it returns, also after a power cut.
        self._connection.execute("pragma synchronous=full")
        found = self._connection.execute("pragma user_version").fetchone()[0]
        if found > FORMAT:
            raise JournalError(
                f"{path} was written by a newer drillmark (format {found}, this one knows {FORMAT})",
                hint="use that version, or another workspace",
            )
        if found < FORMAT:
            self._connection.executescript(_SCHEMA)
            self._connection.execute(f"pragma user_version={FORMAT}")
        self._connection.execute(_INDEX)

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()

    def create(self, row: RunRow) -> None:
        """Register a new run."""
        with _translated(self._path):
            self._register(row)

    def begin_chain(self, name: str) -> None:
        """Register a chain of entries that is no run; one that is there stays."""
        assert name.startswith(CHAIN)
        with self._transaction():
            self._connection.execute("insert or ignore into runs values (?, '', '', '', 1, 0)", (name,))

    def add_whole(self, row: RunRow, chain: list[Entry]) -> None:
        """Register a run that is over, with all its entries, or nothing of it."""
        with self._transaction():
            self._register(row)
            for entry in chain:
                self._insert(entry)

    def forget(self, run: str) -> None:
        """Take a run that has no entry off the list: it never began, and now cannot any more. Others stay."""
        with self._transaction():
            self._connection.execute(
                "delete from runs where run = ? and not exists (select 1 from entries where entries.run = runs.run)",
                (run,),
            )

    def raise_epoch(self, run: str, epoch: int) -> None:
        """From now on only this epoch may append. Raises StaleEpochError if a higher one is there already."""
        with self._transaction():
            changed = self._connection.execute(
                "update runs set epoch = ? where run = ? and epoch < ?", (epoch, run, epoch)
            ).rowcount
        if not changed:
            raise StaleEpochError(f"run {run} was taken over by somebody else")

    def append(
        self, previous: Entry | None, *, run: str, epoch: int, kind: Kind, stamp: Stamp, data: dict[str, Any]
    ) -> Entry:
        """Append an entry after `previous`, durably.

        Raises StaleEpochError where the run's epoch or its last entry is not what the caller believes, and
        JournalError where nothing could be written.
        """
        try:
            entry = entries.follow(previous, run=run, epoch=epoch, kind=kind, stamp=stamp, data=data)
        except (TypeError, ValueError) as error:
            raise JournalError(f"cannot journal this {kind} entry: {error}") from error
        with self._transaction():
            found = self._connection.execute("select epoch from runs where run = ?", (run,)).fetchone()
            count = self._connection.execute(
                "select coalesce(max(sequence), 0) from entries where run = ?", (run,)
            ).fetchone()[0]
            if found is None or found[0] != epoch or count != entry.sequence - 1:
                raise StaleEpochError(
                    f"run {run} was taken over by somebody else", hint="this runner touches nothing any more"
                )
            self._insert(entry)
        return entry

    def read(self, run: str, after: int = 0, *, digest: Digest | None = None) -> tuple[Entry, ...]:
        """All entries of a run after that one, in order."""
        with _translated(self._path), _nothing_collected():
            rows = self._connection.execute(f"{_ENTRIES} and sequence > ? order by sequence", (run, after))
            return tuple(map(entries.from_texts, hashed(rows, digest)))

    def take_in(self, run: str, count: int, digest: Digest) -> None:
        """Have the digest take in the first so many entries."""
        with _translated(self._path):
            rows = self._connection.execute(f"{_ENTRIES} and sequence <= ? order by sequence", (run, count))
            deque(hashed(rows, digest), maxlen=0)

    def length(self, run: str) -> int:
        """How many entries a run, or a chain, has."""
        with _translated(self._path):
            found = self._connection.execute("select coalesce(max(sequence), 0) from entries where run = ?", (run,))
            return int(found.fetchone()[0])

    def epoch_of(self, run: str) -> int:
        """Which epoch may append; 0 where there is no such run."""
        with _translated(self._path):
            found = self._connection.execute("select epoch from runs where run = ?", (run,)).fetchone()
            return 0 if found is None else int(found[0])

    def keep_undo(self, run: str, epoch: int, body: str) -> None:
        """Nothing to do: whoever can read this file can read the undo file beside it."""
        del run, epoch, body

    def kept_undo(self, run: str) -> str | None:
        """None: the undo file itself is at hand."""
        del run
        return None

    def runs(self) -> list[RunRow]:
        """Every run, oldest first."""
        return self._rows("order by started_wall_ns, run")

    def newest(self, count: int) -> list[RunRow]:
        """The newest runs, newest first."""
        return self._rows("order by started_wall_ns desc, run desc limit ?", count)

    def unended(self) -> list[RunRow]:
        """Every run without an end in its journal, oldest first."""
        return self._rows(UNENDED.format(runs="runs", entries="entries"))

    def count(self) -> int:
        """How many runs there are."""
        with _translated(self._path):
            return int(self._connection.execute(COUNT.format(runs="runs")).fetchone()[0])

    def find(self, text: str) -> list[RunRow]:
        """The runs whose id begins with `text`; `last` is the newest."""
        if text == "last":
            return self.newest(1)
        return self._rows("and run >= ? and run < ? order by started_wall_ns, run", text, text + _LAST_CHARACTER)

    def _rows(self, rest: str, *values: str | int) -> list[RunRow]:
        with _translated(self._path):
            rows = self._connection.execute(
                "select run, drill, target, directory, epoch, started_wall_ns from runs"  # noqa: S608 (our own words)
                f" where run not glob '{CHAIN}*' {rest}",
                values,
            ).fetchall()
        return [RunRow(*row) for row in rows]

    def _register(self, row: RunRow) -> None:
        self._connection.execute(
            "insert into runs values (?, ?, ?, ?, ?, ?)",
            (row.run, row.drill, row.target, row.directory, row.epoch, row.started_wall_ns),
        )

    def _insert(self, entry: Entry) -> None:
        self._connection.execute(
            "insert into entries values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.run, entry.sequence, entry.epoch, str(entry.kind), entries.canonical(entry.stamp.as_json()),
                entries.canonical(entry.data), entry.previous_hash, entry.hash,
            ),
        )  # fmt: skip

    @contextmanager
    def _transaction(self) -> Generator[None]:
        with _translated(self._path):
            self._connection.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")


@contextmanager
def _nothing_collected() -> Generator[None]:
    """A hundred thousand entries are made here and none is given up: walking over them for garbage is in vain."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def _translated(path: Path) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise JournalError(
            f"cannot read or write the journal {path}: {error}",
            hint="is the disk full, or the folder read-only?",
        ) from error
