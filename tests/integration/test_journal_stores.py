"""One suite for every journal store: SQLite and a real PostgreSQL do the same, whatever is asked."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

import pytest

from builders import RUN
from drillmark import clock
from drillmark.errors import JournalError, StaleEpochError
from drillmark.journal import entries
from drillmark.journal.port import RunRow
from drillmark.journal.postgres import PostgresStore
from drillmark.journal.store import JournalStore
from drillmark.model.entry import Kind
from journal_builders import ROW, append
from own_database import running


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


def digest_of(store, count):
    digest = hashlib.sha256()
    store.take_in(RUN, count, digest)
    return digest.hexdigest()


def test_what_was_read_before_is_known_again_without_reading_it(store):
    known = append(store, append(store, append(store, None)))
    digest = hashlib.sha256()
    assert len(store.read(RUN, digest=digest)) == 3
    last = append(store, known)
    assert store.read(RUN, after=3) == (last,)
    assert digest_of(store, 3) == digest.hexdigest()
    assert len({digest_of(store, count) for count in range(5)}) == 5


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


def test_what_has_not_ended_is_listed_whatever_was_written_after_the_end(store):
    store.create(replace(ROW, run="ended")), store.create(replace(ROW, run="no entry", started_wall_ns=200))
    store.begin_chain("@decisions")
    append(store, None, what="a")
    of_it = {"run": "ended", "epoch": 1, "stamp": clock.now()}
    end = store.append(None, kind=Kind.RUN_ENDED, data={"verdict": "passed"}, **of_it)
    store.append(end, kind=Kind.EVENT, data={"what": "pruned"}, **of_it)
    assert [row.run for row in store.unended()] == [RUN, "no entry"]
