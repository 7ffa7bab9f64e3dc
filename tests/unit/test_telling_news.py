"""What of a drill is news, in which words, who wants it, and when it is quiet."""

from __future__ import annotations

import errno
import itertools
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drillmark import clock
from drillmark.define import read_settings
from drillmark.define.notifications import Channel, Quiet
from drillmark.engine.view import Live
from drillmark.journal.entries import follow
from drillmark.model.entry import Entry, Kind
from drillmark.telling.news import Message, Newsroom, approval_wanted, overdue
from drillmark.telling.posting import wants
from drillmark.telling.quiet import Waiting, is_quiet, together


def chain(*items: tuple[Kind, dict]) -> list[Entry]:
    entries: list[Entry] = []
    for kind, data in items:
        previous = entries[-1] if entries else None
        entries.append(follow(previous, run="run-1", epoch=1, kind=kind, stamp=clock.now(), data=data))
    return entries


STARTED = (Kind.RUN_STARTED, {"drill": "orders-db-lost", "target": "orders-db"})
GUARD = (Kind.INTENT, {"effect": "start_guard", "key": "", "attempt": 1})


def told(*items: tuple[Kind, dict]) -> list[Message]:
    room = Newsroom()
    return [message for entry in chain(*items) for message in room.entry(entry, "The database is lost")]


def test_a_start_is_news_once():
    (message,) = told(STARTED, GUARD, GUARD)
    assert (message.event, message.title) == ("start", "orders-db-lost has started")
    assert message.text == "The database is lost\nrun run-1, target orders-db"


def test_a_refused_run_has_not_started():
    (message,) = told(STARTED, (Kind.ABORT, {"by": "runner", "reason": "target busy", "refused": True}))
    assert (message.event, message.title, message.tone) == ("abort", "orders-db-lost was refused", "warning")
    assert message.text.startswith("target busy")


def test_an_approval_that_is_wanted_is_news():
    (message,) = told(STARTED, (Kind.EVENT, {"what": "approval_wanted", "plan_hash": "x", "requester": "ada"}))
    assert (message.event, message.drill) == ("approval_wanted", "orders-db-lost")
    assert message.title == "orders-db-lost wants an approval"
    assert "drillmark approve orders-db-lost --by NAME" in message.text


def test_an_abort_is_news_once_with_who_and_why():
    stop = (Kind.ABORT, {"by": "kill_switch", "reason": "maintenance\x1b[31m"})
    start, message = told(STARTED, GUARD, stop, stop)
    assert start.event == "start"
    assert (message.event, message.title, message.tone) == ("abort", "orders-db-lost is aborted", "failure")
    assert message.text.startswith("Asked for by: kill switch. maintenance")
    assert "\x1b" not in message.text
    assert "Its fault is undone" in message.text


def test_a_guard_that_acted_is_news():
    acting = (Kind.GUARD, {"what": "acting", "reason": "the runner was silent for 30 s"})
    failed = (Kind.GUARD, {"what": "undo_failed", "error": "put-back: no such file"})
    _, first, second = told(STARTED, GUARD, acting, failed)
    assert "its guard undoes the fault" in first.title
    assert "could not undo" in second.title
    assert second.text.startswith("put-back: no such file")


def live(phase: str, used: float | None, beats: str = "") -> Live:
    states = {"g": "good", "b": "bad", "a": "absent"}
    strip = tuple(states[letter] for letter in beats)
    return Live("run-1", phase, "recover: restore", 1.0, None, used, 100.0, beats=strip)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moment", "news"),
    [
        (live("recover", 79.9), False),
        (live("recover", 80.0), True),
        (live("inject", 95.0), True),
        (live("await_detection", 81.0), True),
        (live("recover", None), False),
        (live("soak", 90.0, "bbbggg"), False),
        (live("soak", 90.0, "gggbab"), True),
        (live("verify", 90.0, "ggg"), False),
        (live("hold_fault", 90.0, "bbb"), True),
        (live("hold_fault", 90.0, "ggg"), False),
        (live("hold_fault", 90.0), False),
        (live("undo", 90.0, "bbb"), False),
    ],
)
def test_an_objective_at_risk(moment, news):
    room = Newsroom(run="run-1", drill="orders-db-lost", target="orders-db")
    found = room.tick(moment)
    assert bool(found) is news
    assert room.tick(moment) == []
    if news:
        assert found[0].event == "at_risk"
        assert "% of its RTO is used" in found[0].title


def test_at_risk_says_how_much_and_where():
    (message,) = Newsroom(drill="d").tick(live("recover", 84.0))
    assert message.title == "d: 84 % of its RTO is used"
    assert message.text == "84 s since the fault began, objective 100 s; now: recover, recover: restore"


def test_no_news_of_a_simulated_disaster_speaks_of_a_fault():
    declared = (Kind.INTENT, {"effect": "inject", "key": "", "attempt": 1, "simulated": True, "source": {}})
    acting = (Kind.GUARD, {"what": "acting", "reason": "the runner was silent for 30 s"})
    failed = (Kind.GUARD, {"what": "undo_failed", "error": "discard: no such file"})
    stop = (Kind.ABORT, {"by": "kill_switch", "reason": "maintenance"})
    risk = Newsroom(drill="d").tick(replace(live("inject", 84.0), simulated=True))
    news = [*told(STARTED, GUARD, declared, acting, failed), *told(STARTED, GUARD, declared, stop), *risk]
    assert len(news) == 6
    assert not [one for one in news if "fault" in one.title + one.text]
    assert "copy is taken away" in news[4].text
    assert "since the disaster was declared, objective 100 s; now: declare" in news[5].text


def test_what_another_runner_told_is_not_told_again():
    room = Newsroom()
    *before, resumed = chain(STARTED, GUARD, (Kind.RESUMED, {"epoch": 2}))
    room.catch_up(before)
    assert [message.title for message in room.entry(resumed, "")] == [
        "orders-db-lost was taken up again by another runner"
    ]


def test_an_end_without_a_result_is_told_too():
    room = Newsroom(drill="d", run="run-1")
    (ended,) = chain((Kind.RUN_ENDED, {"verdict": "unknown", "exit_code": 5}))
    (message,) = room.ended(ended, None)
    assert (message.event, message.title, message.verdict) == ("end", "d: unknown", "unknown")


def channel(**fields) -> Channel:
    return Channel(name="c", url="json://127.0.0.1/x", **fields)


@pytest.mark.parametrize(
    ("fields", "message", "hears"),
    [
        ({}, Message("start", ""), True),
        ({"on": ["end"]}, Message("start", ""), False),
        ({"on": ["end"]}, Message("end", ""), True),
        ({"verdicts": ["failed"]}, Message("end", "", verdict="passed"), False),
        ({"verdicts": ["failed"]}, Message("end", "", verdict="failed"), True),
        ({"verdicts": ["failed"]}, Message("start", ""), True),
        ({"drills": ["a"]}, Message("end", "", drill="b"), False),
        ({"drills": ["a"]}, Message("end", "", drill="a"), True),
        ({"on": ["overdue"]}, overdue("a", "since monday"), True),
        ({"on": ["approval_wanted"]}, approval_wanted("a", "it is production"), True),
    ],
)
def test_which_channel_hears_what(fields, message, hears):
    assert wants(channel(**fields), message) is hears


def quiet(**fields) -> Quiet:
    return Quiet.model_validate({"from": "22:00", "to": "07:00", **fields})


@pytest.mark.parametrize(
    ("hours", "moment", "expected"),
    [
        (quiet(), "2026-11-27T21:59", False),
        (quiet(), "2026-11-27T22:00", True),
        (quiet(), "2026-11-28T06:59", True),
        (quiet(), "2026-11-28T07:00", False),
        (quiet(time_zone="Europe/Berlin"), "2026-11-27T21:00", True),  # 22:00 there
        (quiet(time_zone="Europe/Berlin"), "2026-07-27T20:00", True),  # summer time
        (quiet(time_zone="Europe/Berlin"), "2026-11-27T20:30", False),
        (Quiet.model_validate({"from": "09:00", "to": "17:00"}), "2026-11-27T12:00", True),
        (Quiet.model_validate({"from": "09:00", "to": "17:00"}), "2026-11-27T17:00", False),
        (quiet(days="fri"), "2026-11-27T23:00", True),  # a Friday
        (quiet(days="fri"), "2026-11-28T06:00", True),  # its morning after
        (quiet(days="fri"), "2026-11-28T23:00", False),
        (quiet(days="sat-mon"), "2026-11-29T23:00", True),
        (quiet(days="sat-mon"), "2026-11-27T23:00", False),
    ],
)
def test_quiet_hours(hours, moment, expected):
    assert is_quiet(hours, datetime.fromisoformat(moment).replace(tzinfo=UTC)) is expected


def test_what_waits_is_not_replaced_while_its_file_cannot_be_read(tmp_path, monkeypatch):
    waiting = Waiting(tmp_path / "waiting.jsonl")
    waiting.add("a", [Message("overdue", "first")])
    read = Path.read_text

    def cannot(path: Path, **how: Any) -> str:
        if path.name == "waiting.jsonl":
            raise OSError(errno.EMFILE, "Too many open files")
        return read(path, **how)

    monkeypatch.setattr(Path, "read_text", cannot)
    for attempt in (
        lambda: waiting.add("a", [Message("end", "second")]),
        lambda: waiting.told("a", [Message("overdue", "first")]),
        lambda: waiting.of("a"),
    ):
        with pytest.raises(OSError, match="Too many open files"):
            attempt()
    monkeypatch.undo()
    assert [message.title for message in waiting.of("a")] == ["first"]


def test_what_waits_is_kept_by_channel_and_survives_a_torn_line(tmp_path):
    waiting = Waiting(tmp_path / "x" / "waiting.jsonl")
    assert waiting.is_empty()
    first, second = Message("end", "one", "t", "failure", "d", "r", "failed"), Message("start", "two")
    for name, message in itertools.product("ab", (first, second)):
        waiting.add(name, [message])
    with (tmp_path / "x" / "waiting.jsonl").open("a") as file:
        file.write('{"channel": "a"}\n{"channel": "a", "event"')
    third = Message("start", "three")
    waiting.add("b", [second, third, third])  # the second waits already
    with waiting.telling("a") as messages, waiting.telling("b") as others, waiting.telling("a") as nothing:
        assert (messages, others, nothing) == ([first, second], [first, second, third], [])
        waiting.told("a", [first])
    with waiting.telling("a") as messages, waiting.telling("b") as others:
        assert (messages, others) == ([second], [first, second, third])
        waiting.told("a", [second])
        waiting.told("b", [third, second, first])
    with waiting.telling("a") as messages:
        assert messages == []
    assert not (tmp_path / "x" / "waiting.jsonl").exists()
    assert together([first]) == first
    digest = together([first, second])
    assert (digest.title, digest.tone) == ("one, and 1 more", "failure")
    assert "one\nt" in digest.text
    assert "two" in digest.text


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("slack://T1234/B1234/abcdefgh", "an address of `slack` holds a secret, which stands in the file"),
        ("jsons://me:hunter2-hunter2@example.org/x", "the password stands in the file"),
        ("jsons://example.org/x?token=hunter2-hunter2", "the value of `token` stands in the file"),
        ("hunter2-hunter2", "this is no address of a channel"),
        ("json://example.org/$hunter2-hunter2", "a `$` that begins no variable"),
        ("jsons://me:hunter2@hunter2@example.org/x", "the password stands in the file"),
    ],
)
def test_a_secret_that_stands_in_the_file_is_refused_and_not_told_back(url, wrong):
    parsed = read_settings(f"notifications: {{channels: [{{name: ops, url: '{url}'}}]}}".encode(), "drillmark.yaml")
    (problem,) = parsed.problems
    assert problem.message == f"`notifications.channels[0].url`: {wrong}"
    assert problem.line == 1
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    "url",
    ["${OPS}", "slack://${OPS_TOKENS}", "jsons://me:${WORD}@example.org/x?token=${T}", "json://127.0.0.1:8080/hook"],
)
def test_addresses_that_name_the_environment_are_taken(url):
    parsed = read_settings(f"notifications: {{channels: [{{name: ops, url: '{url}'}}]}}".encode(), "drillmark.yaml")
    assert parsed.problems == []
    assert parsed.value.notifications.channels[0].url == url


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("channels: [{name: a, url: '${A}'}, {name: a, url: '${B}'}]", "two channels are called `a`"),
        (
            "channels: [{name: a, url: '${A}', on: [ende]}]",
            'on[0]`: "ende" is not allowed\n  HINT: did you mean `end`?',
        ),
        ("quiet: {from: '07:00', to: '07:00'}", "`from` and `to` are the same"),
        ("quiet: {from: 7, to: '07:00'}", "expected a time of day"),
    ],
)
def test_what_is_wrong_is_said(text, wrong):
    parsed = read_settings(f"notifications: {{{text}}}".encode(), "drillmark.yaml")
    assert wrong in "\n".join(map(str, parsed.problems))
