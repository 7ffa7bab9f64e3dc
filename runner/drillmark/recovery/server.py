"""A restored data directory becomes a server: its recovery settings, its start, its replay watched to the end.

Must never listen on a port that another server has, and never archive before a switch-over: a restored copy
that nobody serves from would leave a foreign timeline in the archive of the one that does.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from drillmark import clock, files, postgres
from drillmark.errors import RecoveryError
from drillmark.processes import ProcessIdentity, is_alive
from drillmark.recovery.connecting import connect
from drillmark.recovery.launching import last_words
from drillmark.recovery.progress import Progress
from drillmark.recovery.target import Target

AUTO = "postgresql.auto.conf"
_FOR_NOW = " # drillmark: until the switch-over"
_WITHHELD = "archive_command = ''" + _FOR_NOW
# One call that syncs the file system, in place of one for each of a thousand files, which can take seconds.
_QUICK_SYNC = "recovery_init_sync_method = 'syncfs'" + _FOR_NOW
_FIRST_WITH_SYNCFS = 14
# Settings that an earlier restore, or the server that was backed up, may have left in the file.
_OURS = {"restore_command", "archive_cleanup_command", "recovery_end_command", "primary_conninfo", "primary_slot_name"}
_POLL_SECONDS = 0.02
_REFUSED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """How the replay ended.

    Attributes:
        last_false_ns, first_true_ns: between them the store began to take reads with its replay ended.
        last_transaction_wall_ns: when the last transaction that was replayed was committed; None: there was none.
        end: log position up to which was replayed.
    """

    last_false_ns: int
    first_true_ns: int
    last_transaction_wall_ns: int | None
    end: int
    timeline: int
    host: str
    port: int


def prepare(directory: Path, archive: Path, target: Target, settings: dict[str, str]) -> None:
    """Write the recovery settings and `recovery.signal`. Raises OSError."""
    values = {"restore_command": f'cp {_for_command(archive)}/%f "%p"', **target.settings, **settings}
    auto = directory / AUTO
    kept = [line for line in _lines(auto) if _setting_of(line) not in values and _setting_of(line) not in _OURS]
    kept = [line for line in kept if not line.endswith(_FOR_NOW)]
    body = [*kept, *(f"{name} = '{_quoted(value)}'" for name, value in values.items()), _WITHHELD]
    if sys.platform == "linux" and _version(directory) >= _FIRST_WITH_SYNCFS:
        body.append(_QUICK_SYNC)
    # Not synced here: PostgreSQL syncs the whole directory before it replays.
    auto.touch(mode=0o600)
    auto.write_text("\n".join(body) + "\n", encoding="utf-8")
    (directory / "standby.signal").unlink(missing_ok=True)
    (directory / "recovery.signal").touch(mode=0o600)


def archive_again(directory: Path) -> bool:
    """Let a restored server archive as its own settings say. Returns whether that was withheld until now."""
    auto = directory / AUTO
    lines = _lines(auto)
    if _WITHHELD not in lines:
        return False
    files.write_durably(auto, "\n".join(line for line in lines if not line.endswith(_FOR_NOW)) + "\n")
    postgres.hand_over(auto)
    head = postgres.postmaster(directory)
    if head is not None:
        os.kill(head.pid, signal.SIGHUP)
    return True


def replay(directory: Path, server: ProcessIdentity, dsn: str, log: Path, start: int, progress: Progress) -> Replayed:
    """Watch a server that was just begun until it takes reads and its replay has ended.

    Looks every 20 ms: at what the postmaster says of itself, and once it takes connections at
    `pg_is_in_recovery()`. Raises RecoveryError, with the server's own words, where it ends or refuses us.
    """
    last_false_ns = clock.monotonic_ns()
    refused_since_ns: int | None = None
    connection: psycopg.Connection[Any] | None = None
    try:
        while True:
            asked_ns = clock.monotonic_ns()
            if not is_alive(server):
                raise RecoveryError(f"the restored server ended in its replay: {last_words(log)}")
            try:
                if connection is None and postgres.postmaster_state(directory) == "ready":
                    connection = connect(address(directory, dsn))
                found = None if connection is None else _look(connection, start, progress)
                refused_since_ns = None
            except psycopg.OperationalError as error:
                # It is about to end, and then says why; or it does not want us, and goes on.
                connection, found = None, None
                refused_since_ns = refused_since_ns or asked_ns
                if asked_ns - refused_since_ns > _REFUSED_SECONDS * 1e9:
                    raise RecoveryError(f"the restored server refuses us: {error}") from error
            if found is not None:
                return Replayed(last_false_ns, clock.monotonic_ns(), *found, *_host_and_port(directory))
            last_false_ns = asked_ns
            time.sleep(_POLL_SECONDS)
    finally:
        if connection is not None:
            connection.close()


def address(directory: Path, dsn: str) -> str:
    """The user's own connection string, led to the server of this directory."""
    host, port = _host_and_port(directory)
    return make_conninfo(dsn, host=host, port=port)


def _look(connection: psycopg.Connection[Any], start: int, progress: Progress) -> tuple[int | None, int, int] | None:
    row = connection.execute(
        "select pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::bigint"
    ).fetchone()
    assert row is not None
    progress.at(max(0, int(row[1]) - start))
    if row[0]:
        return None
    row = connection.execute(_AT_THE_END).fetchone()
    assert row is not None
    last, end, file = row
    return (None if last is None else int(last) * 1000, int(end), int(file[:8], 16))


_AT_THE_END = """
select (extract(epoch from pg_last_xact_replay_timestamp()) * 1000000)::bigint,
       (coalesce(pg_last_wal_replay_lsn(), pg_current_wal_lsn()) - '0/0')::bigint,
       pg_walfile_name(pg_current_wal_lsn())
"""


def _host_and_port(directory: Path) -> tuple[str, int]:
    # postmaster.pid: pid, directory, start, port, socket directory, listen address, ...
    lines = _lines(directory / "postmaster.pid")
    try:
        port, sockets, listens = int(lines[3]), lines[4].strip(), lines[5].strip()
    except (IndexError, ValueError) as error:
        raise RecoveryError(f"no server is running in {directory}") from error
    everywhere = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 compared, not bound
    return everywhere.get(listens, listens) or sockets, port


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _version(directory: Path) -> int:
    major = "".join(_lines(directory / "PG_VERSION")).partition(".")[0]
    return int(major) if major.isdigit() else 0


def _setting_of(line: str) -> str:
    return line.split("=", 1)[0].strip().lower()


def _quoted(value: str) -> str:
    return value.replace("'", "''")


def _for_command(path: Path) -> str:
    # First for the shell, then for PostgreSQL, to which a percent sign means something.
    return shlex.quote(str(path)).replace("%", "%%")
