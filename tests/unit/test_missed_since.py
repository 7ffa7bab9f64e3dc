"""Until when a drill that was missed is overdue: until a run of it comes to a verdict, or the drill is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import fleet_rows
from drillmark import clock, schedule_runs
from drillmark.engine.paths import WorkspacePaths
from drillmark.fleet.database import Database, now
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind

DRILL = "id: shop\ntitle: x\nowner: team\ntarget: db\nmode: tabletop\nschedule: {every: week}\n"
HOUR = 3600.0
PASSED, FAILED = ("passed", 0), ("failed", 1)
# How a run ends that is over without having told anything.
NO_VERDICT = [("unknown", 4), ("unknown", 5), ("unknown", 3), ("failed", 3)]


class Shop:
    """A drill that was missed two hours ago, and what is noted of it since."""

    def __init__(self, root: Path, database: Database) -> None:
        self.root, self.database = root, database
        with database.transaction() as connection:
            self.now = now(connection)
        self.note("shop@0", "missed", hours_ago=2.0, reason="no worker was there")

    def note(self, name: str, verdict: str | None, *, hours_ago: float = 1.0, **more: object) -> None:
        """A row of the queue, which has ended unless `state` says otherwise."""
        due_at = self.now - hours_ago * HOUR
        more = {"source": "drills/shop.yaml", "state": "ended", "verdict": verdict, "due_at": due_at} | more
        fleet_rows.add(self.database, name, "db", **more)

    def run(self, run: str, ended: tuple[str, int] | None, *, hours_ago: float = 1.0) -> None:
        """A run in the journal; None: it goes on."""
        store = open_store(WorkspacePaths(self.root))
        started_ns = round((self.now - hours_ago * HOUR) * 1e9)
        store.create(RunRow(run, "shop", "db", f"reports/runs/{run}", 1, started_ns))
        if ended is not None:
            data = {"verdict": ended[0], "exit_code": ended[1]}
            store.append(None, run=run, epoch=1, kind=Kind.RUN_ENDED, stamp=clock.now(), data=data)
        store.close()

    def missed(self) -> list[str]:
        return [one.occurrence for one in schedule_runs.missed(self.root)]


@pytest.fixture
def shop(tmp_path) -> Iterator[Shop]:
    (tmp_path / "drills").mkdir()
    (tmp_path / "drills" / "shop.yaml").write_text(DRILL)
    database = Database(tmp_path)
    database.prepare()
    yield Shop(tmp_path, database)
    database.close()


def test_a_run_without_a_verdict_leaves_it_overdue_whoever_started_it(shop):
    for number, verdict in enumerate(("unknown", "refused", "invalid", "aborted")):
        shop.note(f"shop@{number + 1}", verdict)
    for number, ended in enumerate([None, *NO_VERDICT]):
        shop.run(f"r{number}", ended)
    shop.run("before", PASSED, hours_ago=3.0)
    assert shop.missed() == ["shop@0"]


@pytest.mark.parametrize("ended", [PASSED, FAILED])
def test_a_run_with_a_verdict_ends_it_whoever_started_it(shop, ended):
    shop.run("by-hand", ended)
    assert shop.missed() == []


def test_a_run_of_a_worker_that_passed_ends_it_although_its_journal_is_gone(shop):
    shop.note("shop@1", "passed", run="r1")
    assert shop.missed() == []


def test_a_run_of_a_worker_that_failed_ends_it_unless_it_was_aborted(shop, monkeypatch):
    monkeypatch.setattr(schedule_runs, "_AMONG", 0)  # as if two thousand runs of others had begun since
    shop.note("shop@1", "failed", run="r1")
    assert shop.missed() == ["shop@0"], "of a run without a journal nobody knows whether it was aborted"
    shop.run("r1", ("failed", 3))
    assert shop.missed() == ["shop@0"]
    shop.note("shop@2", "failed", run="r2")
    shop.run("r2", FAILED)
    assert shop.missed() == []


def test_the_last_time_that_was_missed_is_told_also_while_its_gap_is_not_filed_yet(shop):
    shop.note("shop@1", "passed", run="r1")
    shop.note("shop@2", "missed", hours_ago=0.5)
    assert shop.missed() == ["shop@2"]
    shop.note("shop@3", None, hours_ago=0.25, state="waiting", until_at=shop.now - 60)
    (late,) = schedule_runs.missed(shop.root)
    assert (late.occurrence, late.says) == ("shop@3", "it could not begin within its time: no worker was there")


def test_a_drill_that_is_gone_is_not_overdue(shop):
    path = shop.root / "drills" / "shop.yaml"
    path.rename(shop.root / "drills" / "moved.yaml")
    assert shop.missed() == ["shop@0"]
    (shop.root / "drills" / "moved.yaml").write_text("id: [")
    path.write_text("title: half saved")
    assert shop.missed() == ["shop@0"]
    path.unlink()
    assert shop.missed() == []
