"""Every statement on one table takes so much longer, as with a plan that turned bad or a disk that turned slow.

By a row security policy that sleeps, once for each statement: made and taken away in one transaction each, so the
database itself says whether it is in effect. No row is touched. Superusers are not slowed.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from drillmark.errors import RecoveryError
from drillmark.recovery.activity import Configuration, Secrets, activity, logger, need_dsn
from drillmark.recovery.connecting import store

POLICY = "slowed_by_drillmark"
_LONGEST_SECONDS = 60.0
# Users queue up behind whoever waits for such a lock.
_PATIENCE = "set local lock_timeout = '20s'"
_STATE = """select relrowsecurity, exists (select from pg_policy where polrelid = pg_class.oid and polname = %s)
from pg_class where oid = to_regclass(%s)"""


@activity
def slow_down(
    table: str,
    seconds: float = 0.05,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Let each statement on `table` wait `seconds` first (an `insert ... returning` twice). Needs the table's owner.

    Raises ActivityFailed where the table has row security of its own, is slowed already, or the store refuses.
    """
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise RecoveryError(f"not a delay: {seconds!r}", hint=f"more than 0 seconds, at most {_LONGEST_SECONDS:g}")
    # Without a column in it, PostgreSQL asks once for each statement, and not for each row.
    wait = sql.SQL("(select count(*) = 1 from pg_sleep({}))").format(sql.Literal(float(seconds)))
    policy = sql.SQL("create policy {} on {} using ({wait}) with check ({wait})")
    with store(need_dsn(dsn, secrets, configuration)) as connection, connection.transaction():
        connection.execute(_PATIENCE)
        state = connection.execute(_STATE, (POLICY, table)).fetchone()
        if state != (False, False):
            what = f"there is no table {table}" if state is None else f"{table} has row security already"
            raise RecoveryError(f"{what}: nothing was done", hint="run the undo first, or choose another table")
        connection.execute(policy.format(sql.Identifier(POLICY), _name(table), wait=wait))
        connection.execute(sql.SQL("alter table {} enable row level security").format(_name(table)))
        connection.execute(sql.SQL("alter table {} force row level security").format(_name(table)))
    logger.info("each statement on %s takes %g s longer", table, seconds)
    return {"table": table, "seconds": seconds}


@activity
def speed_up(table: str, dsn: str | None = None, configuration: Configuration = None, secrets: Secrets = None) -> str:
    """The undo: take the policy away, and the row security with it."""
    with store(need_dsn(dsn, secrets, configuration)) as connection, connection.transaction():
        connection.execute(_PATIENCE)
        state = connection.execute(_STATE, (POLICY, table)).fetchone()
        if state is None or not state[1]:
            return f"{table} is not slowed"
        connection.execute(sql.SQL("drop policy {} on {}").format(sql.Identifier(POLICY), _name(table)))
        connection.execute(sql.SQL("alter table {} disable row level security").format(_name(table)))
        connection.execute(sql.SQL("alter table {} no force row level security").format(_name(table)))
    return f"{table} is as quick as before"


@activity
def is_slow(table: str, dsn: str | None = None, configuration: Configuration = None, secrets: Secrets = None) -> bool:
    """The proof, true until the undo: the policy is on the table, and in force."""
    with store(need_dsn(dsn, secrets, configuration)) as connection:
        return connection.execute(_STATE, (POLICY, table)).fetchone() == (True, True)


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))
