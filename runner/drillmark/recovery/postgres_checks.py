"""Checks of a restored PostgreSQL before users are led there, for `recover` or `verify`: what its bytes are worth.

`recovery.probes` tells whether it is the right data; this tells whether all of it can be read. Ordinary Chaos Toolkit
functions. Must never stop a server that users are led to.
"""

from __future__ import annotations

from pathlib import Path

from drillmark import clock, postgres, site
from drillmark.errors import LabError, RecoveryError
from drillmark.recovery import libpq, marker, server
from drillmark.recovery.activity import Configuration, Secrets, activity, logger, need_dsn, path_setting
from drillmark.recovery.connecting import store
from drillmark.recovery.launching import bring_up

__all__ = ["checksums_good", "indexes_good", "reads_whole"]

_STOP_SECONDS = 300.0
_START_SECONDS = 600.0
_READ_SECONDS = 24 * 3600.0


@activity
def checksums_good(
    data_directory: str | None = None,
    into: str | None = None,
    configuration: Configuration = None,
) -> bool:
    """Whether every page's checksum is right, by `pg_checksums`: between restore and switch-over.

    The program wants a server that was shut down cleanly, which a base backup never was. So the restored server, whose
    replay has ended and which nobody uses yet, is stopped, looked at, and started again.

    Args:
        data_directory: the restored one; by default the newest that this run completed in `into`.
        into: where restores are made.
        configuration: Chaos Toolkit's.

    Raises:
        ActivityFailed: a page is damaged, the cluster has no checksums, users are led there, or nothing was restored.
    """
    directory, port = marker.restored(data_directory, _place(data_directory, into, configuration))
    control = site.control_of(configuration)
    if control and site.status(control)["primary"] == directory.name:
        raise RecoveryError(
            f"users are led to {directory.name}: it is not stopped", hint="put this check before `switch_over`"
        )
    if not postgres.stop(directory, "fast", timeout_seconds=_STOP_SECONDS):
        raise RecoveryError(f"the restored server in {directory} does not stop")
    try:
        argv: list[str | Path] = [postgres.binary("pg_checksums"), "--check", "-D", directory]
        said = postgres.run(argv, timeout_seconds=_READ_SECONDS)
    except LabError as error:
        raise RecoveryError(f"the pages of {directory} are not good: {error}") from error
    finally:
        bring_up(directory, port=port, log=directory.with_name(directory.name + ".log"), timeout_seconds=_START_SECONDS)
    logger.info("%s", " ".join(said.stdout.split()))
    return True


@activity
def reads_whole(
    restored: bool = False,  # noqa: FBT001, FBT002 Chaos Toolkit hands arguments by name
    data_directory: str | None = None,
    into: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """Whether every row of the database can be read: `pg_dump` to nowhere.

    Args:
        restored: look at what this run restored, although users are not led there yet; else at where `dsn` leads.
        data_directory: the restored one; by default the newest that this run completed in `into`.
        into: where restores are made.
        dsn: how users connect. The role must be allowed to read every table.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: something cannot be read; the text is pg_dump's own.
    """
    users = need_dsn(dsn, secrets, configuration)
    if restored or data_directory:
        users = _led(users, data_directory, into, configuration)
    begun_ns = clock.monotonic_ns()
    libpq.run(
        "pg_dump",
        "--format=custom",
        "--compress=0",
        "--no-sync",
        "--no-password",
        "--file=/dev/null",
        "-d",
        "{dsn}",
        dsn=users,
    )
    logger.info("every row was read in %.1f s", (clock.monotonic_ns() - begun_ns) / 1e9)
    return True


@activity
def indexes_good(
    restored: bool = False,  # noqa: FBT001, FBT002
    data_directory: str | None = None,
    into: str | None = None,
    heap_all_indexed: bool = True,  # noqa: FBT001, FBT002
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """Whether tables and indexes agree, by `pg_amcheck`. Needs a superuser, and the extension amcheck on the server.

    Args:
        restored: look at what this run restored, although users are not led there yet; else at where `dsn` leads.
        data_directory: the restored one; by default the newest that this run completed in `into`.
        into: where restores are made.
        heap_all_indexed: also look whether every row is in every index.
        dsn: how to connect, as a superuser.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: something is corrupt, or the server has no amcheck: an unrun check is no good news.
    """
    users = need_dsn(dsn, secrets, configuration)
    if restored or data_directory:
        users = _led(users, data_directory, into, configuration)
    with store(users) as connection:
        row = connection.execute("select count(*) from pg_available_extensions where name = 'amcheck'").fetchone()
    if row is None or not row[0]:
        raise RecoveryError(
            "the server has no amcheck: its indexes were not looked at",
            hint="install PostgreSQL's contrib modules, or take this check out of the drill",
        )
    options = ["--install-missing", "--no-password", *(["--heapallindexed"] if heap_all_indexed else [])]
    libpq.run("pg_amcheck", *options, "{dsn}", dsn=users)
    return True


def _led(users: str, data_directory: str | None, into: str | None, configuration: Configuration) -> str:
    directory, _ = marker.restored(data_directory, _place(data_directory, into, configuration))
    # A service would say where it leads to once more, and so undo what is laid over it.
    return server.address(directory, users)


def _place(data_directory: str | None, into: str | None, configuration: Configuration) -> Path:
    return Path() if data_directory else path_setting(into, configuration, "clusters", "clusters")
