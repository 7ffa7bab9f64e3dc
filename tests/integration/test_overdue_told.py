"""What is overdue is told to channels once a day, however many workers look: a real webhook, both databases' tables."""

from __future__ import annotations

import time
from datetime import date

import pytest
import yaml

from drillmark import workspace
from drillmark.cli import beside, reminding
from drillmark.fleet.database import Database
from drillmark.fleet.overdue import Late
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
        "targets.yaml": {"targets": {"db": target}},
        "drills/weekly.yaml": drill,
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
    ear.wait(lambda: len(ear.received) >= 2, "two messages")
    assert sorted(ear.titles()) == ["shop is overdue", "weekly is overdue"]
    bodies = " ".join(body["message"] for body in ear.json())
    assert "db has no passing drill in 2027Q1, which ends on 2027-03-31" in bodies
    assert "shop@2027-03-01T03:00Z did not run" in bodies
    days.append(date(2027, 3, 11))
    second.look()
    first.look()
    assert ear.titles()[2:] == ["weekly is overdue"]
    assert said == []


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
