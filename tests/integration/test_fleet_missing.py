"""What could not begin within its time ends when its gap is filed: no failure, death or other worker loses that gap."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

import file_drill
import fleet_rows
from drillmark.cli import worker as command
from drillmark.fleet import gaps, overdue, tables
from drillmark.fleet.agenda import Agenda
from drillmark.fleet.database import Database
from drillmark.fleet.missing import Missing
from drillmark.fleet.overdue import Late

NAME = "file-lost@2027-01-05T02:00Z"


@pytest.fixture
def root(tmp_path) -> Path:
    schedule = {"cron": "* * * * *", "missed": "skip"}
    return file_drill.make(tmp_path / "ws", ("http://127.0.0.1:9/", tmp_path / "served"), schedule=schedule)


def add(database: Database, name: str = NAME, source: str = file_drill.DRILL) -> None:
    fleet_rows.add(database, name, "the-file", source=source, until_at=1000.0)


def end(root: Path, database: Database, reminded: list[Late] | None = None) -> list[str]:
    """A heartbeat of a worker that has just begun: what it says."""
    said: list[str] = []
    remind = (reminded if reminded is not None else []).append
    Missing(database, said.append).end(lambda late: command._missed(root, late, remind))
    return said


def filed(root: Path) -> list[list[str]]:
    """The occurrences of each gap that there is."""
    found = [yaml.safe_load(path.read_text()) for path in sorted((root / "reports" / "gaps").glob("GAP-*.yaml"))]
    return [[seen["run"] for seen in gap["occurrences"]] for gap in found]


def test_one_whose_gap_cannot_be_filed_waits_and_is_tried_again_at_each_heartbeat(root, database):
    add(database)
    fleet_rows.join(database)
    in_the_way = root / "reports" / "gaps"
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()
    said: list[str] = []
    reminded: list[Late] = []
    missing = Missing(database, said.append)
    for _ in range(3):
        missing.end(lambda late: command._missed(root, late, reminded.append))
        assert fleet_rows.row(database, NAME)["state"] == "waiting"
        assert fleet_rows.admit(database) == {}
    (told,) = said
    assert told.startswith(f"{NAME}: its gap cannot be filed yet: ")
    assert {late.occurrence for late in reminded} == {NAME}, "people are told of it all the same"
    in_the_way.unlink()
    (told,) = end(root, database)
    assert told.startswith(f"{NAME}: it could not begin within its time: no worker was there; filed GAP-")
    assert fleet_rows.row(database, NAME)["verdict"] == "missed"
    assert filed(root) == [[NAME]]
    assert end(root, database) == []


def test_a_worker_that_dies_after_it_has_filed_leaves_the_end_to_the_next_one(root, database):
    add(database)

    class KilledError(BaseException):
        """As a signal that ends the process."""

    def file(late: Late) -> str:
        gaps.file_missed(root, late)
        raise KilledError

    with pytest.raises(KilledError):
        Missing(database, print).end(file)
    assert (fleet_rows.row(database, NAME)["state"], filed(root)) == ("waiting", [[NAME]])
    assert len(end(root, database)) == 1
    assert (fleet_rows.row(database, NAME)["state"], filed(root)) == ("ended", [[NAME]])


def test_two_workers_at_once_file_one_gap_and_end_it_once(root, database):
    add(database)
    both_have_it = threading.Barrier(2)
    said: list[str] = []

    def file(late: Late) -> str:
        both_have_it.wait(60)
        return ", ".join(gaps.file_missed(root, late))

    workers = [threading.Thread(target=Missing(database, said.append).end, args=(file,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(said) == 1, said
    assert filed(root) == [[NAME]]
    assert fleet_rows.told(database, NAME) == ["missed"]


def test_a_drill_whose_gap_cannot_be_filed_keeps_no_other_back(root, database):
    names = ["broken@1", "broken@2", "well@1"]
    for name in names:
        add(database, name, f"drills/{name[:-2]}.yaml")

    def file(late: Late) -> str:
        if late.drill == "broken":
            raise OSError(5, "Input/output error")
        return "filed"

    said: list[str] = []
    Missing(database, said.append).end(file)
    assert [fleet_rows.row(database, name)["state"] for name in names] == ["waiting", "waiting", "ended"]
    assert sorted(text.partition(" ")[2] for text in said) == [
        "it could not begin within its time: no worker was there; filed",
        "its gap cannot be filed yet: [Errno 5] Input/output error",
    ]


def test_what_was_missed_while_nobody_was_there_is_filed_although_that_failed_at_first(root, database):
    Agenda(root, database, print).look()
    with database.transaction() as connection:
        earlier = tables.drills.c.looked_until - 3600
        connection.execute(sa.delete(tables.wants))
        connection.execute(sa.delete(tables.occurrences))
        connection.execute(sa.update(tables.drills).values(looked_until=earlier))
    targets = (root / "targets.yaml").read_text()
    Agenda(root, database, print).look()
    (root / "targets.yaml").write_text("targets: {")
    assert "its gap cannot be filed yet" in "".join(end(root, database))
    assert filed(root) == []
    (root / "targets.yaml").write_text(targets)
    (told,) = end(root, database)
    assert "and missed: skip makes up for none, and so did " in told
    ((name,),) = filed(root)
    with database.transaction() as connection:
        assert [late.occurrence for late in overdue.missed(connection)] == [name]


def test_a_drill_that_was_moved_has_its_gap_and_one_that_was_deleted_ends_without(root, database):
    moved = root / "drills" / "sub" / "moved.yaml"
    moved.parent.mkdir()
    (root / file_drill.DRILL).rename(moved)
    add(database)
    assert "; filed GAP-" in "".join(end(root, database))
    moved.unlink()
    add(database, "file-lost@2027-01-12T02:00Z")
    reminded: list[Late] = []
    (told,) = end(root, database, reminded)
    assert told.endswith("; there is no such drill any more, so no gap is filed")
    assert (reminded, filed(root)) == ([], [[NAME]])
