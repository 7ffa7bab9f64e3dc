"""`drillmark schedule run`, which other schedulers call: what uses up a time, and the start that its jitter gives it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from drillmark import calendar, clock, schedule_runs, scheduled, workspace_schedules
from drillmark.calendar.export import WRITERS, Job
from drillmark.cli import main, schedule_out
from drillmark.engine.paths import WorkspacePaths
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind
from schedules import at, schedule

DUE = at("2027-01-12 03:00")
SCHEDULE = {"cron": "0 3 * * *", "jitter": "30m"}
HOUR = timedelta(hours=1)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    made = {"id": "daily", "title": "x", "owner": "team", "target": "db", "mode": "tabletop", "schedule": SCHEDULE}
    (tmp_path / "drills").mkdir()
    for name, text in (
        ("drillmark.yaml", "{}\n"),
        ("targets.yaml", "targets: {db: {environment: staging, activities: []}}\n"),
        ("drills/daily.yaml", yaml.safe_dump(made)),
    ):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(root: Path, run: str, started: datetime, **abort: object) -> None:
    store = open_store(WorkspacePaths(root))
    store.create(RunRow(run, "daily", "db", f"reports/runs/{run}", 1, round(started.timestamp() * 1e9)))
    of_it = {"run": run, "epoch": 1, "stamp": clock.now()}
    first = store.append(None, kind=Kind.RUN_STARTED, data={}, **of_it)
    if abort:
        store.append(first, kind=Kind.ABORT, data=abort, **of_it)
    store.close()


def test_a_refused_run_does_not_use_up_its_time(root):
    one, now = scheduled.one(root, "daily"), DUE + timedelta(minutes=20)
    record(root, "refused", DUE + timedelta(minutes=1), by="runner", reason="nobody approved it", refused=True)
    assert schedule_runs.not_now(root, one, now, HOUR) == ""
    record(root, "aborted", DUE + timedelta(minutes=2), by="person", reason="stopped by hand")
    record(root, "refused-again", DUE + timedelta(minutes=3), by="runner", reason="target is busy", refused=True)
    assert "run aborted began since" in schedule_runs.not_now(root, one, now, HOUR)


def test_it_waits_for_the_start_that_its_jitter_gives_and_asks_again(root, monkeypatch):
    start = calendar.occurrence(schedule(**SCHEDULE), "daily", DUE).start
    assert start > DUE
    clocks = [DUE + timedelta(seconds=5)]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clocks[0] += timedelta(seconds=seconds)
        record(root, "another", DUE + timedelta(seconds=9))

    monkeypatch.setattr(workspace_schedules, "now", lambda: clocks[0])
    monkeypatch.setattr(schedule_out.time, "sleep", sleep)
    # Its jitter may carry it past `--within`, which counts from when it is due.
    done = CliRunner().invoke(main, ["schedule", "run", "daily", "--within", "1m"])
    assert done.exit_code == 0, done.output
    assert slept == [(start - DUE).total_seconds() - 5]
    assert f"daily begins at {start:%H:%M:%S}Z, by its jitter" in done.stderr
    assert "run another began since" in done.stdout


def test_systemd_adds_no_delay_of_its_own(root):
    job = Job("daily", "x", schedule(**SCHEDULE), DUE, str(root), "drillmark", "", "")
    (timer,) = [text for name, text in WRITERS["systemd"](job).items() if name.endswith(".timer")]
    assert "RandomizedDelaySec" not in timer
