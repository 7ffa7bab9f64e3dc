"""The drills with a schedule: which files are read, and when they are read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drillmark.define.schedule import Schedule
from drillmark.errors import InvalidDefinitionError
from drillmark.fleet.plans import Plans, digest
from drillmark.workspace import Workspace

DRILL = "id: {name}\ntitle: x\nowner: team\ntarget: db\nmode: check\nfault: experiments/x.yaml\nschedule: {schedule}\n"
FREEZE = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//EN\r
BEGIN:VEVENT\r
UID:1\r
DTSTAMP:20260101T000000Z\r
DTSTART;VALUE=DATE:{day}\r
SUMMARY:{summary}\r
END:VEVENT\r
END:VCALENDAR\r
"""


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "drills").mkdir()
    (tmp_path / "targets.yaml").write_text("targets: {db: {environment: test}}\n")
    return tmp_path


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def plans(root, said) -> Plans:
    return Plans(root, said.append)


def write(root: Path, name: str, schedule: str = "{every: week}", file: str = "") -> Path:
    path = root / "drills" / (file or f"{name}.yaml")
    path.write_text(DRILL.format(name=name, schedule=schedule))
    return path


def names(plans: Plans) -> list[str]:
    return sorted(planned.drill.id for planned in plans.read())


def test_a_file_is_read_again_only_when_it_changed(root, plans, said, monkeypatch):
    write(root, "one"), write(root, "two")
    read: list[str] = []
    whole = Plans._parse
    monkeypatch.setattr(Plans, "_parse", lambda self, source: read.append(source) or whole(self, source))
    assert names(plans) == names(plans) == ["one", "two"]
    assert read == ["drills/one.yaml", "drills/two.yaml"]
    write(root, "other", file="one.yaml")
    assert names(plans) == ["other", "two"]
    assert read[2:] == ["drills/one.yaml"]
    assert not said


def test_another_file_of_the_same_size_and_time_is_another(root, plans):
    path = write(root, "one")
    assert names(plans) == ["one"]
    before = path.stat()
    fresh = write(root, "two", file="new")
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.rename(path)
    assert names(plans) == ["two"]


def test_a_file_that_went_and_comes_back_as_it_was_is_planned_again(root, plans):
    path = write(root, "one")
    assert names(plans) == ["one"]
    path.rename(root / "aside")
    assert names(plans) == []
    (root / "aside").rename(path)
    assert names(plans) == ["one"]


def test_a_calendar_file_that_changed_counts(root, plans):
    (root / "freeze.ics").write_text(FREEZE.format(day="20270101", summary="first"))
    write(root, "one", "{every: week, blackouts: [freeze.ics]}")
    (before,) = plans.read()
    assert plans.read()[0] is before
    before.looked_until = object()
    (root / "freeze.ics").write_text(FREEZE.format(day="20270202", summary="second one"))
    (after,) = plans.read()
    assert after.files != before.files
    # Its schedule is the same: how far it was looked at is not forgotten.
    assert after.looked_until is before.looked_until


def test_a_drill_whose_calendar_file_was_broken_comes_back_when_that_is_repaired(root, plans, said):
    freeze = root / "freeze.ics"
    whole = FREEZE.format(day="20270101", summary="first")
    freeze.write_text(whole)
    write(root, "one", "{every: week, blackouts: [freeze.ics]}"), write(root, "two")
    assert names(plans) == ["one", "two"]
    freeze.write_text("no calendar")
    assert names(plans) == names(plans) == ["two"]
    assert len(said) == 1
    assert "freeze.ics is no calendar file" in said[0]
    freeze.write_text(whole)
    assert names(plans) == ["one", "two"]
    freeze.unlink()
    assert names(plans) == names(plans) == ["two"]
    freeze.write_text(whole)
    assert names(plans) == ["one", "two"]
    assert len(said) == 2


def test_a_file_that_could_not_be_read_for_once_is_read_again(root, plans, said, monkeypatch):
    assert names(plans) == []
    path = write(root, "one")
    monkeypatch.setattr("drillmark.workspace_files.BYTES_LIMIT", 1)
    assert names(plans) == names(plans) == []
    monkeypatch.undo()
    assert names(plans) == ["one"]
    assert len(said) == 1
    path.unlink()
    assert names(plans) == []


@pytest.mark.parametrize("text", ["targets: {db: {environment: te", "targets: {db: {colour: blue}}\n", None])
def test_without_its_targets_no_drill_is_planned_until_they_can_be_read(root, plans, text):
    write(root, "one")
    targets = root / "targets.yaml"
    good = targets.read_text()
    for _ in ("before anything was read", "after all was well"):
        if text is None:
            targets.unlink()
        else:
            targets.write_text(text)
        for _ in range(2):
            with pytest.raises(InvalidDefinitionError, match=r"targets\.yaml"):
                plans.read()
        targets.write_text(good)
        (planned,) = plans.read()
        assert plans.target(planned.drill).environment == "test"


def test_targets_that_could_not_be_read_for_once_are_read_again(root, plans, monkeypatch):
    write(root, "one")
    monkeypatch.setattr("drillmark.workspace_files.BYTES_LIMIT", 1)
    with pytest.raises(InvalidDefinitionError, match=r"targets\.yaml"):
        plans.read()
    monkeypatch.undo()
    (planned,) = plans.read()
    assert plans.target(planned.drill) is not None


def test_one_that_is_asked_for_alone_is_read_again_and_all_know_it(root, plans):
    write(root, "one")
    assert names(plans) == ["one"]
    write(root, "one", "{every: month}")
    asked = plans.one("drills/one.yaml")
    assert plans.read() == [asked]
    assert asked.schedule.every == "month"
    write(root, "one", "{every: blue moon}")
    assert "drills/one.yaml" in plans.one("drills/one.yaml")
    assert plans.read() == []
    assert plans.one("drills/none.yaml") is None


def test_of_two_with_one_id_the_first_counts_and_the_other_is_told_once(root, plans, said):
    write(root, "one"), write(root, "one", "{every: month}", file="second.yaml")
    for _ in range(3):
        assert [planned.source for planned in plans.read()] == ["drills/one.yaml"]
    assert said == ["drills/second.yaml: its id is that of drills/one.yaml; nothing of it runs"]


def test_one_that_cannot_be_read_is_told_once_and_harms_no_other(root, plans, said):
    write(root, "one"), write(root, "two", "{every: blue moon}")
    assert names(plans) == names(plans) == ["one"]
    assert len(said) == 1
    assert said[0].startswith("drills/two.yaml: ")


def test_drills_are_found_in_folders_but_not_behind_links_that_lead_out(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "far.yaml").touch()
    (root / "drills" / "quarterly" / "deep").mkdir(parents=True)
    for name in ("quarterly/a.yaml", "quarterly/deep/b.yml", "c.yaml", "d.txt"):
        (root / "drills" / name).touch()
    (root / "drills" / "link").symlink_to(outside)
    (root / "drills" / "dangling.yaml").symlink_to(outside / "none.yaml")
    assert Workspace(root).drills() == ["drills/c.yaml", "drills/quarterly/a.yaml", "drills/quarterly/deep/b.yml"]


def test_where_labels_differ_the_target_counts_before_what_it_touches(root, plans):
    """The row of a schedule asks for the same worker as the row of a run by hand."""
    targets = """targets:
  db: {environment: test, touches: [zone, api], labels: {region: eu}}
  api: {environment: test, labels: {region: us, network: inner}}
  zone: {environment: test, labels: {network: outer, zone: z}}
"""
    (root / "targets.yaml").write_text(targets)
    write(root, "one")
    (planned,) = plans.read()
    assert plans.locked(planned.drill) == ["api", "db", "zone"]
    assert plans.labels(planned.drill) == {"region": "eu", "network": "inner", "zone": "z"}


class LaterSchedule(Schedule):
    """As a later version may have it."""

    later: str | None = None


def test_a_schedule_is_the_same_to_a_version_whose_schedules_have_more_fields():
    """Else an upgrade would call every schedule new, and forget what was due while no worker was there."""
    stated = {"every": "week", "window": {"from": "02:00", "to": "05:00"}, "jitter": "10m"}
    now, later = Schedule.model_validate(stated), LaterSchedule.model_validate(stated)
    assert later.model_dump_json() != now.model_dump_json()
    assert digest(later) == digest(now)
    assert digest(Schedule.model_validate(stated | {"jitter": "11m"})) != digest(now)
