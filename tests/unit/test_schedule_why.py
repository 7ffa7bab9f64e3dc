"""`drillmark schedule why` says what the run itself will be told: the same judgement, at the moment when it is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from drillmark.cli import main

# Shut now, and open when it is due.
DUE = datetime.now(tz=UTC) + timedelta(hours=6)
OPEN = {"from": f"{DUE:%H:%M}", "to": f"{DUE + timedelta(hours=1):%H:%M}"}
SCHEDULE = {"cron": f"{DUE.minute} {DUE.hour} * * *", "window": OPEN}
TARGETS = {
    "shop": {"environment": "production", "tier": 2, "activities": []},
    "front": {"environment": "staging", "tier": 2, "activities": [], "touches": ["shop"]},
}


@pytest.fixture(params=["shop", "front"])
def root(request, tmp_path, monkeypatch) -> Path:
    """A drill in production, also where only what its target touches is there."""
    (tmp_path / "drillmark.yaml").write_text("approvers: [Ada]\n")
    (tmp_path / "targets.yaml").write_text(yaml.safe_dump({"targets": TARGETS}))
    (tmp_path / "drills").mkdir()
    put(tmp_path, target=request.param)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(root: Path, **fields: object) -> None:
    path = root / "drills" / "daily.yaml"
    before = yaml.safe_load(path.read_text()) if path.exists() else {}
    drill = {"id": "daily", "title": "x", "owner": "team", "mode": "tabletop", "schedule": SCHEDULE}
    path.write_text(yaml.safe_dump(drill | before | fields))


def drillmark(*words: str) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def why() -> str:
    """Of the next time."""
    return drillmark("schedule", "why", "daily").splitlines()[-1]


def approve(expires: str) -> None:
    drillmark("approve", "daily", "--by", "Ada", "--reason", "agreed", "--expires", expires)


def test_production_needs_an_approval_of_this_plan(root):
    assert "will not run as things stand: daily reaches production, and nobody has approved plan" in why()
    approve("2d")
    assert "names that time, and nothing stands against it" in why()
    put(root, title="another")
    assert "will not run as things stand: its plan changed since it was approved by Ada" in why()


def test_an_approval_that_has_ended_by_then_is_none(root):
    approve("1h")
    assert "will not run as things stand: its approval has expired" in why()


def test_a_stop_is_told_once_and_rules_are_told_with_it(root):
    (root / "drillmark.yaml").write_text("approvers: [Ada]\nblast_radius: {environments: [lab]}\n")
    approve("2d")
    drillmark("stop", "--by", "Lin", "--reason", "incident 7")
    told = why()
    assert told.count("incident 7") == 1
    assert "lab" in told.partition("will not run as things stand: ")[2]


def test_a_drill_that_is_not_valid_is_told_so(root):
    put(root, target="nobody")
    assert "will not run as things stand: it is not valid (" in why()
