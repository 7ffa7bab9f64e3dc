"""Proofs that what serves now is the right system with the right data, for `verify`, `identity` and `preflight`.

What is compared with is independent of the restore: rows remembered before the fault, and the archive's own system
identifier. Reads only, but for one empty transaction that proves that the store takes writes.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from drillmark import files
from drillmark.errors import RecoveryError
from drillmark.recovery import postgres_pitr, wal
from drillmark.recovery.activity import Configuration, Secrets, activity, logger, need_dsn, path_setting
from drillmark.recovery.connecting import store, system_of

__all__ = ["remember_rows", "rows_match", "same_cluster"]

_TIMEOUT_SECONDS = 5


@activity
def remember_rows(
    table: str,
    key: str = "id",
    created: str = "created_at",
    columns: list[str] | None = None,
    settled_seconds: float = 5.0,
    until: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """Before the fault: note the rows that any restore must bring back, for `rows_match`. True when it is noted.

    These are the rows created before the last restorable point. Under plain `chaos run` nothing is noted.

    Args:
        table: the table, or `schema.table`.
        key: a column that numbers its rows.
        created: a column that says when a row was created.
        columns: columns that never change, compared by their values; by default the key alone.
        settled_seconds: so much earlier than that point, for transactions that took a while to commit.
        until: ISO 8601 time in the point's place.
        dsn: how to connect.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: the store does not answer, or nothing could be restored at all.
    """
    folder = _folder()
    if folder is None:
        logger.info("no run: the rows of %s are not remembered", table)
        return True
    point = datetime.fromisoformat(until or postgres_pitr.last_restorable_point(configuration=configuration))
    before = point.astimezone(UTC) - timedelta(seconds=settled_seconds)
    compared = columns or [key]
    with store(need_dsn(dsn, secrets, configuration)) as connection:
        count, digest = _digest(connection, table, created, compared, before)
    memory = {
        "table": table,
        "created": created,
        "columns": compared,
        "before": before.isoformat(),
        "count": count,
        "digest": digest,
    }
    files.write_durably(_memory(folder, table), json.dumps(memory))
    logger.info("remembered %d rows of %s, all from before %s", count, table, before.isoformat())
    return True


@activity
def rows_match(
    table: str,
    key: str = "id",
    read_url: str | None = None,
    at_least: int = 1,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """After the recovery: the remembered rows are all there, the service reads this very store, and it takes writes.

    Args:
        table: the table, or `schema.table`.
        key: a column that numbers its rows.
        read_url: answers with the newest row as a JSON object that holds `key`; that row must be in the table.
        at_least: how many rows there must be in any case.
        dsn: how users connect.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: they do not match; the text says what is missing.
    """
    folder = _folder()
    memory = None if folder is None else files.read_json(_memory(folder, table))
    if folder is not None and memory is None:
        raise RecoveryError(
            f"nobody remembered the rows of {table} before the fault: there is nothing to compare with",
            hint="name an activity with drillmark.recovery.probes.remember_rows in the target's `preflight`",
        )
    with store(need_dsn(dsn, secrets, configuration)) as connection:
        # An empty database has no such table: that is an answer, and a clear one.
        row = connection.execute("select to_regclass(%s)", (table,)).fetchone()
        if row is None or row[0] is None:
            raise RecoveryError(f"there is no table {table}: an empty or another database was restored")
        row = connection.execute(sql.SQL("select count(*) from {}").format(_name(table))).fetchone()
        if row is None or row[0] < at_least:
            raise RecoveryError(f"table {table} has {row[0] if row else 0} rows; at least {at_least} were expected")
        if memory is not None:
            _compare(connection, table, memory)
        _takes_writes(connection)
        if read_url:
            _reads_this(connection, table, key, read_url)
    return True


@activity
def same_cluster(
    archive: str | None = None,
    system_identifier: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """Whether the store that users reach is the one whose log the archive holds (or the one named).

    Raises:
        ActivityFailed: it is another one, or it does not answer.
    """
    expected = (
        system_identifier
        or wal.Archive.read(path_setting(archive, configuration, "archive", "archive")).system_identifier()
    )
    with store(need_dsn(dsn, secrets, configuration)) as connection:
        found = system_of(connection)
    if found != expected:
        raise RecoveryError(f"users reach system {found}; the archive's is {expected}")
    return True


def _digest(
    connection: psycopg.Connection[Any], table: str, created: str, columns: list[str], before: datetime
) -> tuple[int, str]:
    values = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    query = sql.SQL(
        "select count(*), coalesce(sum(hashtextextended(row({})::text, 0)::numeric), 0)::text from {} where {} < %s"
    ).format(values, _name(table), sql.Identifier(created))
    row = connection.execute(query, (before,)).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])


def _compare(connection: psycopg.Connection[Any], table: str, memory: dict[str, Any]) -> None:
    before = datetime.fromisoformat(memory["before"])
    count, digest = _digest(connection, table, memory["created"], memory["columns"], before)
    if count != memory["count"]:
        raise RecoveryError(
            f"{table} has {count} rows from before {memory['before']}; before the fault {memory['count']}"
        )
    if digest != memory["digest"]:
        raise RecoveryError(f"the {count} rows of {table} from before {memory['before']} are not the same ones")


def _takes_writes(connection: psycopg.Connection[Any]) -> None:
    try:
        connection.execute("select pg_current_xact_id()")
    except psycopg.Error as error:
        raise RecoveryError(f"the restored store takes no writes: {error}") from error


def _reads_this(connection: psycopg.Connection[Any], table: str, key: str, url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise RecoveryError(f"not an HTTP address: {url!r}")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 checked just above
            value = json.loads(answer.read())[key]
    except (OSError, ValueError, KeyError, TypeError, urllib.error.URLError) as error:
        raise RecoveryError(f"the service does not give the newest row at {url}: {error}") from error
    query = sql.SQL("select 1 from {} where {}::text = %s").format(_name(table), sql.Identifier(key))
    if connection.execute(query, (str(value),)).fetchone() is None:
        raise RecoveryError(f"the service's newest row, {key} {value}, is not in {table}: it reads another store")


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _folder() -> Path | None:
    named = os.environ.get("DRILLMARK_RUN_DIR")
    return Path(named) if named else None


def _memory(folder: Path, table: str) -> Path:
    return folder / f"rows-{table}.json"
