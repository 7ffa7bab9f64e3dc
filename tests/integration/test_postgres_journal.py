"""What PostgreSQL alone can do to a journal: restarts, lost answers, other versions, another encoding, a backup."""

from __future__ import annotations

import threading
import time

import pytest

from builders import RUN
from drillmark.database import migrating, versions
from drillmark.errors import DatabaseError, StaleEpochError, UsageError
from drillmark.journal import entries
from drillmark.journal.opening import open_store
from drillmark.journal.postgres import PostgresStore
from journal_builders import ROW, append
from own_database import running


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("own") / "a server") as server:
        yield server


def test_a_copy_of_the_undo_file_is_kept_for_others_by_whoever_has_the_run(server):
    url = server.fresh()
    store, other = PostgresStore(url), PostgresStore(url)
    store.create(ROW)
    assert other.kept_undo(RUN) is None
    for body in ("one", "two \\u0000 ä"):
        store.keep_undo(RUN, 1, body)
        assert other.kept_undo(RUN) == body
    other.raise_epoch(RUN, 2)
    with pytest.raises(StaleEpochError):
        store.keep_undo(RUN, 1, "late")
    assert other.kept_undo(RUN) == body
    store.close()
    other.close()


def test_the_variable_decides_where_the_journal_is(server, tmp_path, monkeypatch):
    from drillmark.engine.paths import WorkspacePaths

    monkeypatch.setenv("DRILLMARK_DATABASE_URL", server.fresh())
    store = open_store(WorkspacePaths(tmp_path))
    store.create(ROW)
    store.close()
    assert not (tmp_path / ".drillmark").exists()
    monkeypatch.delenv("DRILLMARK_DATABASE_URL")
    store = open_store(WorkspacePaths(tmp_path))
    assert store.runs() == []
    store.close()


def test_an_append_outlives_a_restart_of_the_server_and_stands_there_once(server):
    store = PostgresStore(server.fresh(), patience_seconds=300)
    store.create(ROW)
    first = append(store, None, what="before")
    server.stop("immediate")
    thread = threading.Timer(1.0, server.start)
    thread.start()
    second = append(store, first, what="after")
    thread.join(300)
    assert store.read(RUN) == (first, second)
    store.close()


@pytest.mark.parametrize("written", [True, False])
def test_an_append_whose_answer_was_lost_is_not_written_twice(server, written):
    url = server.fresh()
    store = PostgresStore(url, patience_seconds=30)
    store.create(ROW)
    first = append(store, None, what="a")
    real = store._database._connected
    cut = []

    def once(seconds):
        connection = real(seconds)
        if not cut:
            cut.append(1)
            execute = connection.execute

            def execute_and_lose(query, *rest, **more):
                if written:
                    execute(query, *rest, **more)
                connection.close()
                return execute("select 1")

            connection.execute = execute_and_lose
        return connection

    store._database._connected = once
    second = append(store, first, what="b")
    assert store.read(RUN) == (first, second)
    store.close()


def test_a_server_that_answers_nothing_is_given_up_in_time_and_nothing_is_lost(server):
    store = PostgresStore(server.fresh(), patience_seconds=3)
    store.create(ROW)
    first = append(store, None, what="a")
    with server.frozen():
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="cannot be reached") as caught:
            append(store, first, what="b")
        assert time.monotonic() - began < 60
        with pytest.raises(DatabaseError, match="cannot be reached"):
            PostgresStore(server.url("migrated"), patience_seconds=2)
    assert caught.value.code == "database-unreachable"
    assert caught.value.exit_code == 5
    # Nobody can say whether it was written: the server may have read it. Either way the chain is whole.
    found = store.read(RUN)
    assert found[0] == first
    assert entries.first_break(found) == ""
    store.close()


def test_a_raised_epoch_whose_answer_was_lost_is_not_taken_for_ones_own(server):
    store = PostgresStore(server.fresh(), patience_seconds=3)
    store.create(ROW)
    connection = store._database._connected(5)
    execute = connection.execute
    connection.execute = lambda *given: (execute(*given), connection.close(), execute("select 1"))
    with pytest.raises(DatabaseError):
        store.raise_epoch(RUN, 2)
    with pytest.raises(StaleEpochError):
        store.raise_epoch(RUN, 2)
    store.raise_epoch(RUN, 3)
    store.close()


def test_a_database_that_was_never_migrated_says_so(server):
    url = server.fresh("template0")
    with pytest.raises(DatabaseError, match="holds nothing of Drillmark") as caught:
        PostgresStore(url)
    assert caught.value.code == "database-empty"
    assert "drillmark db migrate" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("update drillmark.version set format = 99", "database-newer"),
        ("update drillmark.alembic_version set version_num = '0000'", "database-older"),
        ("drop table drillmark.version", "database-empty"),
    ],
)
def test_a_database_of_another_version_is_refused_and_left_as_it_is(server, change, code):
    url = server.fresh()
    name = url.rpartition("/")[2]
    server.execute(change, name=name)
    with pytest.raises(DatabaseError) as caught:
        PostgresStore(url)
    assert caught.value.code == code
    assert server.execute("select count(*) from drillmark.runs", name=name) == [(0,)]
    if code == "database-newer":
        with pytest.raises(DatabaseError, match="newer drillmark"):
            migrating.migrate(url)


def test_a_database_ahead_of_the_program_is_used_where_its_format_is_known(server):
    url = server.fresh()
    server.execute("update drillmark.alembic_version set version_num = '9999'", name=url.rpartition("/")[2])
    store = PostgresStore(url)
    store.create(ROW)
    store.close()
    assert migrating.check(url)[1].is_ahead
    assert migrating.migrate(url).after == "9999"


def test_the_newest_revision_is_the_one_that_is_asked_for():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    settings = Config()
    settings.set_main_option("script_location", "drillmark:database/migrations")
    script = ScriptDirectory.from_config(settings)
    assert script.get_heads() == [versions.HEAD]
    assert [each.revision for each in script.walk_revisions()][-1] == "0001"


def test_migrating_twice_and_at_once_does_it_once(server):
    url = server.fresh("template0")
    done = []
    threads = [threading.Thread(target=lambda: done.append(migrating.migrate(url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [one.after for one in done] == [versions.HEAD] * 3
    assert migrating.migrate(url).before == versions.HEAD


def test_a_database_in_another_encoding_is_not_migrated(server):
    server.execute("create database latin encoding 'LATIN1' template template0")
    with pytest.raises(DatabaseError, match="LATIN1"):
        migrating.migrate(server.url("latin"))


@pytest.mark.parametrize(
    "url", ["mysql://u:secret@h/db", "postgresql//u:secret@h/db", "/secret/db", "sqlite:///secret"]
)
def test_an_address_of_something_else_is_refused_without_its_secret(url, monkeypatch, tmp_path):
    from drillmark.engine.paths import WorkspacePaths

    monkeypatch.setenv("DRILLMARK_DATABASE_URL", url)
    with pytest.raises(UsageError) as caught:
        open_store(WorkspacePaths(tmp_path))
    assert ":secret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@127.0.0.1:1/db", "postgresql://u:secret@/db?nonsense=secret", "postgresql://[secret"]
)
def test_an_address_at_which_nobody_is_tells_no_password(url, monkeypatch):
    monkeypatch.setattr("drillmark.database.connecting._OPENING_SECONDS", 0.5)
    with pytest.raises((DatabaseError, UsageError)) as caught:
        PostgresStore(url, patience_seconds=0.5)
    assert "u:secret" not in str(caught.value) + caught.value.hint


def amend_alike(in_files, in_rows, url, monkeypatch, filed) -> None:
    """Owner and day of a gap are set by the command, in files as in rows, and outlive the next run."""
    import json

    from click.testing import CliRunner

    from drillmark import gaps
    from drillmark.cli.gaps import command

    name = next(one.gap.id for one in gaps.read(in_files) if one.gap.state == "open" and one.gap.kind == "missed")
    for root in (in_files, in_rows):
        monkeypatch.chdir(root)
        if root is in_rows:
            monkeypatch.setenv("DRILLMARK_DATABASE_URL", url)

        def called(*words):
            return CliRunner().invoke(command, ["set", *words])

        said = called(name, "--owner", "Zoë", "--due", "2027-02-03")
        assert said.exit_code == 0, said.output
        assert "due 2027-02-03, owner Zoë" in said.output
        assert json.loads(called(name, "--due", "2027-02-04", "--json").output)["owner"] == "Zoë"
        wrong = {
            "nothing is to be set": (name,),
            "is no name": (name, "--owner", " "),
            "there is no gap GAP-none": ("GAP-none", "--owner", "x"),
        }
        for words, given in wrong.items():
            with pytest.raises(UsageError, match=words):
                CliRunner().invoke(command, ["set", *given], catch_exceptions=False)
        assert called(name, "--due", "2027-02-30").exit_code == 2
        gaps.file(root, *filed("r6"))
        (gap,) = [one.gap for one in gaps.read(root) if one.gap.id == name]
        assert (gap.owner, gap.due, gap.occurrences[-1].run) == ("Zoë", "2027-02-04", "r6")
        monkeypatch.delenv("DRILLMARK_DATABASE_URL", raising=False)


def test_gaps_in_the_database_are_those_that_files_would_hold(server, tmp_path, monkeypatch):
    from datetime import date

    import report_builders as build
    from drillmark import gaps
    from drillmark.model.measurement import Cited
    from drillmark.model.verdict import Judged, Outcome, Verdict
    from stored_runs import workspace

    def verdict(outcome):
        judged = Judged("rto", outcome, objective=60.0, observed=None, cited=Cited((1,), ()), reason="x")
        return Verdict(outcome, (), (judged,))

    plan = build.plan()
    steps = [
        ("r1", Outcome.FAILED), ("r1", Outcome.FAILED), ("r2", Outcome.FAILED), ("r3", Outcome.PASSED),
        ("r2", Outcome.FAILED), ("r4", Outcome.UNKNOWN), ("r5", Outcome.FAILED),
    ]  # fmt: skip
    url = server.fresh()
    in_files, in_rows = workspace(tmp_path / "files"), workspace(tmp_path / "rows")
    for run, outcome in steps:
        told = []
        for root in (in_files, in_rows):
            if root is in_rows:
                monkeypatch.setenv("DRILLMARK_DATABASE_URL", url)
            touched = gaps.file(root, plan, run, verdict(outcome), None, date(2026, 1, 2))
            told.append((touched, [stored.gap for stored in gaps.read(root)]))
            monkeypatch.delenv("DRILLMARK_DATABASE_URL", raising=False)
        assert told[0] == told[1]
    assert {gap.kind for gap in told[1][1]} == {"missed", "unmeasured"}
    assert not (in_rows / "reports/gaps").exists()
    amend_alike(
        in_files, in_rows, url, monkeypatch, lambda run: (plan, run, verdict(Outcome.FAILED), None, date(2026, 1, 3))
    )
    server.execute("update drillmark.gaps set body = '{}'", name=url.rpartition("/")[2])
    monkeypatch.setenv("DRILLMARK_DATABASE_URL", url)
    from drillmark.errors import GapRegisterError

    with pytest.raises(GapRegisterError, match="not a gap"):
        gaps.read(in_rows)


def test_the_database_is_backed_up_and_restored_as_its_page_says(server, tmp_path):
    from drillmark import postgres

    url = server.fresh()
    store = PostgresStore(url)
    store.create(ROW)
    first = append(store, None, what="before the backup", text="ä\u0000")
    store.keep_undo(RUN, 1, "copy")
    dump = tmp_path / "drillmark.dump"
    server.dump(url, dump)
    append(store, first, what="after the backup")
    store.close()
    server.execute("create database restored encoding 'UTF8' template template0")
    argv = [postgres.binary("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={server.url('restored')}", dump]
    postgres.run(argv, timeout_seconds=300)
    assert migrating.check(server.url("restored"))[1].revision == versions.HEAD
    restored = PostgresStore(server.url("restored"))
    assert restored.read(RUN) == (first,)
    assert restored.kept_undo(RUN) == "copy"
    append(restored, first, what="life goes on")
    restored.close()
