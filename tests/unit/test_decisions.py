"""What people decided: one chain for all, none lost, none changed, and what of it holds at a moment."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest

from drillmark import decisions
from drillmark.errors import JournalError
from drillmark.journal.store import JournalStore
from drillmark.model.entry import Kind

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def store(path):
    store = JournalStore(path)
    yield store
    store.close()


def approval(**more):
    data = {
        "drill": "file-lost", "run": "", "plan_hash": "a" * 64, "approver": "ada", "requester": "grace",
        "reason": "agreed in the change board", "expires": (NOW + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    return data | more


def held(store, now=NOW):
    return decisions.state(decisions.read(store), now)


def test_nothing_was_decided_in_a_new_workspace(store):
    assert decisions.read(store) == ()
    assert held(store) == decisions.State()


def test_the_chain_is_no_run(store):
    decisions.append(store, Kind.STOP, {"by": "ada", "reason": "x"})
    assert store.runs() == []
    assert store.find("@") == store.find("last") == []


def test_an_approval_holds_until_it_expires(store):
    entry = decisions.append(store, Kind.APPROVAL, approval())
    (found,) = held(store).approvals
    assert (found.entry, found.hash, found.plan_hash) == (entry.sequence, entry.hash, "a" * 64)
    assert (found.approver, found.requester) == ("ada", "grace")
    late = held(store, NOW + timedelta(hours=1))
    assert late.approvals == ()
    assert [one.entry for one in late.expired] == [entry.sequence]


def test_a_withdrawn_approval_holds_no_more_and_the_others_do(store):
    first = decisions.append(store, Kind.APPROVAL, approval())
    second = decisions.append(store, Kind.APPROVAL, approval(plan_hash="b" * 64))
    decisions.append(store, Kind.APPROVAL_WITHDRAWN, {"entry": first.sequence, "by": "ada", "reason": "an incident"})
    now = held(store)
    assert [one.entry for one in now.approvals] == [second.sequence]
    assert now.withdrawn == {first.sequence: "ada: an incident"}


@pytest.mark.parametrize(
    "bad",
    [
        {"expires": None}, {"expires": "soon"}, {"expires": "2026-11-29T00:00:00"}, {"approver": "grace"},
        {"approver": ""}, {"plan_hash": ""}, {"drill": 3}, {"requester": None},
    ],
)  # fmt: skip
def test_an_approval_that_cannot_be_read_whole_is_none(store, bad):
    decisions.append(store, Kind.APPROVAL, approval(**bad))
    assert held(store).approvals == held(store).expired == ()


def test_a_stop_stands_until_it_is_lifted_and_the_newest_reason_counts(store):
    decisions.append(store, Kind.STOP, {"by": "ada", "reason": "incident 1"})
    decisions.append(store, Kind.STOP, {"by": "grace", "reason": "incident 2"})
    stop = held(store).stop
    assert stop is not None
    assert (stop.by, stop.reason) == ("grace", "incident 2")
    decisions.append(store, Kind.STOP_LIFTED, {"by": "ada", "reason": "over"})
    assert held(store).stop is None


def test_a_stop_that_cannot_be_read_whole_is_a_stop_all_the_same(store):
    decisions.append(store, Kind.STOP, {"by": 3})
    assert held(store).stop is not None


def test_pauses_and_triggers(store):
    until = (NOW + timedelta(days=1)).isoformat()
    decisions.append(store, Kind.PAUSE, {"drill": "a", "until": until, "by": "ada", "reason": "moving"})
    decisions.append(store, Kind.PAUSE, {"drill": "b", "until": None, "by": "ada", "reason": "for good"})
    decisions.append(store, Kind.PAUSE, {"drill": "c", "until": None, "by": "ada", "reason": "x"})
    decisions.append(store, Kind.UNPAUSE, {"drill": "c", "by": "ada", "reason": "y"})
    asked = decisions.append(store, Kind.TRIGGER, {"drill": "a", "by": "ada", "reason": "retest"})
    assert set(held(store).paused) == {"a", "b"}
    assert set(held(store, NOW + timedelta(days=1)).paused) == {"b"}
    assert [(one.entry, one.drill) for one in held(store).triggers] == [(asked.sequence, "a")]


def test_of_decisions_at_the_same_time_none_is_lost(path, store):
    def decide(name):
        own = JournalStore(path)
        for number in range(10):
            decisions.append(own, Kind.TRIGGER, {"drill": f"{name}-{number}", "by": name, "reason": "x"})
        own.close()

    threads = [threading.Thread(target=decide, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = held(store).triggers
    assert sorted(one.drill for one in found) == sorted(f"{name}-{number}" for name in "abc" for number in range(10))


def test_a_decision_that_was_changed_later_stops_everything(path, store):
    decisions.append(store, Kind.APPROVAL, approval())
    with sqlite3.connect(path) as connection:
        connection.execute("update entries set data = replace(data, 'ada', 'eve')")
    with pytest.raises(JournalError, match="not as they were written: entry 1 was changed"):
        decisions.read(store)
    with pytest.raises(JournalError):
        decisions.append(store, Kind.STOP, {"by": "ada", "reason": "x"})


def test_only_decisions_are_appended(store):
    with pytest.raises(ValueError, match="no decision"):
        decisions.append(store, Kind.EVENT, {})
