"""The journal: chained, conditional on epoch and sequence, durable, and never silently wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import sqlite3

import pytest

from builders import RUN, Journal
from drillmark import clock, runs
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import JournalError, StaleEpochError
from drillmark.journal import entries
from drillmark.journal.store import JournalStore, RunRow
from drillmark.model.entry import Effect, Kind


@pytest.fixture
def store(tmp_path):
    store = JournalStore(tmp_path / "journal.sqlite3", busy_seconds=0.2)
    store.create(RunRow(RUN, "drill", "target", "reports/runs/x", 1, 0))
    yield store
    store.close()


def append(store, previous, epoch=1, **data):
    return store.append(previous, run=RUN, epoch=epoch, kind=Kind.EVENT, stamp=clock.now(), data=data)


def test_what_is_appended_is_read_back_and_chained(store):
    first = append(store, None, what="a", text="ä\u0000\u2028")
    second = append(store, first, what="b")
    assert store.read(RUN) == (first, second)
    assert (store.length(RUN), store.length("@none")) == (2, 0)
    assert second.previous_hash == first.hash
    assert entries.first_break(store.read(RUN)) == ""


@pytest.mark.parametrize("change", ["data = ' ' || data", "hash = upper(hash)", "kind = 'abort'", "epoch = 2"])
def test_a_change_under_what_was_read_shows_in_its_digest(store, tmp_path, change):
    append(store, append(store, None, what="a"), what="b")
    before, after = hashlib.sha256(), hashlib.sha256()
    store.read(RUN, digest=before)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as other:
        other.execute(f"update entries set {change} where sequence = 1")
        other.commit()
    store.take_in(RUN, 2, after)
    assert before.hexdigest() != after.hexdigest()


def test_a_line_survives_its_round_trip(store):
    entry = append(store, None, what="ä", nested={"b": [1, 2.5, None]})
    assert entries.from_line(entries.to_line(entry)) == entry


def test_a_stale_epoch_writes_nothing(store):
    first = append(store, None, what="a")
    store.raise_epoch(RUN, 2)
    with pytest.raises(StaleEpochError):
        append(store, first, what="late")
    assert len(store.read(RUN)) == 1
    append(store, first, epoch=2, what="in time")


def test_an_epoch_is_only_ever_raised(store):
    store.raise_epoch(RUN, 5)
    with pytest.raises(StaleEpochError):
        store.raise_epoch(RUN, 5)


def test_two_writers_at_one_sequence_only_one_wins(store):
    first = append(store, None, what="a")
    append(store, first, what="b")
    with pytest.raises(StaleEpochError):
        append(store, first, what="also b")


@pytest.mark.parametrize("field", ["data", "stamp", "kind", "epoch", "sequence", "previous_hash"])
def test_a_changed_entry_is_found(field):
    journal = Journal()
    for number in range(5):
        journal.add(Kind.EVENT, what=f"e{number}")
    changed = {
        "data": {"what": "other"},
        "stamp": dataclasses.replace(journal.entries[2].stamp, wall_ns=1),
        "kind": Kind.ABORT,
        "epoch": 7,
        "sequence": 9,
        "previous_hash": "f" * 64,
    }[field]
    forged = [*journal.entries]
    forged[2] = dataclasses.replace(forged[2], **{field: changed})
    assert "entry 3" in entries.first_break(forged) or "entry 9" in entries.first_break(forged)


def test_a_missing_entry_is_found():
    journal = Journal()
    for number in range(5):
        journal.add(Kind.EVENT, what=f"e{number}")
    assert entries.first_break([*journal.entries[:2], *journal.entries[3:]]) == "entry 4 stands where 3 should"


def test_what_json_cannot_hold_is_refused_and_nothing_is_written(store):
    with pytest.raises(JournalError):
        append(store, None, value=float("nan"))
    assert store.read(RUN) == ()


def test_a_locked_database_is_a_clear_error(store, tmp_path):
    other = sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(JournalError, match="cannot read or write the journal"):
        append(store, None, what="a")
    other.execute("rollback")
    other.close()


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path):
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match=r"journal\.sqlite3"):
        JournalStore(path)


def test_a_newer_format_is_refused(tmp_path):
    path = tmp_path / "journal.sqlite3"
    JournalStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version=99")
    connection.close()
    with pytest.raises(JournalError, match="newer drillmark"):
        JournalStore(path)


def test_the_last_attempt_and_its_own_outcome():
    journal = Journal()
    journal.intent(Effect.SOAK)
    journal.outcome(Effect.SOAK)
    journal.intent(Effect.SOAK, attempt=2)
    found = entries.last(journal.entries, Effect.SOAK)
    assert found is not None
    assert (found.attempt, found.outcome) == (2, None)
    # An outcome of the first attempt that comes late does not answer the second.
    journal.outcome(Effect.SOAK, attempt=1)
    found = entries.last(journal.entries, Effect.SOAK)
    assert found is not None
    assert found.outcome is None


@pytest.mark.parametrize("line", ["", "{}", "[]", "null", '{"sequence":"x"}', "\x00", "[" * 5000])
def test_a_damaged_line_is_a_clear_error(line):
    with pytest.raises(JournalError):
        entries.from_line(line)


def test_prefixes_are_found(store):
    assert [row.run for row in store.find("last")] == [RUN]
    assert [row.run for row in store.find(RUN[:10])] == [RUN]
    assert store.find("nothing") == []


def test_the_newest_come_first_and_a_page_at_a_time(store):
    for number in range(1, 4):
        store.create(RunRow(f"r{number}", "drill", "target", f"reports/runs/r{number}", 1, number))
    assert [row.run for row in store.newest(2)] == ["r3", "r2"]
    assert store.count() == len(store.newest(99)) == 4
    assert [row.run for row in reversed(store.newest(99))] == [row.run for row in store.runs()]


def test_a_chain_that_is_no_run_is_kept_beside_them(store):
    store.begin_chain("@decisions")
    entry = store.append(None, run="@decisions", epoch=1, kind=Kind.EVENT, stamp=clock.now(), data={"what": "x"})
    store.begin_chain("@decisions")
    assert store.read("@decisions") == (entry,)
    assert [row.run for row in store.runs()] == [row.run for row in store.newest(9)] == [RUN]
    assert store.find("@") == []
    assert store.count() == 1


@pytest.mark.parametrize("text", ['{"n":NaN}', '{"n":[-Infinity]}', '{"n":1e999}', '{"n":', "[1]", '{"n":1} x', ""])
def test_what_no_journal_writes_is_not_read_either(store, tmp_path, text):
    first = append(store, None, what="a")
    append(store, first, what="b")
    connection = sqlite3.connect(tmp_path / "journal.sqlite3")
    connection.execute("update entries set data = ? where sequence = 2", (text,))
    connection.commit()
    connection.close()
    with pytest.raises(JournalError):
        store.read(RUN)
    line = entries.to_line(first).replace('{"what":"a"}', text)
    with pytest.raises(JournalError, match="not a journal entry"):
        entries.from_line(line)


def test_blanks_around_an_entry_change_nothing(store):
    first = append(store, None, what="a", share=0.25)
    assert entries.from_line(f"\n {entries.to_line(first)} \r") == first


def test_the_journal_of_a_run_is_only_read_when_somebody_looks(tmp_path):
    row = RunRow(RUN, "drill", "target", "reports/runs/x", 1, 0)
    known = runs.KnownEntries(tmp_path, row)
    kept = JournalStore(WorkspacePaths(tmp_path).journal)
    kept.create(row)
    first = append(kept, None, what="a")
    assert list(known) == [first]
    append(kept, first, what="b")
    assert len(known) == 1
    kept.close()
    WorkspacePaths(tmp_path).journal.write_bytes(b"not a database" * 100)
    assert list(runs.KnownEntries(tmp_path, row)) == []
