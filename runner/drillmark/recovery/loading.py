"""A dump becomes a server: a fresh cluster, the roles, the database loaded in parallel, the settings put back.

Into a fresh directory, never over anything. Must never let anybody in by the dump's own rules before the load is over.
"""

from __future__ import annotations

import os
import secrets as randomness
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from drillmark import clock, files, postgres
from drillmark.errors import RecoveryError
from drillmark.recovery import dumps, libpq, server
from drillmark.recovery.connecting import connect, system_of
from drillmark.recovery.dumps import Dump
from drillmark.recovery.launching import bring_up

_INITDB_SECONDS = 300.0
_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """How the load ended: between the two instants the store began to take reads with all data there."""

    last_false_ns: int
    first_true_ns: int
    port: int
    system_identifier: str


def load(
    dump: Dump, place: Path, *, dsn: str, port: int, jobs: int, settings: dict[str, str], settings_from: Path | None
) -> Loaded:
    """Make a cluster in the directory `place`, load the dump, and leave the server running there.

    Raises RecoveryError, LabError (one of PostgreSQL's programs failed) or OSError.
    """
    password = randomness.token_urlsafe(24)
    _initdb(dump, place, password)
    _settings(dump, place, settings, settings_from)
    first, last = dumps.roles(dump)
    log = place.with_name(place.name + ".log")
    bring_up(place, port=port, log=log, timeout_seconds=_START_SECONDS)
    admin = make_conninfo(host="127.0.0.1", port=port, user=dump.bootstrap, password=password, dbname="postgres")
    _script(admin, first)
    with connect(admin) as connection:
        make = sql.SQL("create database {} template template0 encoding {} locale_provider libc locale {}")
        if dump.database != "postgres":
            named = (sql.Identifier(dump.database), sql.Literal(dump.encoding), sql.Literal(dump.collation))
            connection.execute(make.format(*named))
        identifier = system_of(connection)
    data = dump.directory / dumps.DATA
    # Its own owner and rights: `--create` would also set what `alter database` had set.
    last_false_ns = clock.monotonic_ns()
    users = make_conninfo(admin, dbname=dump.database)
    libpq.run("pg_restore", f"--jobs={jobs}", "--exit-on-error", "--no-password", "-d", "{dsn}", data, dsn=users)
    with connect(users) as connection:
        connection.execute("analyze")
    _script(admin, last)
    _let_in(dump, place, settings_from)
    first_true_ns = _takes_reads(place, dsn)
    return Loaded(last_false_ns, first_true_ns, port, identifier)


def _initdb(dump: Dump, place: Path, password: str) -> None:
    with tempfile.TemporaryDirectory(prefix="drillmark-initdb-") as folder:
        secret = Path(folder) / "password"
        files.write_durably(secret, password + "\n")
        Path(folder).chmod(0o755)  # the user who runs PostgreSQL reads the file, which is his alone
        postgres.hand_over(secret)
        postgres.hand_over(place)
        fresh = place / ".fresh"
        argv: list[str | Path] = [postgres.binary("initdb"), "-D", fresh, "--no-sync", "--no-instructions"]
        argv += ["--data-checksums", "--auth=scram-sha-256", f"--username={dump.bootstrap}", "--pwfile", secret]
        argv += [f"--encoding={dump.encoding}", f"--locale={dump.collation}"]
        argv += [f"--wal-segsize={dump.segment_bytes >> 20}"]
        postgres.run(argv, timeout_seconds=_INITDB_SECONDS)
    for entry in list(fresh.iterdir()):
        entry.rename(place / entry.name)
    fresh.rmdir()


def _settings(dump: Dump, place: Path, settings: dict[str, str], settings_from: Path | None) -> None:
    text = _server_file(dump, "postgresql.conf", settings_from)
    if text is not None:
        (place / "postgresql.conf").write_text(text, encoding="utf-8")
    # A foreign cluster must not archive where the old one's log lies: its backups would no longer be of any use.
    values = {"archive_mode": "off", "listen_addresses": "127.0.0.1", **settings}
    quoted = {name: str(value).replace("'", "''") for name, value in values.items()}
    auto = place / server.AUTO
    auto.write_text("".join(f"{name} = '{value}'\n" for name, value in quoted.items()), encoding="utf-8")
    postgres.hand_over(place)


def _let_in(dump: Dump, place: Path, settings_from: Path | None) -> None:
    rules = _server_file(dump, "pg_hba.conf", settings_from)
    if rules is not None:
        files.write_durably(place / "pg_hba.conf", rules)
        postgres.hand_over(place / "pg_hba.conf")
    head = postgres.postmaster(place)
    if head is None:
        raise RecoveryError("the restored server ended before users could be let in")
    os.kill(head.pid, signal.SIGHUP)


def _server_file(dump: Dump, name: str, settings_from: Path | None) -> str | None:
    path = (settings_from or dump.directory) / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _script(admin: str, text: str) -> None:
    # By psql, as pg_dumpall writes for it (\restrict and the like).
    with tempfile.TemporaryDirectory(prefix="drillmark-roles-") as folder:
        path = Path(folder) / "roles.sql"
        files.write_durably(path, text)
        Path(folder).chmod(0o755)
        postgres.hand_over(path)
        libpq.run("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", path, "-d", "{dsn}", dsn=admin)


def _takes_reads(place: Path, dsn: str) -> int:
    """When users could read: asked as they connect, until the new rules count."""
    give_up_ns = clock.monotonic_ns() + round(_START_SECONDS * 1e9)
    while True:
        try:
            with connect(server.address(place, dsn)) as connection:
                connection.execute("select 1")
            return clock.monotonic_ns()
        except psycopg.OperationalError as error:
            if clock.monotonic_ns() > give_up_ns:
                raise RecoveryError(f"the restored server does not let users in: {error}") from error


def report_of(dump: Dump, loaded: Loaded, place: Path, verify_ns: list[int], copy_ns: list[int]) -> dict[str, Any]:
    """What the restore says of itself, in the words of `postgres_pitr.restore`."""
    return {
        "data_restored_ns": [loaded.last_false_ns, loaded.first_true_ns],
        "verify_ns": verify_ns,
        "copy_ns": copy_ns,
        "bytes": dump.bytes,
        "backup": dump.directory.name,
        "verified": True,
        "last_transaction_wall_ns": dump.taken_wall_ns,
        "last_transaction_ns": None,
        "system_identifier": loaded.system_identifier,
        "data_directory": str(place),
        "port": loaded.port,
    }
