"""Logical backups as directories: taken by `pg_dump -Fd`, described, verified, chosen.

A dump counts when its description is there, which is written last. Must never call one good whose files it has not
looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from psycopg.conninfo import conninfo_to_dict

from drillmark import files, postgres, processes
from drillmark.errors import RecoveryError
from drillmark.recovery import libpq
from drillmark.recovery.connecting import store
from drillmark.recovery.progress import Progress

FORMAT = "drillmark.dump/1"
DESCRIPTION = "drillmark-dump.json"
DATA, GLOBALS = "data", "globals.sql"
SERVER_FILES = ("postgresql.conf", "pg_hba.conf")
_CHUNK_BYTES = 1 << 20
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Dump:
    """One complete dump.

    Attributes:
        taken_wall_ns: the store's own time just before the dump's snapshot: all that was committed by then is in it.
        bootstrap: the role that initdb made there.
        segment_bytes: of its log; settings that go with another one would not let a server start.
        files: path inside the directory -> (bytes, SHA-256).
    """

    directory: Path
    taken_wall_ns: int
    database: str
    encoding: str
    collation: str
    bootstrap: str
    system_identifier: str
    server_version: int
    segment_bytes: int
    files: dict[str, tuple[int, str]]

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(size for size, _ in self.files.values())


def take(into: Path, dsn: str, *, jobs: int) -> Dump:
    """Dump the database that `dsn` leads to, with the roles of its server and, where it may be read, its settings.

    Raises RecoveryError; nothing half done then counts, and it is taken away by the next one.
    """
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear_leftovers(into)
    draft = into / f".new-{os.getpid()}"
    draft.mkdir(mode=0o700)
    postgres.hand_over(draft)
    try:
        with store(dsn) as connection:
            row = connection.execute(_FACTS).fetchone()
            assert row is not None
            settings = {name: _server_file(connection, name) for name in SERVER_FILES} if row[6] else {}
        libpq.run("pg_dump", "-Fd", f"--jobs={jobs}", "--no-password", "-f", draft / DATA, "-d", "{dsn}", dsn=dsn)
        roles = libpq.run("pg_dumpall", "--globals-only", "--no-password", "-d", "{dsn}", dsn=dsn)
        for name, text in {GLOBALS: roles, **{name: text for name, text in settings.items() if text}}.items():
            files.write_durably(draft / name, text)
        postgres.hand_over(draft)
        names = [path.relative_to(draft).as_posix() for path in sorted(draft.rglob("*")) if path.is_file()]
        listed = {name: ((draft / name).stat().st_size, _digest(draft / name, Progress(None))) for name in names}
        database, encoding, collation, bootstrap, system = (str(value) for value in row[1:6])
        taken_ns = int(row[0]) * 1000
        made = Dump(draft, taken_ns, database, encoding, collation, bootstrap, system, int(row[7]), int(row[8]), listed)
        body = {"format": FORMAT, **asdict(made)}
        del body["directory"]
        files.write_durably(draft / DESCRIPTION, json.dumps(body, indent=1))
        final = _free_name(into, made.taken_wall_ns)
        draft.rename(final)
    except OSError as error:
        raise RecoveryError(f"cannot dump into {into}: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    files.sync_directory(into)
    return read(final)


def _clear_leftovers(into: Path) -> None:
    """Take away what a dump left that was cut short; one that is still under way stays."""
    for leftover in into.glob(".new-*"):
        pid = leftover.name.removeprefix(".new-")
        if not pid.isdigit() or int(pid) == os.getpid() or processes.identify(int(pid)) is None:
            shutil.rmtree(leftover)


_FACTS = """
select (extract(epoch from clock_timestamp()) * 1000000)::bigint, current_database(),
       pg_encoding_to_char(d.encoding), d.datcollate, (select rolname from pg_roles where oid = 10),
       (select system_identifier::text from pg_control_system()), r.rolsuper,
       current_setting('server_version_num')::int, pg_size_bytes(current_setting('wal_segment_size'))
from pg_database d, pg_roles r where d.datname = current_database() and r.rolname = current_user
"""


def _server_file(connection: Any, name: str) -> str:
    setting = "config_file" if name == "postgresql.conf" else "hba_file"
    row = connection.execute(f"select pg_read_file(current_setting('{setting}'))").fetchone()
    return "" if row is None else str(row[0])


def newest(dumps: Path) -> Dump:
    """The newest complete one. Raises RecoveryError: there is none, or it is damaged."""
    try:
        places = [place for place in dumps.iterdir() if place.name[0] != "." and (place / DESCRIPTION).is_file()]
    except OSError as error:
        raise RecoveryError(
            f"cannot read the dumps in {dumps}: {error.strerror}", hint="`dumps` names the directory that holds them"
        ) from error
    if not places:
        raise RecoveryError(f"there is no complete dump in {dumps}")
    return max((read(place) for place in places), key=lambda dump: (dump.taken_wall_ns, dump.directory.name))


def read(directory: Path) -> Dump:
    """What a dump says of itself. Raises RecoveryError where it is damaged."""
    path = directory / DESCRIPTION
    body = files.read_json(path)
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise RecoveryError(f"{path} is damaged, or not of format {FORMAT}")
    try:
        listed = {str(name): (int(size), str(digest)) for name, (size, digest) in body["files"].items()}
        return Dump(
            directory=directory,
            taken_wall_ns=int(body["taken_wall_ns"]),
            database=str(body["database"]),
            encoding=str(body["encoding"]),
            collation=str(body["collation"]),
            bootstrap=str(body["bootstrap"]),
            system_identifier=str(body["system_identifier"]),
            server_version=int(body["server_version"]),
            segment_bytes=int(body["segment_bytes"]),
            files=_inside(listed, path),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecoveryError(f"{path} is damaged: {type(error).__name__} {error}") from error


def _inside(listed: dict[str, tuple[int, str]], path: Path) -> dict[str, tuple[int, str]]:
    outside = [name for name in listed if name.startswith("/") or ".." in Path(name).parts]
    if outside:
        raise RecoveryError(f"{path} names a file outside the dump: {outside[0]}")
    return listed


def verify(dump: Dump, *, jobs: int, progress: Progress) -> None:
    """Look at every byte, and let `pg_restore` read its table of contents. Raises RecoveryError: what is wrong."""
    progress.begin("verify", dump.bytes)

    def look(name: str) -> str:
        path, (size, digest) = dump.directory / name, dump.files[name]
        try:
            if path.stat().st_size != size:
                return f"{name} has {path.stat().st_size} bytes instead of {size}"
            return "" if _digest(path, progress) == digest else f"{name} does not match its checksum"
        except OSError as error:
            return f"{name}: {error.strerror}"

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        wrong = [sentence for sentence in pool.map(look, dump.files) if sentence]
    wrong += [f"{needed} is not in it" for needed in (f"{DATA}/toc.dat", GLOBALS) if needed not in dump.files]
    if wrong:
        raise RecoveryError(f"dump {dump.directory} is damaged: {'; '.join(wrong[:_SHOWN])}")
    argv: list[str | Path] = [postgres.binary("pg_restore"), "--list", dump.directory / DATA]
    listed = postgres.run(argv, timeout_seconds=600, check=False)
    if listed.returncode != 0:
        raise RecoveryError(f"dump {dump.directory} cannot be read by pg_restore: {listed.stderr.strip()[-500:]}")
    progress.end()


def roles(dump: Dump) -> tuple[str, str]:
    """The SQL that makes the roles, and the SQL that gives the bootstrap role its own word back, to be run last."""
    first: list[str] = []
    last: list[str] = []
    quoted = re.escape(dump.bootstrap)
    own = re.compile(rf'(CREATE|ALTER) ROLE (?:{quoted}|"{quoted}")[ ;]')
    for line in (dump.directory / GLOBALS).read_text(encoding="utf-8").splitlines():
        found = own.match(line)
        if line.startswith("CREATE TABLESPACE"):
            raise RecoveryError(f"dump {dump.directory} has tablespaces, which cannot be restored yet")
        if found is None:
            first.append(line)
        elif found[1] == "ALTER":
            last.append(line)
    return "\n".join(first) + "\n", "\n".join(last) + "\n"


def database_of(dsn: str) -> str:
    """The database that a connection string names, or an empty text."""
    return str(cast("dict[str, Any]", conninfo_to_dict(dsn)).get("dbname") or "")


def _free_name(into: Path, wall_ns: int) -> Path:
    stem = datetime.fromtimestamp(wall_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
    place, number = into / stem, 1
    while place.exists():
        number += 1
        place = into / f"{stem}-{number}"
    return place


def _digest(path: Path, progress: Progress) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            progress.add(len(chunk))
    return digest.hexdigest()
