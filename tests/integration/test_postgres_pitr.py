"""Restores of a real PostgreSQL that is not the lab's: arguments alone, paths with spaces, every sabotage named."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chaoslib.exceptions import ActivityFailed

from drillmark import postgres
from drillmark.recovery import marker, postgres_pitr, probes, verification
from drillmark.recovery import server as restored_server
from postgres_builders import Server, running_server
from waiting import until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Rows 1..100 in the backup, 101..200 in the log after it, then a wrong DELETE, then rows 201..210.

    No locale: such a database has no encoding, and its text comes as bytes where nobody takes care.
    """
    with running_server(tmp_path_factory.mktemp("a server") / "with spaces") as server:
        server.execute("create table t (id int primary key, created_at timestamptz default clock_timestamp())")
        server.execute("insert into t select generate_series(1, 100)")
        server.back_up("first")
        server.execute("insert into t select generate_series(101, 200)")
        server.archive_all()
        server.archive_all()
        server.position = postgres_pitr.log_position(dsn=server.dsn)
        server.moment = server.execute("select clock_timestamp()")[0][0].astimezone(UTC)
        time.sleep(0.05)
        server.execute("delete from t where id > 50")
        server.execute("insert into t select generate_series(201, 210)")
        server.last_commit = server.execute("select max(created_at) from t")[0][0]
        server.archive_all()
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where restores go; whatever runs there in the end is stopped."""
    into = tmp_path / "restored here"
    into.mkdir()
    postgres.hand_over(into)
    yield into
    for directory in into.iterdir():
        if directory.is_dir():
            postgres.stop(directory, "kill")


@pytest.fixture
def in_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("DRILLMARK_RUN", "run-1")
    monkeypatch.setenv("DRILLMARK_PROGRESS", str(tmp_path / "progress.jsonl"))
    return "run-1"


def restore(source: Server, into: Path, **more: Any) -> dict[str, Any]:
    places = {"backups": str(source.backups), "archive": str(source.archive)} | more
    return postgres_pitr.restore(into=str(into), dsn=source.dsn, **places)["drillmark"]


def rows(report: dict[str, Any]) -> list[tuple]:
    with psycopg.connect(f"host=127.0.0.1 port={report['port']} user=postgres dbname=postgres") as connection:
        return connection.execute("select count(*), min(id), max(id) from t").fetchall()


def copied(source: Server, tmp_path: Path, what: str) -> Path:
    """A copy of the backups or of the archive, to be damaged."""
    there = tmp_path / f"copied {what}"
    shutil.copytree(getattr(source, what), there)
    postgres.hand_over(there)
    return there


def test_to_the_latest(source: Server, place: Path, in_a_run: str, tmp_path: Path):
    before_ns = time.monotonic_ns()
    report = restore(source, place, same_host=True)

    assert rows(report) == [(60, 1, 210)]
    assert report["backup"] == "first"
    assert report["timeline"] == 2
    assert (
        report["system_identifier"] == source.execute("select system_identifier::text from pg_control_system()")[0][0]
    )
    assert report["restored_end_lsn"] >= postgres.lsn_to_int(source.position)
    # The last transaction's own time: after its row was made, before anything later.
    since_ns = report["last_transaction_wall_ns"] - source.last_commit.timestamp() * 1e9
    assert 0 <= since_ns < 10e9
    assert report["last_transaction_ns"] < before_ns
    stamps = [before_ns]
    for name in ("verify_ns", "copy_ns", "replay_ns"):
        stamps += report[name]
    assert stamps == sorted(stamps)
    false_ns, true_ns = report["data_restored_ns"]
    assert report["replay_ns"][0] <= false_ns < true_ns == report["replay_ns"][1]
    stages = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in stages if line["text"].endswith("done")] == ["verify", "copy", "replay"]
    assert report["bytes"] > 1_000_000


def test_to_just_before_a_position(source: Server, place: Path):
    report = restore(source, place, to=source.position, inclusive=False)

    assert rows(report) == [(200, 1, 200)]
    assert report["last_transaction_ns"] is None, "whose clock that was is not known"


def test_to_a_time(source: Server, place: Path):
    report = restore(source, place, to=source.moment.isoformat())

    assert rows(report) == [(200, 1, 200)]
    assert report["last_transaction_wall_ns"] / 1e9 <= source.moment.timestamp()


def test_what_cannot_be_reached_is_refused_before_anything_is_copied(source: Server, place: Path):
    for to, said in (
        ("0/10", "end after the target"),
        ("F/0", "before the target F/0"),
        ("1999-01-01T00:00:00Z", "end after the target"),
    ):
        with pytest.raises(ActivityFailed, match=said):
            restore(source, place, to=to)
    assert list(place.iterdir()) == []


def test_a_time_that_the_log_does_not_reach_is_said_in_postgresqls_words(source: Server, place: Path):
    with pytest.raises(ActivityFailed, match="recovery ended before configured recovery target was reached"):
        restore(source, place, to=datetime(2199, 1, 1, tzinfo=UTC).isoformat())


def test_a_corrupt_newest_backup_is_named_and_nothing_is_restored(source: Server, place: Path, tmp_path: Path):
    backups = copied(source, tmp_path, "backups")
    shutil.copytree(backups / "first", backups / "second")
    newest = backups / "second"
    (newest / "backup_manifest").touch()
    file = newest / "global" / "pg_control"
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)

    for ask in (
        lambda: restore(source, place, backups=str(backups)),
        lambda: postgres_pitr.is_restorable(backups=str(backups), archive=str(source.archive)),
    ):
        with pytest.raises(ActivityFailed, match=r"second is damaged: .*pg_control"):
            ask()
    assert list(place.iterdir()) == []


def test_an_archive_with_a_hole_is_named(source: Server, place: Path, tmp_path: Path):
    archive = copied(source, tmp_path, "archive")
    segments = sorted(path for path in archive.iterdir() if len(path.name) == 24)
    first = next(archive.glob("*.backup")).name[:24]
    middle = next(path for path in segments if path.name > first)
    assert middle != segments[-1]
    middle.unlink()

    for ask in (
        lambda: restore(source, place, archive=str(archive)),
        lambda: postgres_pitr.is_restorable(backups=str(source.backups), archive=str(archive)),
        lambda: postgres_pitr.last_restorable_point(backups=str(source.backups), archive=str(archive)),
    ):
        with pytest.raises(ActivityFailed, match=f"hole: .* lacks {middle.name}"):
            ask()


def test_a_foreign_backup_is_refused(source: Server, place: Path, tmp_path: Path):
    with pytest.raises(ActivityFailed, match="is of another system"):
        restore(source, place, system_identifier="7000000000000000001")
    with pytest.raises(ActivityFailed, match="is of another system"):
        postgres_pitr.is_restorable(
            backups=str(source.backups), archive=str(source.archive), system_identifier="7000000000000000001"
        )
    with running_server(tmp_path / "foreign") as foreign:
        foreign.back_up("first")
        foreign.archive_all()
        with pytest.raises(ActivityFailed, match="is of another system"):
            restore(source, place, backups=str(foreign.backups), archive=str(source.archive))
        # Also where our archive has no log from where that backup begins: it would not help if it had.
        late = copied(source, tmp_path, "archive")
        for path in sorted(path for path in late.iterdir() if len(path.name) == 24)[:-1]:
            path.unlink()
        with pytest.raises(ActivityFailed, match="is of another system"):
            restore(source, place, backups=str(foreign.backups), archive=str(late))
        # Wholly foreign, backup and log: only the running store tells.
        with pytest.raises(ActivityFailed, match="that of the system is"):
            postgres_pitr.is_restorable(backups=str(foreign.backups), archive=str(foreign.archive), dsn=source.dsn)


def test_restorable_and_how_recent(source: Server, place: Path):
    places = {"backups": str(source.backups), "archive": str(source.archive)}
    assert postgres_pitr.is_restorable(within="1h", dsn=source.dsn, **places) is True

    point = datetime.fromisoformat(postgres_pitr.last_restorable_point(**places))
    assert 0 <= (point - source.last_commit).total_seconds() < 10, "the last commit that was archived"
    with pytest.raises(ActivityFailed, match="s old; 0s is allowed"):
        postgres_pitr.is_restorable(within="0s", **places)


def test_after_a_crash_what_is_complete_is_used(source: Server, place: Path, in_a_run: str):
    first = restore(source, place)
    postgres.stop(Path(first["data_directory"]), "kill")

    assert restore(source, place) == first
    assert rows(first) == [(60, 1, 210)]


def test_after_a_crash_what_is_half_done_is_discarded(source: Server, place: Path, in_a_run: str):
    first = restore(source, place)
    directory = Path(first["data_directory"])
    mark = marker.read(directory)
    assert mark is not None
    # As if the process had died while the server was already replaying.
    marker.Marker(mark.run, mark.attempt, mark.request, mark.backup, mark.boot, None).write(directory)
    server = postgres.postmaster(directory)

    second = restore(source, place)

    assert second["data_directory"] == first["data_directory"]
    assert second["port"] != first["port"] or postgres.postmaster(directory) != server
    assert rows(second) == [(60, 1, 210)]


@pytest.mark.parametrize("stage", ["verify begins", "copy begins", "copy done", "replay begins", "replay done"])
def test_killed_anywhere_it_is_done_again(source: Server, place: Path, in_a_run: str, tmp_path: Path, stage: str):
    call = (
        "import sys, time; from drillmark.recovery import postgres_pitr, progress\n"
        "write = progress.Progress._write\n"
        "def slow(self, text):\n"
        "    write(self, text)\n"
        "    text == sys.argv[5] and time.sleep(60)\n"
        "progress.Progress._write = slow\n"
        "postgres_pitr.restore(backups=sys.argv[1], archive=sys.argv[2], into=sys.argv[3], dsn=sys.argv[4])\n"
    )
    arguments = [source.backups, source.archive, place, source.dsn, stage]
    process = subprocess.Popen([sys.executable, "-c", call, *map(str, arguments)], start_new_session=True)
    lines = tmp_path / "progress.jsonl"
    until(lambda: lines.exists() and stage in lines.read_text(), seconds=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    report = restore(source, place)

    assert rows(report) == [(60, 1, 210)]
    assert [path.name for path in place.iterdir() if path.is_dir()] == ["restored-run-1"]


def test_another_request_of_the_same_run_gets_another_place(source: Server, place: Path, in_a_run: str):
    latest = restore(source, place)
    earlier = restore(source, place, to=source.position, inclusive=False)

    assert latest["data_directory"] != earlier["data_directory"]
    assert (rows(latest), rows(earlier)) == ([(60, 1, 210)], [(200, 1, 200)])


def test_a_server_that_cannot_start_says_why(source: Server, place: Path):
    with pytest.raises(ActivityFailed, match=r"ended in its replay: .*no_such_setting"):
        restore(source, place, settings={"no_such_setting": "1"})


def test_pg_verifybackup_is_used_where_it_runs(
    source: Server, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The wheel's own crashes on start; a program that stands in for it shows how it is called and believed."""
    program = tmp_path / "pg_verifybackup"
    program.write_text('#!/bin/sh\necho "error: $1 $2: checksum mismatch for file base/1" >&2\nexit 1\n')
    program.chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setattr(verification, "pg_verifybackup", lambda: program)

    with pytest.raises(ActivityFailed, match="--no-parse-wal --quiet: checksum mismatch for file base/1"):
        restore(source, place)


def test_nothing_is_archived_before_the_switch_over(
    source: Server, place: Path, tmp_path: Path, in_a_run: str, monkeypatch: pytest.MonkeyPatch
):
    archive = copied(source, tmp_path, "archive")
    report = restore(source, place, archive=str(archive))
    directory = Path(report["data_directory"])
    service_file = tmp_path / "pg_service.conf"
    service_file.write_text(
        f"# comment\n[other]\nhost=example.org\n\n[users]\nhost=127.0.0.1\nport={source.port}\nuser=postgres\ndbname=postgres\n"
    )
    with psycopg.connect(
        f"host=127.0.0.1 port={report['port']} user=postgres dbname=postgres", autocommit=True
    ) as connection:
        connection.execute("insert into t values (1000)")
        connection.execute("select pg_switch_wal()")
    time.sleep(0.3)
    assert not (source.archive / "00000002.history").exists()
    # The archive_command that came with the backup leads to the source's archive; here it is led away.
    auto = directory / restored_server.AUTO
    auto.write_text(auto.read_text() + f'archive_command = \'cp "%p" "{archive}/%f"\'\n{restored_server._WITHHELD}\n')
    where = {"service_file": str(service_file), "service": "users", "into": str(place)}

    before = service_file.read_text()
    with pytest.raises(ActivityFailed, match=r"no section \[nobody\]"):
        postgres_pitr.switch_over(**where | {"service": "nobody"})
    assert service_file.read_text() == before
    monkeypatch.setenv("PGSERVICEFILE", str(service_file))
    first = postgres_pitr.switch_over(dsn="service=users", **where)
    again = postgres_pitr.switch_over(dsn="service=users", **where)

    assert (first["already"], again["already"]) == (False, True)
    assert f"port={report['port']}" in service_file.read_text()
    assert "host=example.org" in service_file.read_text()
    until((archive / "00000002.history").exists)


class TestRows:
    @pytest.fixture
    def remembered(self, source: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
        monkeypatch.setenv("DRILLMARK_RUN_DIR", str(tmp_path))
        until = source.moment.isoformat()
        assert probes.remember_rows("t", dsn=source.dsn, until=until, settled_seconds=0, columns=["id"]) is True
        return {"table": "t"}

    def test_the_same_rows_match(self, source: Server, remembered: dict[str, str]):
        assert probes.rows_match(dsn=source.dsn, **remembered) is True

    def test_missing_rows_are_counted(self, source: Server, remembered: dict[str, str], place: Path):
        # Rows that the backup alone holds: as if the log had been forgotten.
        report = restore(source, place, to=source.position, inclusive=False)
        dsn = f"host=127.0.0.1 port={report['port']} user=postgres dbname=postgres"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("update t set id = 999 where id = 150")
            connection.execute("delete from t where id = 151 and false")
        with pytest.raises(ActivityFailed, match=r"are not the same ones|before the fault"):
            probes.rows_match(dsn=dsn, **remembered)

    def test_an_empty_database_does_not_match(self, remembered: dict[str, str], tmp_path: Path):
        with running_server(tmp_path / "empty") as empty:
            with pytest.raises(ActivityFailed, match="an empty or another database was restored"):
                probes.rows_match(dsn=empty.dsn, **remembered)
            empty.execute("create table t (id int primary key, created_at timestamptz)")
            with pytest.raises(ActivityFailed, match="has 0 rows"):
                probes.rows_match(dsn=empty.dsn, **remembered)

    def test_what_nobody_remembered_cannot_match(self, source: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setenv("DRILLMARK_RUN_DIR", str(tmp_path))
        with pytest.raises(ActivityFailed, match="nobody remembered the rows"):
            probes.rows_match("t", dsn=source.dsn)

    def test_the_system_is_known_by_its_log(self, source: Server, tmp_path: Path):
        assert probes.same_cluster(archive=str(source.archive), dsn=source.dsn) is True
        with running_server(tmp_path / "another") as another, pytest.raises(ActivityFailed, match="users reach system"):
            probes.same_cluster(archive=str(source.archive), dsn=another.dsn)
