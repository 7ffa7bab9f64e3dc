"""The journal in PostgreSQL, for many machines: the same words as `journal.store`, held by the same conformance suite.

An append is one statement: the run's row is locked, its epoch and its last entry are compared, the entry is written.
Where a connection broke in the middle, the entry's own hash tells whether it was written. Must never change or
delete an entry.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import psycopg

from drillmark.database.connecting import PATIENCE_SECONDS, Connection, Database
from drillmark.errors import JournalError, StaleEpochError
from drillmark.journal import entries
from drillmark.journal.port import CHAIN, COUNT, UNENDED, RunRow
from drillmark.journal.rows import Digest, Row, hashed
from drillmark.model.entry import Entry, Kind
from drillmark.model.stamp import Stamp

_INSERT = "insert into drillmark.entries values (%s, %s, %s, %s, %s, %s, %s, %s)"
_REGISTER = "insert into drillmark.runs values (%s, %s, %s, %s, %s, %s)"
_APPEND = """
with held as (select run from drillmark.runs where run = %(run)s and epoch = %(epoch)s for update)
insert into drillmark.entries
select %(run)s, %(sequence)s, %(epoch)s, %(kind)s, %(stamp)s, %(data)s, %(previous_hash)s, %(hash)s from held
where (select coalesce(max(sequence), 0) from drillmark.entries where run = %(run)s) = %(sequence)s - 1
"""
_KEEP = """
with held as (select run from drillmark.runs where run = %(run)s and epoch = %(epoch)s for update)
insert into drillmark.undo (run, epoch, body) select run, %(epoch)s, %(body)s from held
on conflict (run) do update set epoch = excluded.epoch, body = excluded.body, written_at = clock_timestamp()
"""
# Asked for every second by a runner that must go on renewing its lease.
_LOOKING_SECONDS = 2.0
# What reading a long journal, or all runs, may take.
_READING_SECONDS = 120.0


class PostgresStore:
    """All journals in one database. Raises DatabaseError, which is a JournalError, where it cannot be used."""

    def __init__(self, url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._database = Database(url, patience_seconds=patience_seconds)

    def close(self) -> None:
        """Let the database go."""
        self._database.close()

    def create(self, row: RunRow) -> None:
        """Register a new run."""

        def work(connection: Connection) -> None:
            try:
                connection.execute(_REGISTER, _values(row))
            except psycopg.errors.UniqueViolation:
                if _row(connection, row.run) != row:
                    raise

        self._database.run(work)

    def begin_chain(self, name: str) -> None:
        """Register a chain of entries that is no run; one that is there stays."""
        assert name.startswith(CHAIN)
        values = _values(RunRow(name, "", "", "", 1, 0))
        self._database.run(lambda connection: connection.execute(f"{_REGISTER} on conflict do nothing", values))

    def add_whole(self, row: RunRow, chain: list[Entry]) -> None:
        """Register a run that is over, with all its entries, or nothing of it."""

        def work(connection: Connection) -> None:
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.execute(_REGISTER, _values(row))
                    cursor.executemany(_INSERT, [tuple(_columns(entry).values()) for entry in chain])
            except psycopg.errors.UniqueViolation:
                if _row(connection, row.run) != row or _chain(connection, row.run) != tuple(chain):
                    raise

        self._database.run(work)

    def forget(self, run: str) -> None:
        """Take a run that has no entry off the list: it never began, and now cannot any more. Others stay."""

        def work(connection: Connection) -> None:
            with connection.transaction():
                # Whoever is about to append its first entry waits here, or we wait for him.
                connection.execute("select 1 from drillmark.runs where run = %s for update", (run,))
                connection.execute(
                    "delete from drillmark.runs where run = %s and not exists"
                    " (select 1 from drillmark.entries where entries.run = runs.run)",
                    (run,),
                )

        self._database.run(work)

    def raise_epoch(self, run: str, epoch: int) -> None:
        """From now on only this epoch may append. Raises StaleEpochError if a higher one is there already."""

        def work(connection: Connection) -> int:
            text = "update drillmark.runs set epoch = %s where run = %s and epoch < %s"
            return connection.execute(text, (epoch, run, epoch)).rowcount

        # Not again: an epoch that is there already could be somebody else's.
        if not self._database.run(work, again=False):
            raise StaleEpochError(f"run {run} was taken over by somebody else")

    def append(
        self, previous: Entry | None, *, run: str, epoch: int, kind: Kind, stamp: Stamp, data: dict[str, Any]
    ) -> Entry:
        """Append an entry after `previous`, durably.

        Raises StaleEpochError where the run's epoch or its last entry is not what the caller believes, and
        JournalError where nothing could be written, or nobody can say whether it was.
        """
        try:
            entry = entries.follow(previous, run=run, epoch=epoch, kind=kind, stamp=stamp, data=data)
            values = _columns(entry)
            entries.to_line(entry).encode()
        except (TypeError, ValueError) as error:
            raise JournalError(f"cannot journal this {kind} entry: {error}") from error

        def work(connection: Connection) -> bool:
            try:
                if connection.execute(_APPEND, values).rowcount:
                    return True
            except psycopg.errors.UniqueViolation:
                pass
            found = connection.execute(
                "select hash from drillmark.entries where run = %s and sequence = %s", (run, entry.sequence)
            ).fetchone()
            return found is not None and found[0] == entry.hash

        if not self._database.run(work):
            raise StaleEpochError(
                f"run {run} was taken over by somebody else", hint="this runner touches nothing any more"
            )
        return entry

    def read(self, run: str, after: int = 0, *, digest: Digest | None = None) -> tuple[Entry, ...]:
        """All entries of a run after that one, in order."""

        def work(connection: Connection) -> list[Row]:
            return _rows_of(connection, run, "sequence > %s", after)

        try:
            rows = self._database.run(work, patience_seconds=_READING_SECONDS)
            return tuple(map(entries.from_texts, hashed(rows, digest)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise JournalError(f"cannot read the journal of run {run} in {self._database.place}: {error}") from error

    def take_in(self, run: str, count: int, digest: Digest) -> None:
        """Have the digest take in the first so many entries."""

        def work(connection: Connection) -> list[Row]:
            return _rows_of(connection, run, "sequence <= %s", count)

        deque(hashed(self._database.run(work, patience_seconds=_READING_SECONDS), digest), maxlen=0)

    def length(self, run: str) -> int:
        """How many entries a run, or a chain, has."""
        return self._number("select coalesce(max(sequence), 0) from drillmark.entries where run = %s", run)

    def epoch_of(self, run: str) -> int:
        """Which epoch may append; 0 where there is no such run."""
        return self._number("select coalesce(max(epoch), 0) from drillmark.runs where run = %s", run)

    def keep_undo(self, run: str, epoch: int, body: str) -> None:
        """Keep a copy of a run's undo file for the other machines.

        Raises StaleEpochError where somebody else has the run in hand.
        """
        values = {"run": run, "epoch": epoch, "body": body}
        if not self._database.run(lambda connection: connection.execute(_KEEP, values).rowcount):
            raise StaleEpochError(f"run {run} was taken over by somebody else")

    def kept_undo(self, run: str) -> str | None:
        """The copy; None where none is kept."""

        def work(connection: Connection) -> str | None:
            row = connection.execute("select body from drillmark.undo where run = %s", (run,)).fetchone()
            return None if row is None else str(row[0])

        return self._database.run(work)

    def runs(self) -> list[RunRow]:
        """Every run, oldest first."""
        return self._rows("order by started_wall_ns, run")

    def newest(self, count: int) -> list[RunRow]:
        """The newest runs, newest first."""
        return self._rows("order by started_wall_ns desc, run desc limit %s", count)

    def unended(self) -> list[RunRow]:
        """Every run without an end in its journal, oldest first."""
        return self._rows(UNENDED.format(runs="drillmark.runs", entries="drillmark.entries"))

    def count(self) -> int:
        """How many runs there are."""

        def work(connection: Connection) -> int:
            row = connection.execute(COUNT.format(runs="drillmark.runs").encode()).fetchone()
            return int(row[0]) if row else 0

        return self._database.run(work)

    def find(self, text: str) -> list[RunRow]:
        """The runs whose id begins with `text`; `last` is the newest."""
        if text == "last":
            return self.newest(1)
        if "\0" in text:
            return []  # no id has one, and PostgreSQL knows no such text
        return self._rows("and starts_with(run, %s) order by started_wall_ns, run", text)

    def _number(self, text: str, run: str) -> int:
        def work(connection: Connection) -> int:
            row = connection.execute(text.encode(), (run,)).fetchone()
            return int(row[0]) if row else 0

        return self._database.run(work, patience_seconds=_LOOKING_SECONDS)

    def _rows(self, rest: str, *values: str | int) -> list[RunRow]:
        text = (
            "select run, drill, target, directory, epoch, started_wall_ns from drillmark.runs"  # noqa: S608 (our words)
            f" where not starts_with(run, '{CHAIN}') {rest}"
        )

        def work(connection: Connection) -> list[RunRow]:
            return [RunRow(*row) for row in connection.execute(text.encode(), values).fetchall()]

        return self._database.run(work, patience_seconds=_READING_SECONDS)


def _chain(connection: Connection, run: str) -> tuple[Entry, ...]:
    return tuple(map(entries.from_texts, _rows_of(connection, run, "sequence > %s", 0)))


def _rows_of(connection: Connection, run: str, which: str, number: int) -> list[Row]:
    text = (
        "select sequence, run, epoch, kind, stamp, data, previous_hash, hash from drillmark.entries"  # noqa: S608 (ours)
        f" where run = %s and {which} order by sequence"
    )
    return connection.execute(text.encode(), (run, number)).fetchall()


def _row(connection: Connection, run: str) -> RunRow | None:
    text = "select run, drill, target, directory, epoch, started_wall_ns from drillmark.runs where run = %s"
    row = connection.execute(text, (run,)).fetchone()
    return None if row is None else RunRow(*row)


def _values(row: RunRow) -> tuple[str | int, ...]:
    return (row.run, row.drill, row.target, row.directory, row.epoch, row.started_wall_ns)


def _columns(entry: Entry) -> dict[str, str | int]:
    return {
        "run": entry.run, "sequence": entry.sequence, "epoch": entry.epoch, "kind": str(entry.kind),
        "stamp": entries.canonical(entry.stamp.as_json()), "data": entries.canonical(entry.data),
        "previous_hash": entry.previous_hash, "hash": entry.hash,
    }  # fmt: skip
