"""A session takes an exclusive lock on a table and forgets it: everybody else queues up behind it.

The session is a helper's (`holding`), so it lives while the process that injected it does not.
"""

from __future__ import annotations

from typing import Any

import psycopg

from drillmark.errors import RecoveryError
from drillmark.faults import holding
from drillmark.recovery.activity import Configuration, Secrets, activity, logger, need_dsn
from drillmark.recovery.connecting import connect

FAULT = "locks-pile-up"
_LOCKS = """select array_agg(pid) from pg_locks where relation = to_regclass(%s) and granted
and mode = 'AccessExclusiveLock'"""


@activity
def lock_table(
    table: str,
    within_seconds: float = 30.0,
    dsn: str | None = None,
    admin_dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Lock `table` in access exclusive mode in a session that then sits idle. Not even reading goes on.

    Raises ActivityFailed where the lock is not had `within_seconds`; it may still be waited for until the undo.
    """
    users = need_dsn(dsn, secrets, configuration)
    pids = holding.begin(
        FAULT,
        {"lock": table},
        dsn=users,
        admin_dsn=holding.admin_setting(admin_dsn, users, secrets),
        seconds=within_seconds,
        configuration=configuration,
    )
    logger.info("session %d has locked %s", pids[0], table)
    return {"table": table, "session": pids[0]}


@activity
def unlock(
    dsn: str | None = None,
    admin_dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> str:
    """The undo: end the helper and its session, whether it has the lock or waits for it."""
    users = need_dsn(dsn, secrets, configuration)
    return holding.end(FAULT, holding.admin_setting(admin_dsn, users, secrets), configuration)


@activity
def is_locked(
    dsn: str | None = None,
    admin_dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """The proof, true until the undo: the server says that our session holds the lock."""
    admin = holding.admin_setting(admin_dsn, need_dsn(dsn, secrets, configuration), secrets)
    found = holding.held(FAULT, admin, configuration)
    if found is None:
        return False
    deed, sessions = found
    try:
        with connect(admin) as connection:
            row = connection.execute(_LOCKS, (deed.facts["hold"]["lock"],)).fetchone()
    except psycopg.Error as error:
        raise RecoveryError(f"the store does not say who holds the lock: {error}") from error
    return row is not None and bool(set(row[0] or ()) & set(sessions))
