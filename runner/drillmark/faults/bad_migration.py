"""A migration with a wrong `DELETE` is committed: the service stays up, and rows that users need are gone.

The rows are copied aside in the same transaction, so that there is a way back that needs no backup.
"""

from __future__ import annotations

from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

from drillmark.errors import RecoveryError
from drillmark.recovery.activity import Configuration, Secrets, activity, logger, need_dsn
from drillmark.recovery.connecting import store


@activity
def delete_rows(
    table: str, where: str, dsn: str | None = None, configuration: Configuration = None, secrets: Secrets = None
) -> dict[str, Any]:
    """Delete the rows of `table` for which `where` (an SQL condition) is true, and commit.

    Raises ActivityFailed where no row is deleted, where an earlier deletion is not undone, or the store refuses.
    """
    condition = sql.SQL(cast("LiteralString", where))
    copy = sql.SQL("create table {} as select * from {} where {}").format(_aside(table), _name(table), condition)
    delete = sql.SQL("delete from {} where {}").format(_name(table), condition)
    with store(need_dsn(dsn, secrets, configuration)) as connection, connection.transaction():
        if _exists(connection, table):
            raise RecoveryError(f"rows of {table} lie aside already: nothing was done", hint="run the undo first")
        # Rows that came between the two statements would be deleted and not copied.
        connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(_name(table)))
        copied = connection.execute(copy).rowcount
        deleted = connection.execute(delete).rowcount
        if deleted == 0 or copied != deleted:
            raise RecoveryError(f"{deleted} rows of {table} would be deleted and {copied} copied: nothing was done")
    logger.info("deleted %d rows of %s", deleted, table)
    return {"table": table, "deleted": deleted}


@activity
def put_rows_back(
    table: str, dsn: str | None = None, configuration: Configuration = None, secrets: Secrets = None
) -> str:
    """The undo: put the rows back where the old system still serves; a restored one has them, and knows no copy."""
    with store(need_dsn(dsn, secrets, configuration)) as connection, connection.transaction():
        if not _exists(connection, table):
            return f"nothing of {table} lies aside in the system that serves"
        back = sql.SQL("insert into {} overriding system value select * from {} on conflict do nothing")
        count = connection.execute(back.format(_name(table), _aside(table))).rowcount
        connection.execute(sql.SQL("drop table {}").format(_aside(table)))
    return f"{count} rows of {table} are back"


@activity
def rows_are_gone(
    table: str,
    key: str = "id",
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """The proof: rows lie aside, and none of them is in the table."""
    with store(need_dsn(dsn, secrets, configuration)) as connection:
        if not _exists(connection, table):
            return False
        query = sql.SQL("select exists (select from {} join {} using ({})), exists (select from {})")
        row = connection.execute(
            query.format(_name(table), _aside(table), sql.Identifier(key), _aside(table))
        ).fetchone()
    return row == (False, True)


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", (f"{table}_deleted_by_drillmark",)).fetchone()
    return row is not None and bool(row[0])


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _aside(table: str) -> sql.Identifier:
    return sql.Identifier(*f"{table}_deleted_by_drillmark".split("."))
