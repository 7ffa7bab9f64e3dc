"""Drillmark's own database, restored to the side, and whether what came back holds what it must: the journals.

Ordinary Chaos Toolkit functions. The database is the one that DRILLMARK_DATABASE_URL names. Must never write to it,
nor to a copy.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from drillmark.database import address, migrating
from drillmark.decisions.chain import CHAIN
from drillmark.errors import DatabaseError, JournalError, RecoveryError
from drillmark.journal.entries import first_break
from drillmark.journal.postgres import PostgresStore
from drillmark.model.entry import Entry
from drillmark.recovery import frozen_dump, postgres_dump
from drillmark.recovery.activity import Configuration, Secrets, activity, logger, seconds
from drillmark.recovery.target import iso

__all__ = ["is_same_database", "journals_are_whole", "restore"]

_HINT = "it looks like postgresql://user:password@127.0.0.1:5434/drillmark; user and database are the original's"
_HERE = ("127.0.0.1", "localhost", "::1")


@activity
def restore(
    source: str,
    into: str | None = None,
    jobs: int = 4,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Load the dump that was listed into a server of its own, by `postgres_dump.restore`; as repeatable as that.

    Args:
        source: the frozen listing: `${drillmark_source}`.
        into: directory in which the copy is made.
        jobs: files verified and tables loaded at a time.
        dsn: where the copy is asked, on this machine; its port is the copy's.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Returns:
        What `postgres_dump.restore` returns.

    Raises:
        ActivityFailed: the dump is damaged, is another one by now, or cannot be loaded.
    """
    copy = _copy(dsn, secrets)
    try:
        known = conninfo_to_dict(copy)
    except psycopg.Error:
        raise RecoveryError("the `dsn` of the copy makes no sense", hint=_HINT) from None
    if known.get("host") not in _HERE or not str(known.get("port") or "").isdigit():
        raise RecoveryError("the `dsn` of the copy leads to no port of this machine", hint=_HINT)
    return postgres_dump.restore(
        into=into, jobs=jobs, port=int(str(known["port"])), source=source, dsn=copy, configuration=configuration
    )


@activity
def journals_are_whole(source: str, rpo: str | float = "1d", dsn: str | None = None, secrets: Secrets = None) -> bool:
    """Whether the copy is a database that Drillmark works with, with whole journals, and recent enough.

    Every chain of hashes in the copy must be whole, and the beginning of the original's chain of the same name. What
    the original has and the copy has not must be younger than `rpo`, counted back from the declaration.

    Args:
        source: the frozen listing: `${drillmark_source}`.
        rpo: how old an entry may be that is lost.
        dsn: where the copy is asked.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: it is not; the text names the run and the entry.
    """
    original_url = _original()
    oldest_ns = frozen_dump.read(source).listed_wall_ns - round(seconds(rpo) * 1e9)
    copy_url = _copy(dsn, secrets)
    try:
        # As `drillmark db check` asks.
        migrating.check(copy_url)
    except DatabaseError as error:
        raise RecoveryError(f"the copy cannot be worked with: {error}") from error
    with closing(PostgresStore(copy_url)) as copy, closing(PostgresStore(original_url)) as original:
        chains, count = _compare(copy, original, oldest_ns, str(rpo))
    logger.info("%d chains with %d entries are whole; none lost is older than %s", chains, count, rpo)
    return True


@activity
def is_same_database(dsn: str | None = None, secrets: Secrets = None) -> bool:
    """Whether the copy is of the database in use: its oldest run's journal begins as it does there.

    For `side_identity`: a dump that is loaded is another system, and its data tell whose they are.

    Raises:
        ActivityFailed: one of the two does not answer, or the copy holds no journal that could tell.
    """
    copy_url, original_url = _copy(dsn, secrets), _original()
    try:
        with closing(PostgresStore(copy_url)) as copy, closing(PostgresStore(original_url)) as original:
            oldest = min(copy.runs(), key=lambda row: (row.started_wall_ns, row.run), default=None)
            if oldest is None:
                raise RecoveryError("the copy holds no run, and does not tell whose it is")
            there, here = copy.read(oldest.run)[:1], original.read(oldest.run)[:1]
    except JournalError as error:
        raise RecoveryError(f"whose database the copy is cannot be told: {error}") from error
    return bool(there) and [entry.hash for entry in there] == [entry.hash for entry in here]


def _original() -> str:
    url = address.configured()
    if not url:
        raise RecoveryError(
            f"{address.URL} is not set: this workspace keeps all it has in its own files",
            hint="there is no database to restore",
        )
    return url


def _copy(given: str | None, secrets: Secrets) -> str:
    # No other default: it would lead to the lab, or to the original.
    found = str(given or (secrets or {}).get("dsn") or "")
    if not found:
        raise RecoveryError("nobody says where the copy is asked", hint=_HINT)
    return found


def _compare(copy: PostgresStore, original: PostgresStore, oldest_ns: int, rpo: str) -> tuple[int, int]:
    """How many chains the copy holds, and how many entries. Raises RecoveryError for the first that is wrong."""
    # The copy first: what the original gets meanwhile is no stranger.
    copied = {row.run for row in copy.runs()}
    known = [row.run for row in original.runs()]
    chains = count = 0
    for name in [*known, *sorted(copied.difference(known)), CHAIN]:
        entries = copy.read(name)
        if broken := first_break(entries):
            raise RecoveryError(f"the journal of {name} in the copy is broken: {broken}")
        _same(name, entries, original.read(name), oldest_ns, rpo)
        chains += bool(entries)
        count += len(entries)
    if not count:
        raise RecoveryError("the copy holds no entry of any journal, and proves nothing")
    return chains, count


def _same(name: str, copied: tuple[Entry, ...], entries: tuple[Entry, ...], oldest_ns: int, rpo: str) -> None:
    if [entry.hash for entry in copied] != [entry.hash for entry in entries[: len(copied)]]:
        raise RecoveryError(
            f"the journal of {name} in the copy is not the original's", hint="is the backup of this database?"
        )
    lost = [entry for entry in entries[len(copied) :] if entry.stamp.wall_ns <= oldest_ns]
    if lost:
        raise RecoveryError(
            f"{len(lost)} entries of {name} that are older than {rpo} are not in the copy, the first of"
            f" {iso(lost[0].stamp.wall_ns)}",
            hint="are backups still taken?",
        )
