"""PostgreSQL, restored from a base backup and archived log: what drills name in their activities.

Ordinary Chaos Toolkit functions: each works under plain `chaos run` too. Paths that are not given come from
`configuration` (`postgres_backups`, `postgres_archive`, `postgres_clusters`, `lab_control`), else from the lab.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from drillmark import site
from drillmark.errors import RecoveryError
from drillmark.recovery import discarding, fencing, marker, point, restoring, switching
from drillmark.recovery.activity import (
    Configuration,
    Secrets,
    activity,
    dsn_setting,
    logger,
    need_dsn,
    path_setting,
    setting,
)
from drillmark.recovery.connecting import running_system, store
from drillmark.recovery.progress import Progress
from drillmark.recovery.restoring import Request
from drillmark.recovery.target import NAME_PREFIX, Target, iso

__all__ = [
    "discard_unserved",
    "fence",
    "is_restorable",
    "last_restorable_point",
    "log_position",
    "restore",
    "restore_point",
    "switch_over",
]


@activity
def is_restorable(
    within: str | float = "1h",
    backups: str | None = None,
    archive: str | None = None,
    jobs: int = 4,
    system_identifier: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """Whether a restore to the newest would work, and would be recent enough. Nothing is restored.

    The newest complete backup is looked at byte by byte, and so is the row of log segments after it: it is the one
    that a restore takes, so a damaged one means no, even where an older one would do.

    Args:
        within: how old the last restorable point may be (`90s`, `15m`, `1h`, `2d`, or seconds).
        backups: directory of base backups.
        archive: directory of archived log.
        jobs: files looked at at a time.
        system_identifier: that of the system that is meant; by default the running one's, where `dsn` reaches it.
        dsn: how to reach the running system.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: it would not; the text names the file or the age.
    """
    expected = system_identifier or running_system(dsn_setting(dsn, secrets, configuration))
    request = _request("latest", backups, archive, jobs, expected, configuration)
    backup, log = restoring.prove(request, Progress.of_environment())
    reached_ns = point.last_restorable(backup, log)
    hint = "is the log still archived, and are base backups still taken?"
    age_seconds = point.need_recent("the last restorable point", reached_ns, within, hint)
    logger.info("restorable from %s to %s, %.1f s ago", backup.name, iso(reached_ns), age_seconds)
    return True


@activity
def last_restorable_point(
    backups: str | None = None, archive: str | None = None, configuration: Configuration = None
) -> str:
    """Up to when everything committed would come back, as ISO 8601 in UTC. The backup's files are not verified.

    Raises:
        ActivityFailed: there is no backup, or its log has a hole.
    """
    request = _request("latest", backups, archive, 1, None, configuration, verify=False)
    backup, log = restoring.prove(request, Progress(None))
    return iso(point.last_restorable(backup, log))


@activity
def log_position(dsn: str | None = None, configuration: Configuration = None, secrets: Secrets = None) -> str:
    """The log position of the running store (`0/3000028`): all that was committed until now stands before it.

    Raises:
        ActivityFailed: the store does not answer.
    """
    with store(need_dsn(dsn, secrets, configuration)) as connection:
        row = connection.execute("select pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    return str(row[0])


@activity
def restore_point(
    name: str, dsn: str | None = None, configuration: Configuration = None, secrets: Secrets = None
) -> str:
    """Make a named restore point in the running store, before a migration, say. Returns its position.

    It can be restored to (`to: name:...`) once its log segment is archived. Needs a superuser, or `execute` on
    `pg_create_restore_point`.

    Raises:
        ActivityFailed: the store does not answer or does not allow it, or the name is none.
    """
    point = Target.parse(f"{NAME_PREFIX}{name}").name
    with store(need_dsn(dsn, secrets, configuration)) as connection:
        row = connection.execute("select pg_create_restore_point(%s)::text", (point,)).fetchone()
    assert row is not None
    return str(row[0])


@activity
def restore(
    to: str = "latest",
    inclusive: bool = True,  # noqa: FBT001, FBT002 Chaos Toolkit hands arguments by name
    backups: str | None = None,
    archive: str | None = None,
    into: str | None = None,
    jobs: int = 4,
    port: int | None = None,
    system_identifier: str | None = None,
    same_host: bool | None = None,  # noqa: FBT001
    verify: bool = True,  # noqa: FBT001, FBT002
    settings: dict[str, str] | None = None,
    configuration_from: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Restore into a fresh directory, start it there, and wait until it takes reads and its replay has ended.

    After a crash it may simply be called again: what this run completed is used, what it left half done is discarded.

    Args:
        to: `latest`, an ISO 8601 time with its zone, a log position, or `name:POINT`, the newest restore point of that
            name. The newest timeline is followed.
        inclusive: whether what stands exactly at `to` is still replayed; false restores to just before it.
        backups: directory of base backups (plain format, full or incremental); the newest complete one not after `to`
            is taken.
        archive: directory of archived log.
        into: directory in which the fresh one is made.
        jobs: files verified and copied at a time.
        port: TCP port of the restored server; by default a free one.
        system_identifier: refuse a backup of any other system.
        same_host: the backed-up server ran on this machine (its clock is ours); by default so for the lab.
        verify: false skips the backup's files (verified elsewhere, say); the log is looked at all the same.
        settings: further lines of postgresql.conf for the restored server.
        configuration_from: where postgresql.conf and pg_hba.conf lie when the data directory does not hold them.
        dsn: how users connect; the restored server is asked with the same role and database.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Returns:
        `{"drillmark": {...}}`: stamps in monotonic nanoseconds (`data_restored_ns` [last false, first true],
        `verify_ns`, `copy_ns`, `replay_ns`), `bytes`, `wal_bytes`, `backup`, `last_transaction_wall_ns` and
        `last_transaction_ns`, `restored_end_lsn`, `timeline`, `system_identifier`, `data_directory`, `port`.

    Raises:
        ActivityFailed: the backup is damaged, the log has a hole, or the server does not come up; it says which.
    """
    lab = setting(None, configuration, "lab", "DRILLMARK_LAB")
    request = _request(
        to,
        backups,
        archive,
        jobs,
        system_identifier,
        configuration,
        inclusive=inclusive,
        into=path_setting(into, configuration, "clusters", "clusters"),
        dsn=need_dsn(dsn, secrets, configuration),
        port=port,
        same_host=bool(lab) if same_host is None else same_host,
        verify=verify,
        settings=settings or {},
        configuration_from=Path(configuration_from) if configuration_from else None,
    )
    try:
        return restoring.restore(request)
    except (OSError, psycopg.Error) as error:
        raise RecoveryError(f"the restore failed: {error}") from error


@activity
def fence(
    cluster: str | None = None,
    data_directory: str | None = None,
    port: int | None = None,
    mode: str = "fast",
    timeout_seconds: float = 15.0,
    configuration: Configuration = None,
) -> dict[str, Any]:
    """Take the old primary out of service for good: its supervisor held, every process ended, its port refusing.

    Args:
        cluster: the lab's cluster; by default the one that serves.
        data_directory: the old primary's, where it is not the lab's.
        port: its TCP port; by default what its own postmaster.pid says.
        mode: `fast` stops cleanly first, which archives the last log; `immediate` kills at once.
        timeout_seconds: how long a clean stop may take before it is killed.
        configuration: Chaos Toolkit's.

    Raises:
        ActivityFailed: something of it is left.
    """
    if mode not in {"fast", "immediate"}:
        raise RecoveryError(f"not a mode: {mode!r}", hint="fast or immediate")
    old = site.find(configuration, data_directory=data_directory, port=port, cluster=cluster)
    return fencing.fence(old, clean=mode == "fast", timeout_seconds=timeout_seconds)


@activity
def switch_over(
    data_directory: str | None = None,
    into: str | None = None,
    service_file: str | None = None,
    service: str | None = None,
    host: str = "127.0.0.1",
    timeout_seconds: float = 10.0,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Lead users to what was restored, let it archive from now on, and see that new connections arrive there.

    Args:
        data_directory: the restored one; by default the newest that this run completed in `into`.
        into: where restores are made.
        service_file: a libpq service file to rewrite, where it is not the lab's.
        service: its section.
        host: what to write there.
        timeout_seconds: how long new connections may still arrive elsewhere.
        dsn: how users connect; empty: arrival is not looked at.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: nothing complete was restored, or users are not led there.
    """
    place = Path() if data_directory else path_setting(into, configuration, "clusters", "clusters")
    directory, port = marker.restored(data_directory, place)
    answer = (
        switching.by_service_file(Path(service_file), service or "", directory, host, port)
        if service_file
        else switching.in_lab(site.control_of(configuration), directory, port)
    )
    users = dsn_setting(dsn, secrets, configuration)
    if users:
        switching.wait_until_led_there(users, port, timeout_seconds)
    return answer


@activity
def discard_unserved(into: str | None = None, configuration: Configuration = None) -> list[str]:
    """Take away what this run restored and nobody serves from. Without a run it does nothing. For `rollbacks`.

    Raises:
        ActivityFailed: something of it does not end, or cannot be removed.
    """
    return discarding.unserved(path_setting(into, configuration, "clusters", "clusters"), configuration)


def _request(
    to: str,
    backups: str | None,
    archive: str | None,
    jobs: int,
    system_identifier: str | None,
    configuration: Configuration,
    *,
    inclusive: bool = True,
    into: Path | None = None,
    **more: Any,
) -> Request:
    return Request(
        backups=path_setting(backups, configuration, "backups", "backups"),
        archive=path_setting(archive, configuration, "archive", "archive"),
        into=into or Path(),
        target=Target.parse(to, inclusive=inclusive),
        dsn=more.pop("dsn", ""),
        jobs=jobs,
        system_identifier=system_identifier or "",
        **more,
    )
