"""PostgreSQL, restored from a logical backup: `pg_dump -Fd`, loaded in parallel into a fresh cluster.

Ordinary Chaos Toolkit functions. `fence`, `switch_over` and `discard_unserved` are `postgres_pitr`'s. A loaded cluster
is another system with the same data: the target needs an `identity` probe of its own. With `source`, as listed by
`list_source`, a simulated disaster is restored to the side; `postgres_side.discard` takes that copy away.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from drillmark import clock, postgres
from drillmark.errors import RecoveryError
from drillmark.recovery import dumps, frozen_dump, loading, marker, point
from drillmark.recovery.activity import (
    Configuration,
    Secrets,
    activity,
    logger,
    need_dsn,
    path_setting,
)
from drillmark.recovery.frozen_dump import FrozenDump
from drillmark.recovery.launching import bring_up
from drillmark.recovery.progress import Progress
from drillmark.recovery.target import iso

__all__ = ["dump", "is_restorable", "last_restorable_point", "list_source", "restore"]

_START_SECONDS = 600.0
# A copy beside the system that it was copied from: it archives nothing, waits for no standby, and has no socket.
_APART = {"unix_socket_directories": "", "external_pid_file": "", "synchronous_standby_names": ""}


@activity
def dump(
    dumps: str | None = None,
    jobs: int = 4,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> str:
    """Take a dump of the database that `dsn` leads to, with its server's roles. Returns its directory.

    Needs a role that may read all of it and the roles' passwords: a superuser, as `pg_dumpall` does.

    Args:
        dumps: directory in which it is made; `postgres_dumps` of the configuration, or the lab's `dumps`.
        jobs: tables dumped at a time.
        dsn: how to connect.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: pg_dump failed; nothing half done counts.
    """
    taken = _take(path_setting(dumps, configuration, "dumps", "dumps"), need_dsn(dsn, secrets, configuration), jobs)
    logger.info("dumped %s, %d bytes, as of %s", taken.database, taken.bytes, iso(taken.taken_wall_ns))
    return str(taken.directory)


@activity
def is_restorable(
    within: str | float = "1d", dumps: str | None = None, jobs: int = 4, configuration: Configuration = None
) -> bool:
    """Whether the newest dump is whole, readable and recent enough. Nothing is restored.

    Raises:
        ActivityFailed: it is not; the text names the file or the age.
    """
    found = _newest(path_setting(dumps, configuration, "dumps", "dumps"), jobs)
    point.need_recent("the newest dump", found.taken_wall_ns, within, hint="are dumps still taken?")
    return True


@activity
def last_restorable_point(dumps: str | None = None, configuration: Configuration = None) -> str:
    """Up to when everything committed would come back, as ISO 8601 in UTC. The dump's files are not verified.

    Raises:
        ActivityFailed: there is no dump.
    """
    return iso(_newest(path_setting(dumps, configuration, "dumps", "dumps"), 0).taken_wall_ns)


@activity
def list_source(listing: str, dumps: str | None = None, configuration: Configuration = None) -> dict[str, Any]:
    """List the newest dump, with its hash: what a restore after a disaster at this moment could use.

    Args:
        listing: the file to write: `${drillmark_source}`.
        dumps: directory of dumps.
        configuration: Chaos Toolkit's.

    Raises:
        ActivityFailed: there is no dump, or the listing cannot be written.
    """
    try:
        return frozen_dump.write(Path(listing), path_setting(dumps, configuration, "dumps", "dumps"))
    except OSError as error:
        raise RecoveryError(f"cannot list the dumps: {error}") from error


@activity
def restore(
    dumps: str | None = None,
    into: str | None = None,
    jobs: int = 4,
    port: int | str | None = None,
    source: str | None = None,
    settings: dict[str, str] | None = None,
    configuration_from: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Load the newest dump into a fresh cluster, and wait until users can read there.

    After a crash it may simply be called again: what this run completed is used, what it left half done is discarded.
    The cluster archives nothing unless `settings` say so: its log is another system's.

    Args:
        dumps: directory of dumps.
        into: directory in which the fresh cluster is made.
        jobs: files verified and tables loaded at a time.
        port: TCP port of the restored server; by default a free one.
        source: the frozen listing, `${drillmark_source}`, for a copy beside the system: the dump that it names is
            loaded. The copy's settings are PostgreSQL's own; who may connect is as in the dump.
        settings: further lines of postgresql.conf for it.
        configuration_from: where postgresql.conf and pg_hba.conf lie; by default those in the dump.
        dsn: how users connect; the restored server is asked with the same role and database.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Returns:
        `{"drillmark": {...}}` as of `postgres_pitr.restore`; there is no replay. With `source` its `source_sha256`.

    Raises:
        ActivityFailed: the dump is damaged, or cannot be loaded.
    """
    run = marker.this_run()
    known = frozen_dump.read(source) if source else None
    place_of_dumps = known.directory.parent if known else path_setting(dumps, configuration, "dumps", "dumps")
    request = {"to": "the newest dump", "dumps": str(place_of_dumps)} | ({"source": known.sha256} if known else {})
    users = need_dsn(dsn, secrets, configuration)
    try:
        home = path_setting(into, configuration, "clusters", "clusters")
        if known:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            postgres.hand_over(home)
        place = marker.place_for(home, run, request)
        found = marker.read(place)
        if found is not None and found.complete and found.report is not None:
            bring_up(place, port=int(found.report["port"]), log=_log(place), timeout_seconds=_START_SECONDS)
            return {"drillmark": found.report}
        if place.exists():
            logger.info("discarding %s, which an earlier attempt left incomplete", place)
            marker.discard(place, run)
        verify_ns = [clock.monotonic_ns()]
        chosen = _chosen(known, place_of_dumps, jobs, Progress.of_environment())
        verify_ns.append(clock.monotonic_ns())
        _right_database(chosen, users)
        place.mkdir(mode=0o700, parents=True)
        mark = marker.Marker(run, marker.this_attempt(), request, chosen.directory.name, clock.boot_id())
        mark.write(place)
        begun_ns = clock.monotonic_ns()
        with _settings_folder(chosen, configuration_from, apart=known is not None) as settings_from:
            loaded = loading.load(
                chosen,
                place,
                dsn=users,
                port=int(port or postgres.free_port()),
                jobs=jobs,
                settings=(_APART if known else {}) | (settings or {}),
                settings_from=settings_from,
            )
        copied_ns = [begun_ns, loaded.first_true_ns]
        report = loading.report_of(chosen, loaded, place, verify_ns, copied_ns) | {"attempt": mark.attempt}
        report |= {"source_sha256": known.sha256} if known else {}
        mark.with_report(report).write(place)
    except (OSError, ValueError, psycopg.Error) as error:
        raise RecoveryError(f"the restore failed: {error}") from error
    return {"drillmark": report}


def _take(into: Path, dsn: str, jobs: int) -> dumps.Dump:
    return dumps.take(into, dsn, jobs=jobs)


def _chosen(known: FrozenDump | None, place: Path, jobs: int, progress: Progress) -> dumps.Dump:
    """The dump to load, verified: the one that was listed, or the newest."""
    if known is None:
        return _newest(place, jobs, progress)
    found = frozen_dump.dump_of(known)
    dumps.verify(found, jobs=jobs, progress=progress)
    return found


@contextmanager
def _settings_folder(dump: dumps.Dump, given: str | None, *, apart: bool) -> Generator[Path | None]:
    """Where the server's files are taken from; None: all that is in the dump.

    For a copy apart only who may connect: paths, memory and archive are the original's.
    """
    if given or not apart:
        yield Path(given) if given else None
        return
    with tempfile.TemporaryDirectory(prefix="drillmark-settings-") as folder:
        rules = dump.directory / "pg_hba.conf"
        if rules.is_file():
            (Path(folder) / rules.name).write_bytes(rules.read_bytes())
        yield Path(folder)


def _newest(place: Path, jobs: int, progress: Progress | None = None) -> dumps.Dump:
    """The newest dump, verified where `jobs` are given."""
    found = dumps.newest(place)
    if jobs:
        dumps.verify(found, jobs=jobs, progress=progress or Progress(None))
    return found


def _right_database(dump: dumps.Dump, users: str) -> None:
    wanted = dumps.database_of(users)
    if wanted and wanted != dump.database:
        raise RecoveryError(f"dump {dump.directory} is of database {dump.database}; users connect to {wanted}")


def _log(place: Path) -> Path:
    return place.with_name(place.name + ".log")
