"""What is overdue is told to channels once a day, however many workers look: a real webhook, both databases' tables."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
import yaml
from sqlalchemy.exc import SQLAlchemyError

import fleet_rows
from drillmark import workspace
from drillmark.cli import beside, overdue_drills, reminding
from drillmark.errors import InvalidDefinitionError
from drillmark.fleet.database import Database
from drillmark.fleet.overdue import Late
from drillmark.telling.news import Message
from drillmark.telling.quiet import Waiting
from receivers import WITHIN_SECONDS, receiving

LATE = Late("shop@2027-03-01T03:00Z", "shop", "drills/shop.yaml", "it could not begin within its time")


@pytest.fixture
def ear():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def root(tmp_path, ear):
    target = {"environment": "staging", "tier": 1, "activities": []}
    drill = {"id": "weekly", "title": "db is lost", "owner": "team", "target": "db", "fault": "experiments/x.yaml"}
    channel = {"name": "ops", "url": f"json://127.0.0.1:{ear.port}/", "on": ["overdue"]}
    texts = {
        "drillmark.yaml": {"notifications": {"channels": [channel]}},
        "targets.yaml": {"targets": {"db": target, "web": target | {"tier": 2}}},
        "drills/weekly.yaml": drill,
        LATE.source: drill | {"id": LATE.drill, "target": "web"},
    }
    (tmp_path / "drills").mkdir()
    for name, value in texts.items():
        (tmp_path / name).write_text(yaml.safe_dump(value))
    return tmp_path


def reminder(root, said: list[str], days: list[date]) -> reminding.Reminder:
    database = Database(root)
    database.prepare()
    return reminding.Reminder(root, workspace.load_settings(root), database, said.append, lambda: days[-1])


def test_each_drill_is_told_of_once_a_day_by_one_worker(root, ear):
    said: list[str] = []
    days = [date(2027, 2, 1)]
    first, second = reminder(root, said, days), reminder(root, said, days)
    first.look()
    assert ear.titles() == []  # the quarter is long
    days.append(date(2027, 3, 10))
    first.missed(LATE)
    for one in (first, second, first):
        one.missed(LATE)
        one.look()
    assert ear.titles() == ["shop is overdue, and 1 more"]
    (body,) = [body["message"] for body in ear.json()]
    assert "weekly is overdue\ndb has no passing drill in 2027Q1, which ends on 2027-03-31" in body
    assert "shop is overdue\nshop@2027-03-01T03:00Z did not run" in body
    days.append(date(2027, 3, 11))
    second.look()
    first.look()
    assert ear.titles()[1:] == ["weekly is overdue"]
    assert said == []


def queue_has_it(root) -> None:
    database = Database(root)
    database.prepare()
    late = {"state": "ended", "verdict": "missed", "reason": LATE.says}
    fleet_rows.add(database, LATE.occurrence, "db", source=LATE.source, **late)
    database.close()


# A worker that ends at once, as by SIGKILL, when it comes to this call; `after`: when it comes back from it.
KILLED = """
import os, sys
from datetime import date
from pathlib import Path
from drillmark import telling, workspace
from drillmark.cli import reminding
from drillmark.fleet.database import Database
from drillmark.telling.quiet import Waiting

root, name, after = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "after"
owner = Waiting if name == "told" else telling
real = getattr(owner, name)

def ends(*arguments, **more):
    if after:
        real(*arguments, **more)
    os._exit(9)

setattr(owner, name, ends)
reminding.Reminder(root, workspace.load_settings(root), Database(root), print, lambda: date(2027, 2, 1)).look()
"""


@pytest.mark.parametrize(
    ("call", "when", "times"),
    [
        pytest.param("keep", "before", 1, id="before-it-waits-on-disk"),
        pytest.param("keep", "after", 1, id="before-it-is-marked"),
        pytest.param("tell", "before", 1, id="before-it-is-sent"),
        pytest.param("told", "before", 2, id="before-it-is-known-to-have-arrived"),
    ],
)
def test_what_a_killed_worker_did_not_tell_the_next_one_tells(root, ear, call, when, times):
    queue_has_it(root)
    killed = [sys.executable, "-c", KILLED, str(root), call, when]
    assert subprocess.run(killed, check=False, timeout=WITHIN_SECONDS).returncode == 9
    for _ in range(2):
        reminder(root, [], [date(2027, 2, 1)]).look()
    assert ear.titles() == ["shop is overdue"] * times


def test_two_workers_at_once_tell_once_and_a_dead_channel_gets_it_later(root, ear):
    said: list[str] = []
    days = [date(2027, 2, 1)]
    first, second = (reminder(root, said, days) for _ in range(2))
    first.missed(LATE)
    second.missed(LATE)
    ear.status = 500
    ear.holds.clear()
    with ThreadPoolExecutor(1) as pool:
        tells = pool.submit(first.look)
        ear.wait(lambda: len(ear.received) == 1, "message of the first one")
        second.look()
        assert len(ear.received) == 1
        ear.holds.set()
        tells.result(WITHIN_SECONDS)
    assert any('ops was not told "shop is overdue"' in text for text in said), said
    ear.status = 200
    ear.received.clear()
    for _ in range(2):
        reminder(root, said, days).look()
    assert ear.titles() == ["shop is overdue"]


def test_what_cannot_be_marked_is_not_told_at_every_look(root, ear):
    one = reminder(root, [], [date(2027, 2, 1)])
    one.missed(LATE)
    database = Database(root)
    with database.transaction() as connection:
        connection.execute(
            sa.text(
                "create trigger full_disk before insert on fleet_happenings"
                " begin select raise(abort, 'the disk is full'); end"
            )
        )
    for _ in range(2):
        with pytest.raises(SQLAlchemyError, match="the disk is full"):
            one.look()
    assert ear.titles() == []
    with database.transaction() as connection:
        connection.execute(sa.text("drop trigger full_disk"))
    database.close()
    one.look()
    assert ear.titles() == ["shop is overdue"]


def test_what_cannot_wait_on_disk_is_not_marked_as_told(root, ear):
    days = [date(2027, 2, 1)]
    one = reminder(root, [], days)
    one.missed(LATE)
    in_the_way = root / ".drillmark" / "notifications"
    in_the_way.touch()
    for _ in range(2):
        with pytest.raises(OSError, match="notifications"):
            one.look()
    in_the_way.unlink()
    one.look()
    assert ear.titles() == ["shop is overdue"]


def test_in_quiet_hours_it_waits_unless_it_is_let_through_and_both_are_counted(root, ear):
    # All day but for the minute before midnight, in whichever zone that is far away.
    zone = "Etc/UTC" if datetime.now(tz=UTC).hour < 12 else "Pacific/Kiritimati"
    quiet = {"from": "00:00", "to": "23:59", "time_zone": zone}
    settings = yaml.safe_load((root / "drillmark.yaml").read_text())
    waiting = Waiting(root / ".drillmark" / "notifications" / "waiting.jsonl")
    waiting.add("ops", [Message("end", "of the night")])

    def look(let_through: list[str]) -> list[str]:
        settings["notifications"]["quiet"] = quiet | {"let_through": let_through}
        (root / "drillmark.yaml").write_text(yaml.safe_dump(settings))
        one = reminder(root, [], [date(2027, 2, 1)])
        counted: list[str] = []
        one.on_outcome = lambda _channel, _message, outcome, _reason: counted.append(outcome)
        one.missed(LATE)
        one.look()
        return counted

    assert (look([]), ear.titles()) == (["waiting"], [])
    assert (look(["overdue"]), ear.titles()) == (["sent"], ["shop is overdue"])
    assert [message.title for message in waiting.of("ops")] == ["of the night"]


def test_a_broken_workspace_silences_no_day(root, ear):
    one = reminder(root, [], [date(2027, 3, 10)])
    good = (root / "targets.yaml").read_text()
    (root / "targets.yaml").write_text("targets: {")
    one.missed(LATE)
    for _ in range(2):
        with pytest.raises(InvalidDefinitionError, match=r"targets\.yaml"):
            one.look()
    assert ear.titles() == ["shop is overdue"]
    (root / "targets.yaml").write_text(good)
    one.look()
    assert ear.titles()[1:] == ["weekly is overdue"]


def test_a_target_that_no_drill_is_for_is_told_and_shown_by_its_own_name(root, ear):
    targets = yaml.safe_load((root / "targets.yaml").read_text())
    targets["targets"]["bare"] = targets["targets"]["db"]
    (root / "targets.yaml").write_text(yaml.safe_dump(targets))
    queue_has_it(root)
    one = reminder(root, [], [date(2027, 3, 10)])
    one.look()
    (body,) = [body["message"] for body in ear.json()]
    for drill, reason in overdue_drills.Reasons(root).look(date(2027, 3, 10)).items():  # as `/metrics` asks
        assert f"{drill} is overdue\n{reason}" in body
    assert "bare is overdue\nbare has no passing drill in 2027Q1, which ends on 2027-03-31; there is no drill" in body
    assert "shop is overdue\nshop@2027-03-01T03:00Z did not run" in body


def test_beside_a_worker_it_is_told_and_a_dead_channel_is_said(root, ear, monkeypatch):
    monkeypatch.setattr(beside, "_LOOK_SECONDS", 0.05)
    ear.status = 500
    said: list[str] = []
    one = reminder(root, said, [date(2027, 2, 1)])
    with reminding.beside(one, workspace.load_settings(root), said.append):
        one.missed(LATE)
        deadline = time.monotonic() + WITHIN_SECONDS
        while not said and time.monotonic() < deadline:
            time.sleep(0.05)
    assert any('ops was not told "shop is overdue"' in text for text in said), said
