"""One suite for every journal store: SQLite and a real PostgreSQL do the same, whatever is asked."""

from __future__ import annotations

import threading
import time

import pytest

from builders import RUN
from drillmark import clock
from drillmark.database import migrating, versions
from drillmark.errors import DatabaseError, JournalError, StaleEpochError, UsageError
from drillmark.journal import entries
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.journal.postgres import PostgresStore
from drillmark.journal.store import JournalStore
from drillmark.model.entry import Kind
from own_database import running

ROW = RunRow(RUN, "drill", "target", "reports/runs/x", 1, 100)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("own") / "a server") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def opening(request, tmp_path):
    """Opens the same journal as often as it is called."""
    url = request.getfixturevalue("server").fresh() if request.param == "postgres" else ""
    return lambda: PostgresStore(url) if url else JournalStore(tmp_path / "journal.sqlite3")


@pytest.fixture
def open_another(opening):
    """The same, and closes them."""
    opened = []

    def another():
        opened.append(opening())
        return opened[-1]

    yield another
    for one in opened:
        one.close()


@pytest.fixture
def store(open_another):
    store = open_another()
    store.create(ROW)
    return store


def append(store, previous, epoch=1, run=RUN, **data):
    return store.append(previous, run=run, epoch=epoch, kind=Kind.EVENT, stamp=clock.now(), data=data)


def test_what_is_appended_is_read_back_by_another_and_chained(store, open_another):
    first = append(store, None, what="a", text="ä\u0000\u2028\U0001f600", nested={"b": [1, 2.5, None, 10**18]})
    second = append(store, first, what="b")
    assert open_another().read(RUN) == (first, second)
    assert entries.first_break(store.read(RUN)) == ""


def test_a_stale_epoch_writes_nothing(store, open_another):
    first = append(store, None, what="a")
    open_another().raise_epoch(RUN, 2)
    with pytest.raises(StaleEpochError):
        append(store, first, what="late")
    assert store.read(RUN) == (first,)
    append(store, first, epoch=2, what="in time")


def test_an_epoch_is_only_ever_raised(store):
    store.raise_epoch(RUN, 5)
    for epoch in (5, 4):
        with pytest.raises(StaleEpochError):
            store.raise_epoch(RUN, epoch)
    assert store.find(RUN)[0].epoch == 5


def test_an_unknown_run_has_no_entries_and_takes_none(store):
    assert store.read("nobody") == ()
    with pytest.raises(StaleEpochError):
        append(store, None, run="nobody", what="a")
    with pytest.raises(StaleEpochError):
        store.raise_epoch("nobody", 2)


def test_length_and_epoch_are_told_without_reading(store):
    assert (store.length(RUN), store.epoch_of(RUN)) == (0, 1)
    append(store, append(store, None, what="a"), what="b")
    store.raise_epoch(RUN, 3)
    assert (store.length(RUN), store.epoch_of(RUN)) == (2, 3)
    assert (store.length("nobody"), store.epoch_of("nobody")) == (0, 0)


def test_two_writers_at_one_sequence_only_one_wins(store, open_another):
    first = append(store, None, what="a")
    append(open_another(), first, what="b")
    with pytest.raises(StaleEpochError):
        append(store, first, what="also b")
    with pytest.raises(StaleEpochError):
        append(store, None, what="a second first one")
    assert [entry.data["what"] for entry in store.read(RUN)] == ["a", "b"]


def test_of_many_at_once_one_wins_each_time(store, opening):
    previous = append(store, None, what="begin")
    for turn in range(5):
        won: list[object] = []
        barrier = threading.Barrier(4)

        def race(previous=previous, turn=turn, barrier=barrier, won=won):
            one = opening()  # SQLite's connections belong to the thread that opened them
            try:
                barrier.wait(60)
                won.append(append(one, previous, turn=turn, who=str(id(one))))
            except StaleEpochError:
                pass
            finally:
                one.close()

        threads = [threading.Thread(target=race) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(won) == 1
        previous = won[0]
    assert entries.first_break(store.read(RUN)) == ""
    assert len(store.read(RUN)) == 6


def test_what_json_cannot_hold_is_refused_and_nothing_is_written(store):
    for value in (float("nan"), object(), "\ud800"):
        with pytest.raises(JournalError):
            append(store, None, value=value)
    assert store.read(RUN) == ()


def test_a_run_is_registered_once(store):
    with pytest.raises(JournalError):
        store.create(RunRow(RUN, "another", "target", "reports/runs/y", 1, 0))
    assert store.runs() == [ROW]


def test_a_whole_run_or_nothing_of_it(store):
    other = RunRow("other", "drill", "target", "reports/runs/other", 1, 5)
    chain = [entries.follow(None, run="other", epoch=1, kind=Kind.EVENT, stamp=clock.now(), data={"what": "a"})]
    with pytest.raises(JournalError):
        store.add_whole(other, [*chain, *chain])
    assert store.find("other") == []
    store.add_whole(other, chain)
    assert store.read("other") == tuple(chain)


def test_a_run_without_entries_can_be_forgotten_and_no_other(store):
    store.create(RunRow("empty", "drill", "target", "d", 1, 0))
    append(store, None, what="a")
    for run in ("empty", RUN):
        store.forget(run)
    assert [row.run for row in store.runs()] == [RUN]


def test_runs_are_found_and_come_a_page_at_a_time(store):
    for number in range(1, 4):
        store.create(RunRow(f"r{number}", "drill", "target", f"reports/runs/r{number}", 1, number))
    store.create(RunRow("R%_", "drill", "target", "d", 1, 0))
    assert [row.run for row in store.newest(2)] == [RUN, "r3"]
    assert [row.run for row in store.runs()] == ["R%_", "r1", "r2", "r3", RUN]
    assert store.count() == 5
    assert [row.run for row in store.find("last")] == [RUN]
    assert [row.run for row in store.find("r")] == ["r1", "r2", "r3"]
    for text, found in (("r2", ["r2"]), ("R%", ["R%_"]), ("%", []), ("r2\0", []), ("nothing", [])):
        assert [row.run for row in store.find(text)] == found


def test_a_chain_that_is_no_run_stands_beside_them(store):
    store.begin_chain("@decisions")
    entry = append(store, None, run="@decisions", what="x")
    store.begin_chain("@decisions")
    assert store.read("@decisions") == (entry,)
    assert (store.length("@decisions"), store.length("@none")) == (1, 0)
    assert [row.run for row in store.runs()] == [row.run for row in store.newest(9)] == [RUN]
    assert store.find("@") == []
    assert store.count() == 1


# What PostgreSQL alone can do to a journal.


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
    from drillmark.model.measurement import Cited, Judged, Outcome, Verdict
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
