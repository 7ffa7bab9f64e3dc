"""Makes the lab's first cluster: initdb, settings, roles, the orders table filled to the wanted size.

The load runs without WAL and without syncs (nothing of it can be lost but the lab itself, which is then made
again); from then on the cluster is durable. Must never run on a directory that exists.
"""

from __future__ import annotations

import secrets
import shlex
import shutil
import sys
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from drillmark import files, postgres
from drillmark.errors import LabError
from drillmark.lab import archive_wal
from drillmark.lab.layout import (
    ADMIN_ROLE,
    APPLICATION_ROLE,
    DATABASE,
    Layout,
)

ROW_BYTES = 1024
MINIMUM_ROWS = 1000
_PADDING_BYTES = 832  # with the other columns and the row's head, a row takes ROW_BYTES
_HBA = """\
host all         all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""
_LOADING: dict[str, str | int] = {
    "archive_mode": "off",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "maintenance_work_mem": "64MB",
}


def make_cluster(layout: Layout, data_directory: Path, *, scale_bytes: int) -> None:
    """Make the cluster with its roles and data, stopped at the end. Writes the password file too.

    Raises:
        LabError: a PostgreSQL program failed.
        psycopg.Error: the server refused a statement.
    """
    passwords = {ADMIN_ROLE: secrets.token_urlsafe(24), APPLICATION_ROLE: secrets.token_urlsafe(24)}
    _check_reach(layout.directory)
    shutil.copyfile(archive_wal.__file__, layout.archiver)
    postgres.hand_over(layout.archiver)
    lines = [f"*:*:*:{role}:{password}\n" for role, password in passwords.items()]
    files.write_durably(layout.password_file, "".join(lines))
    postgres.hand_over(layout.password_file)
    _initdb(layout, data_directory, passwords[ADMIN_ROLE])
    port = postgres.free_port()
    log = layout.logs / "create.log"
    try:
        postgres.start(data_directory, options={**_LOADING, "port": port}, log=log)
        _fill(port, passwords, scale_bytes)
    finally:
        postgres.stop(data_directory, "fast")


def _check_reach(directory: Path) -> None:
    if postgres.run(["test", "-w", directory], timeout_seconds=20, check=False).returncode != 0:
        raise LabError(
            f"the user who runs PostgreSQL cannot reach {directory}",
            hint="Run drillmark as an ordinary user, or put the lab where every folder above it lets others through.",
            code="postgres-as-root",
        )


def _initdb(layout: Layout, data_directory: Path, password: str) -> None:
    secret = layout.clusters / ".password"
    files.write_durably(secret, password + "\n")
    postgres.hand_over(secret)
    try:
        postgres.run(
            [
                postgres.binary("initdb"),
                *("-D", data_directory, "--data-checksums", "--no-sync", "--no-instructions"),
                *("--username", ADMIN_ROLE, "--pwfile", secret, "--auth", "scram-sha-256"),
                *("--locale", "C", "--encoding", "UTF8", "--wal-segsize", "4"),
            ],
            timeout_seconds=120,
        )
    finally:
        secret.unlink()
    for name, text in (("pg_hba.conf", _HBA), ("postgresql.conf", settings(layout))):
        files.write_durably(data_directory / name, text)
        postgres.hand_over(data_directory / name)


def settings(layout: Layout) -> str:
    """The lab's `postgresql.conf`; the port alone comes with the command line."""
    words = [_interpreter(), "-I", "-S", str(layout.archiver)]
    # PostgreSQL itself puts the paths in; a percent sign in ours must be doubled for it.
    script = shlex.join(words).replace("%", "%%")
    target = shlex.quote(str(layout.archive)).replace("%", "%%")
    values: dict[str, str | int] = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 80,
        "shared_buffers": "32MB",
        "huge_pages": "off",
        "dynamic_shared_memory_type": "mmap",
        "io_method": "sync",
        "max_wal_size": "256MB",
        "min_wal_size": "32MB",
        "wal_level": "replica",
        "max_wal_senders": 6,
        "archive_mode": "on",
        "archive_command": f'{script} "%p" {target}/%f',
        "archive_timeout": "5s",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
    }
    quoted = {name: str(value).replace("'", "''") for name, value in values.items()}
    return "".join(f"{name} = '{value}'\n" for name, value in quoted.items())


def _interpreter() -> str:
    # Another user's server may not reach root's own interpreter; any Python will do for the archive command.
    for program in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        # Through a shell, as the server does it: a first exec still has root's way through root's folders.
        argv: list[str | Path] = ["sh", "-c", '"$0" -I -S -c ""', program]
        if Path(program).exists() and postgres.run(argv, timeout_seconds=20, check=False).returncode == 0:
            return program
    raise LabError(
        f"the user who runs PostgreSQL cannot run {sys.executable}",
        hint="Run drillmark as an ordinary user, or let everybody read and run that interpreter.",
        code="postgres-as-root",
    )


def _fill(port: int, passwords: dict[str, str], scale_bytes: int) -> None:
    login = make_conninfo(host="127.0.0.1", port=port, user=ADMIN_ROLE, password=passwords[ADMIN_ROLE])
    role, database = sql.Identifier(APPLICATION_ROLE), sql.Identifier(DATABASE)
    with psycopg.connect(login, dbname="postgres", autocommit=True) as connection:
        create = sql.SQL("create role {} login password {}")
        connection.execute(create.format(role, sql.Literal(passwords[APPLICATION_ROLE])))
        connection.execute(sql.SQL("create database {} owner {}").format(database, role))
    rows = max(MINIMUM_ROWS, scale_bytes // ROW_BYTES)
    with psycopg.connect(login, dbname=DATABASE) as connection:
        connection.execute(sql.SQL("grant pg_monitor to {}").format(role))
        connection.execute(sql.SQL("grant execute on function pg_switch_wal() to {}").format(role))
        connection.execute(sql.SQL("set role {}").format(role))
        connection.execute(_TABLE)
        connection.execute(_MARKERS)
        # In the transaction that made the table, with wal_level=minimal, rows need no WAL.
        connection.execute(_ROWS, {"rows": rows, "repeats": _PADDING_BYTES // 32})
        connection.execute("alter table orders add primary key (id)")
        connection.execute("select setval(pg_get_serial_sequence('orders', 'id'), %s)", (rows,))
    with psycopg.connect(login, dbname=DATABASE, autocommit=True) as connection:
        connection.execute("vacuum (freeze, analyze) orders")


_TABLE = """
create table orders (
    id bigint generated by default as identity not null,
    customer text not null,
    item text not null,
    quantity int not null check (quantity > 0),
    price numeric(12, 2) not null check (price >= 0),
    created_at timestamptz not null default clock_timestamp(),
    padding text not null default ''
)
"""
# Markers that drills write through the order service.
_MARKERS = "create table service_markers (run text, id bigint, write bigint not null, primary key (run, id))"
_ROWS = """
insert into orders (id, customer, item, quantity, price, created_at, padding)
select n, 'customer-' || n %% 997, 'item-' || n %% 89, 1 + n %% 9, (n %% 10000) / 100.0,
       clock_timestamp() - make_interval(secs => %(rows)s - n), repeat(md5(n::text), %(repeats)s)
from generate_series(1, %(rows)s) as n
"""
