"""Further ways to restore a real PostgreSQL: incremental backups, restore points, dumps; and checks of what came back."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chaoslib.exceptions import ActivityFailed

import debian
from drillmark import postgres, samples
from drillmark.recovery import dumps, marker, postgres_checks, postgres_dump, postgres_pitr
from drillmark.recovery.ledger import rows_match_ledger
from drillmark.recovery.progress import Progress
from drillmark.samples import LedgerKind
from postgres_builders import Server, running_server

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """60 MB of rows; a full backup, two incremental ones, a restore point, and what was committed after it."""
    with running_server(tmp_path_factory.mktemp("an incremental source")) as server:
        server.execute("alter system set summarize_wal = on")
        server.execute("select pg_reload_conf()")
        server.execute("create table t as select g as id, repeat('x', 200) as filler from generate_series(1, 2000) g")
        server.execute("alter table t add primary key (id)")
        server.execute("create role reader login password 'a''secret'")
        server.execute("grant select on t to reader")
        server.back_up("full")
        server.execute("update t set filler = 'y' where id <= 100")
        increment(server, "first", "full")
        server.execute("delete from t where id > 1900")
        increment(server, "second", "first")
        server.execute("insert into t select generate_series(3001, 3010), 'before'")
        server.execute("create schema drillmark")
        server.execute(
            "create table drillmark.markers (run text, id bigint, writer integer, value bigint, primary key (run, id))"
        )
        server.markers = [mark(server, identifier) for identifier in range(1, 11)]
        postgres_pitr.restore_point("before-migration", dsn=server.dsn)
        server.markers += [mark(server, identifier) for identifier in range(11, 16)]
        server.execute("drop table t")
        server.archive_all()
        yield server


def mark(server: Server, identifier: int) -> tuple[int, int, int]:
    at_ns = time.monotonic_ns()
    insert = "insert into drillmark.markers values ('run-1', %s, 0, %s) returning pg_current_wal_insert_lsn()::text"
    return identifier, postgres.lsn_to_int(server.execute(insert, identifier, identifier)[0][0]), at_ns


def increment(server: Server, name: str, on: str) -> None:
    place = server.backups / name
    argv = [postgres.binary("pg_basebackup"), "-D", place, "-d", server.dsn, "-c", "fast"]
    argv += ["--manifest-checksums=SHA256", f"--incremental={server.backups / on / 'backup_manifest'}"]
    postgres.run(argv, timeout_seconds=120)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    into = tmp_path / "restored here"
    into.mkdir()
    postgres.hand_over(into)
    yield into
    for directory in into.iterdir():
        if directory.is_dir():
            postgres.stop(directory, "kill")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRILLMARK_RUN", "run-1")


def restore(source: Server, into: Path, **more: Any) -> dict[str, Any]:
    places = {"backups": str(source.backups), "archive": str(source.archive)} | more
    return postgres_pitr.restore(into=str(into), dsn=source.dsn, **places)["drillmark"]


def ask(report: dict[str, Any], query: str, login: str = "user=postgres dbname=postgres") -> list[tuple]:
    with psycopg.connect(f"host=127.0.0.1 port={report['port']} {login}", client_encoding="UTF8") as connection:
        return connection.execute(query).fetchall()


def test_an_incremental_backup_is_combined_and_replayed_to_a_restore_point(source: Server, place: Path):
    report = restore(source, place, to="name:before-migration")

    assert report["backup"] == "second", "the newest before the point"
    assert ask(report, "select count(*), max(id), count(*) filter (where filler = 'y') from t") == [(1910, 3010, 100)]
    assert report["bytes"] > 1_000_000
    directory = Path(report["data_directory"])
    assert not (directory / ".combined").exists()
    assert not (directory / "backup_manifest").exists()
    # What was combined stands as it stood.
    assert {path.name for path in source.backups.iterdir()} == {"full", "first", "second"}


def test_every_link_of_an_incremental_backup_is_verified(source: Server, place: Path, tmp_path: Path):
    copied = tmp_path / "copied"
    shutil.copytree(source.backups, copied)
    postgres.hand_over(copied)
    victim = max((copied / "full" / "base").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    with victim.open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")

    with pytest.raises(ActivityFailed, match=rf"full is damaged: .*{victim.name}"):
        postgres_pitr.is_restorable(backups=str(copied), archive=str(source.archive))
    with pytest.raises(ActivityFailed, match="full is damaged"):
        restore(source, place, backups=str(copied), to="name:before-migration")
    shutil.rmtree(copied / "full")
    with pytest.raises(
        ActivityFailed, match=r"first is an incremental backup, and the one that it builds on.*is not there"
    ):
        postgres_pitr.is_restorable(backups=str(copied), archive=str(source.archive))


def test_a_restore_point_that_is_not_in_the_log_is_named(source: Server, place: Path):
    with pytest.raises(ActivityFailed, match="there is no restore point before-lunch"):
        restore(source, place, to="name:before-lunch")
    with pytest.raises(ActivityFailed, match="does not go with a restore point"):
        restore(source, place, to="name:before-migration", inclusive=False)
    with pytest.raises(ActivityFailed, match="not the name of a restore point"):
        postgres_pitr.restore_point("x" * 64, dsn=source.dsn)
    assert list(place.iterdir()) == []


def test_pages_rows_and_indexes_are_looked_at_before_anybody_is_led_there(source: Server, place: Path, run: None):
    report = restore(source, place, to="name:before-migration")
    here = {"into": str(place)}

    assert postgres_checks.checksums_good(**here) is True
    assert postgres.postmaster_state(Path(report["data_directory"])) == "ready", "started again"
    assert postgres_checks.reads_whole(restored=True, dsn=source.dsn, **here) is True
    with pytest.raises(ActivityFailed, match="no amcheck"):
        postgres_checks.indexes_good(restored=True, dsn=source.dsn, **here)

    table = ask(report, "select pg_relation_filepath('t')")[0][0]
    ask(report, "select count(*) from t")
    path = Path(report["data_directory"]) / table
    assert postgres.stop(Path(report["data_directory"]), "fast", timeout_seconds=60)
    with path.open("r+b") as file:
        file.seek(8192 + 4000)
        file.write(b"damage")
    with pytest.raises(ActivityFailed, match=r"are not good: .*checksum"):
        postgres_checks.checksums_good(**here)
    with pytest.raises(ActivityFailed, match=r"invalid page|could not verify|checksum"):
        postgres_checks.reads_whole(restored=True, dsn=source.dsn, **here)


@debian.needs("postgresql", found=bool(debian.POSTGRESQL))
def test_tables_and_indexes_agree_where_the_server_has_amcheck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRILLMARK_PG_BIN", str(debian.POSTGRESQL[-1]))
    with running_server(tmp_path / "server with contrib") as server:
        server.execute("create table t as select g as id from generate_series(1, 2000) g")
        server.execute("create index by_id on t (id)")
        assert postgres_checks.indexes_good(dsn=server.dsn) is True

        # As a collation that changed would: the index no longer says what the table does.
        server.execute(
            "set allow_system_table_mods = on; update pg_index set indisready = false where indexrelid = 'by_id'::regclass"
        )
        server.execute("insert into t values (0)")
        server.execute(
            "set allow_system_table_mods = on; update pg_index set indisready = true where indexrelid = 'by_id'::regclass"
        )
        with pytest.raises(ActivityFailed, match="lacks matching index tuple"):
            postgres_checks.indexes_good(dsn=server.dsn)


@pytest.fixture
def ledger(source: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a marker writer would have noted of the rows of run-1 in the source."""
    monkeypatch.setenv("DRILLMARK_RUN_DIR", str(tmp_path))
    (tmp_path / "samples").mkdir()
    file = samples.SampleWriter(tmp_path / "samples" / "ledger.dms", samples.LEDGER, {"run": "run-1"})
    for identifier, lsn, at_ns in source.markers:
        common = {"id": identifier, "writer": 0, "op": 0, "key": identifier}
        file.append(kind=LedgerKind.INVOKED, at_ns=at_ns, lsn=0, timeline=0, **common)
        file.append(kind=LedgerKind.ACKNOWLEDGED, at_ns=at_ns + 1, lsn=lsn, timeline=1, **common)
    file.close()
    return tmp_path


def test_the_ledger_says_which_rows_must_be_there(source: Server, place: Path, run: None, ledger: Path):
    report = restore(source, place, to="name:before-migration")
    here = {"into": str(place), "dsn": f"host=127.0.0.1 port={report['port']} user=postgres dbname=postgres"}

    # 11 to 15 were written after the restore point: their loss is no surprise, and is for the RPA to count.
    assert ask(report, "select count(*), max(id) from drillmark.markers") == [(10, 10)]
    assert rows_match_ledger(**here) is True
    for damage, words in (
        ("insert into drillmark.markers values ('run-1', 99, 0)", "1 of the marker rows are of no write: 99"),
        ("update drillmark.markers set value = 4 where id = 3", "1 of the marker rows are of another value: 3"),
        ("delete from drillmark.markers where id < 9", "8 of the marker rows are missing: 1, 2, 3, 4, 5..."),
        ("drop table drillmark.markers", "there is no table drillmark.markers"),
    ):
        with psycopg.connect(here["dsn"]) as connection:
            connection.execute(damage)
        with pytest.raises(ActivityFailed, match=re.escape(words)):
            rows_match_ledger(**here)
        if "99" in damage:
            with psycopg.connect(here["dsn"]) as connection:
                connection.execute("delete from drillmark.markers where id = 99")


def test_without_a_ledger_nothing_matches(
    source: Server, place: Path, run: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    report = restore(source, place, to="name:before-migration")
    here = {"into": str(place), "dsn": f"host=127.0.0.1 port={report['port']} user=postgres dbname=postgres"}
    with pytest.raises(ActivityFailed, match="no run: there is no ledger"):
        rows_match_ledger(**here)
    monkeypatch.setenv("DRILLMARK_RUN_DIR", str(tmp_path))
    with pytest.raises(ActivityFailed, match="the ledger ledger-http cannot be read"):
        rows_match_ledger("http", **here)


def test_without_a_restore_there_is_nothing_to_look_at(source: Server, place: Path, run: None):
    with pytest.raises(ActivityFailed, match="there is no complete restore"):
        postgres_checks.checksums_good(into=str(place))
    with pytest.raises(ActivityFailed, match="there is no complete restore"):
        postgres_checks.reads_whole(restored=True, into=str(place), dsn=source.dsn)


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("a dumped source")) as server:
        server.execute("create role reader login password 'a''secret'")
        server.execute("create table t as select g as id, repeat('x', 200) as filler from generate_series(1, 5000) g")
        server.execute("alter table t add primary key (id)")
        server.execute("grant select on t to reader")
        server.dump = postgres_dump.dump(str(server.root / "dumps"), dsn=server.dsn)
        server.execute("delete from t where id > 10")
        yield server


def load(source: Server, into: Path, **more: Any) -> dict[str, Any]:
    given = {"dumps": str(source.root / "dumps"), "into": str(into), "dsn": source.dsn} | more
    return postgres_dump.restore(**given)["drillmark"]


def test_a_dump_comes_back_with_its_roles_in_a_cluster_of_its_own(dumped: Server, place: Path, run: None):
    before_ns = time.monotonic_ns()
    report = load(dumped, place)

    assert ask(report, "select count(*), min(id), max(id) from t") == [(5000, 1, 5000)]
    reader = "user=reader dbname=postgres"
    assert ask(report, "select count(*) from t", reader) == [(5000,)]
    verifiers = "select rolpassword from pg_authid where rolname = 'reader'"
    assert ask(report, verifiers) == dumped.execute(verifiers), "the password is the one that it was"
    assert ask(report, "show archive_mode") == [("off",)], "a foreign cluster spoils no archive"
    assert (
        report["system_identifier"] != dumped.execute("select system_identifier::text from pg_control_system()")[0][0]
    )
    assert report["last_transaction_wall_ns"] == dumps.read(Path(dumped.dump)).taken_wall_ns
    stamps = [before_ns, *report["verify_ns"], *report["copy_ns"]]
    assert stamps == sorted(stamps)
    last_false_ns, first_true_ns = report["data_restored_ns"]
    assert report["copy_ns"][0] < last_false_ns < first_true_ns == report["copy_ns"][1]

    assert load(dumped, place) == report, "asked again after a crash, what is complete is used"
    assert postgres.stop(Path(report["data_directory"]), "kill")
    assert load(dumped, place) == report, "and started where it is down"
    assert ask(report, "select count(*) from t") == [(5000,)]


def test_a_load_that_was_cut_short_is_discarded_and_done_again(dumped: Server, place: Path, run: None):
    halfway = place / "restored-run-1"
    halfway.mkdir()
    request = {"to": "the newest dump", "dumps": str(dumped.root / "dumps")}
    marker.Marker("run-1", 1, request, "x", "boot").write(halfway)
    (halfway / "PG_VERSION").write_text("18")

    assert ask(load(dumped, place), "select count(*) from t") == [(5000,)]
    assert [path.name for path in place.iterdir() if path.is_dir()] == ["restored-run-1"]


def test_a_dump_is_good_only_whole_and_young(dumped: Server, place: Path, tmp_path: Path):
    where = str(dumped.root / "dumps")
    assert postgres_dump.is_restorable(dumps=where) is True
    assert postgres_dump.last_restorable_point(where) == postgres_pitr.iso(dumps.read(Path(dumped.dump)).taken_wall_ns)
    with pytest.raises(ActivityFailed, match=r"s old; 0s is allowed"):
        postgres_dump.is_restorable("0s", dumps=where)
    with pytest.raises(ActivityFailed, match="cannot read the dumps"):
        postgres_dump.is_restorable(dumps=str(tmp_path / "nowhere"))

    copied = tmp_path / "copied"
    shutil.copytree(where, copied)
    postgres.hand_over(copied)
    data = max((path for path in copied.rglob("*.dat*")), key=lambda path: path.stat().st_size)
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ActivityFailed, match=rf"is damaged: data/{data.name} has"):
        postgres_dump.is_restorable(dumps=str(copied))
    with pytest.raises(ActivityFailed, match="is damaged"):
        load(dumped, place, dumps=str(copied))
    assert list(place.iterdir()) == []

    # One that was cut short has no description, and does not count; one that lies about its files is refused.
    description = next(copied.glob("*/drillmark-dump.json"))
    body = json.loads(description.read_text())
    description.write_text(json.dumps(body | {"files": {"../outside": [1, "x"]}}))
    with pytest.raises(ActivityFailed, match="names a file outside the dump"):
        postgres_dump.is_restorable(dumps=str(copied))
    description.unlink()
    with pytest.raises(ActivityFailed, match="there is no complete dump"):
        postgres_dump.is_restorable(dumps=str(copied))


def test_a_dump_of_another_database_is_refused(dumped: Server, place: Path):
    with pytest.raises(ActivityFailed, match="is of database postgres; users connect to orders"):
        load(dumped, place, dsn=dumped.dsn.replace("dbname=postgres", "dbname=orders"))
    assert list(place.iterdir()) == []


def test_a_dump_that_fails_leaves_nothing_that_counts(dumped: Server, tmp_path: Path):
    with pytest.raises(ActivityFailed, match=r"permission denied|pg_dump"):
        postgres_dump.dump(str(tmp_path / "d"), dsn=dumped.dsn.replace("user=postgres", "user=reader"))
    assert list((tmp_path / "d").iterdir()) == []
    # What another one left is taken away; of one that is still under way nothing is touched.
    for name in (".new-1", ".new-999999999"):
        (tmp_path / "d" / name).mkdir()
    assert Path(postgres_dump.dump(str(tmp_path / "d"), dsn=dumped.dsn)).is_dir()
    assert sorted(path.name for path in (tmp_path / "d").glob(".new-*")) == [".new-1"]
    dump = dumps.read(Path(dumped.dump))
    dumps.verify(dump, jobs=2, progress=Progress(None))
