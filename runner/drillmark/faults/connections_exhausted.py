"""Somebody leaks connections until the server has none left: whoever connects now is refused.

What is connected already goes on, unless its sessions are evicted, as a pool that recycles them would do itself.
The connections are held by a helper (`holding`); the undo uses one that the server reserves for superusers.
"""

from __future__ import annotations

from typing import Any

from drillmark.faults import holding
from drillmark.recovery.activity import Configuration, Secrets, activity, logger, need_dsn

FAULT = "connections-exhausted"


@activity
def exhaust(
    evict: str | None = None,
    within_seconds: float = 45.0,
    dsn: str | None = None,
    admin_dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Take every connection that the role in `dsn` can get, and go on taking what becomes free until the undo.

    Args:
        evict: application name whose sessions are ended, again and again, so that it has none.
        within_seconds: how long until none is left.
        dsn: the role that leaks.
        admin_dsn: a superuser, whose connections are reserved.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` and `admin_dsn` in it.

    Raises:
        ActivityFailed: some were still free in the end; the text says why.
    """
    users = need_dsn(dsn, secrets, configuration)
    pids = holding.begin(
        FAULT,
        {"connections": "all", "evict": evict},
        dsn=users,
        admin_dsn=holding.admin_setting(admin_dsn, users, secrets),
        seconds=within_seconds,
        configuration=configuration,
    )
    logger.info("%d connections are held, none is free", len(pids))
    return {"held": len(pids)}


@activity
def release(
    dsn: str | None = None,
    admin_dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> str:
    """The undo: end the helper and every session of it. Raises ActivityFailed where one is left."""
    users = need_dsn(dsn, secrets, configuration)
    return holding.end(FAULT, holding.admin_setting(admin_dsn, users, secrets), configuration)


@activity
def is_exhausted(
    dsn: str | None = None,
    admin_dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """The proof, true until the undo: sessions that took the last free connection are still there.

    Not their number: whom they evict may have a connection again for a moment, until it is taken too.
    """
    users = need_dsn(dsn, secrets, configuration)
    found = holding.held(FAULT, holding.admin_setting(admin_dsn, users, secrets), configuration)
    return found is not None and bool(found[1])
