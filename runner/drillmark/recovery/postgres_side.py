"""PostgreSQL restored to the side: a copy in a directory and on a port of its own, beside a production that goes on.

Ordinary Chaos Toolkit functions for simulated disasters. Must never touch the server, the backups or the archive of
production: the copy archives nothing, and reads only what was in the backup store when the disaster was declared.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg

from drillmark import postgres
from drillmark.errors import RecoveryError
from drillmark.recovery import frozen, marker, restoring
from drillmark.recovery.activity import (
    Configuration,
    Secrets,
    activity,
    logger,
    need_dsn,
    path_setting,
    setting,
)
from drillmark.recovery.restoring import Request
from drillmark.recovery.target import Target

__all__ = ["discard", "list_source", "restore"]

_CACHE = "source-hashes.json"
# What a copy must not share with the server that it was copied from, whatever that one's settings say.
_APART = {"archive_mode": "off", "external_pid_file": "", "synchronous_standby_names": ""}


@activity
def list_source(
    listing: str,
    backups: str | None = None,
    archive: str | None = None,
    configuration: Configuration = None,
) -> dict[str, Any]:
    """List what is in the backup store now, with hashes: what a restore after a disaster at this moment could use.

    Asked twice by a simulated disaster: early, so that what is there is hashed, and at the declaration.

    Args:
        listing: the file to write: `${drillmark_source}`.
        backups: directory of base backups.
        archive: directory of archived log.
        configuration: Chaos Toolkit's.

    Raises:
        ActivityFailed: the store cannot be read, or the listing cannot be written.
    """
    folder = os.environ.get("DRILLMARK_RUN_DIR")
    try:
        return frozen.write(
            Path(listing),
            path_setting(backups, configuration, "backups", "backups"),
            path_setting(archive, configuration, "archive", "archive"),
            cache=Path(folder) / _CACHE if folder else None,
        )
    except OSError as error:
        raise RecoveryError(f"cannot list the backup store: {error}") from error


@activity
def restore(
    source: str,
    port: int | str,
    to: str = "latest",
    inclusive: bool = True,  # noqa: FBT001, FBT002 Chaos Toolkit hands arguments by name
    into: str | None = None,
    jobs: int = 4,
    system_identifier: str | None = None,
    same_host: bool | None = None,  # noqa: FBT001
    verify: bool = True,  # noqa: FBT001, FBT002
    settings: dict[str, str] | None = None,
    configuration_from: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Restore a copy from a frozen listing into a fresh directory, start it on its own port, wait for its replay's end.

    After a crash it may simply be called again, as `postgres_pitr.restore`, whose arguments these are.

    Args:
        source: the frozen listing: `${drillmark_source}`.
        port: TCP port of the copy, where the target's `side` probes ask.
        to: `latest`, an ISO 8601 time with its zone, or a log position.
        inclusive: whether what stands exactly at `to` is still replayed.
        into: directory in which the copy is made.
        jobs: files verified and copied at a time.
        system_identifier: refuse a backup of any other system.
        same_host: the backed-up server ran on this machine; by default so for the lab.
        verify: false skips the backup's files; the log is looked at all the same.
        settings: further lines of postgresql.conf for the copy (less memory, say).
        configuration_from: where postgresql.conf and pg_hba.conf lie when the data directory does not hold them.
        dsn: how users connect; the copy is asked with the same role and database.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Returns:
        What `postgres_pitr.restore` returns, and `source_sha256`: of the listing that was used.

    Raises:
        ActivityFailed: something listed is another one by now, the backup is damaged, the log has a hole, or the
            server does not come up; it says which.
    """
    side = path_setting(into, configuration, "side", "side")
    lab = setting(None, configuration, "lab", "DRILLMARK_LAB")
    known = frozen.read(source)
    try:
        side.mkdir(mode=0o700, parents=True, exist_ok=True)
        postgres.hand_over(side)
        view = frozen.lay_out(known, side)
        request = Request(
            backups=view / "backups",
            archive=view / "archive",
            into=side,
            target=Target.parse(to, inclusive=inclusive),
            dsn=need_dsn(dsn, secrets, configuration),
            jobs=jobs,
            port=int(port),
            system_identifier=system_identifier or "",
            same_host=bool(lab) if same_host is None else same_host,
            verify=verify,
            settings=_APART | (settings or {}),
            configuration_from=Path(configuration_from) if configuration_from else None,
            approve=lambda log: frozen.check_log(known, view, log.files),
        )
        report = restoring.restore(request)["drillmark"]
    except (OSError, ValueError, psycopg.Error) as error:
        raise RecoveryError(f"the restore to the side failed: {error}") from error
    return {"drillmark": report | {"source_sha256": known.sha256}}


@activity
def discard(into: str | None = None, configuration: Configuration = None) -> list[str]:
    """Take away every copy that this run has restored to the side: its processes, its directory, its log.

    May be called again, and where nothing was restored. Without a run it does nothing.

    Raises:
        ActivityFailed: something of it does not end, or cannot be removed.
    """
    run = marker.this_run()
    side = path_setting(into, configuration, "side", "side")
    gone: list[str] = []
    try:
        for place in sorted(side.glob(f"restored-{run}*")) if run else []:
            if place.is_dir():
                _discard(place, run)
                gone.append(place.name)
        for log in side.glob(f"restored-{run}*.log") if run else []:
            log.unlink(missing_ok=True)
        if run:
            frozen.remove(frozen.view_of(side))
    except OSError as error:
        raise RecoveryError(f"the copy in {side} cannot be taken away: {error}") from error
    if gone:
        logger.info("took away %s", ", ".join(gone))
    return gone


def _discard(place: Path, run: str | None) -> None:
    if marker.read(place) is None and not [entry for entry in place.iterdir() if not entry.name.endswith(".tmp")]:
        # Cut short between its making and its marker: nothing was copied yet.
        for entry in place.iterdir():
            entry.unlink()
        place.rmdir()
        return
    marker.discard(place, run)
