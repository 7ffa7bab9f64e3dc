"""`drillmark worker` alone: the scheduler for one machine, with nothing else installed."""

from __future__ import annotations

import json
import signal

import pytest

import file_drill
from worker_process import Worker, look_back, rows, wait_for

pytestmark = pytest.mark.drill


@pytest.fixture
def service(tmp_path):
    served = tmp_path / "served"
    with file_drill.serving(served) as url:
        yield url, served


def test_a_due_drill_runs_once_files_its_gap_and_is_kept(tmp_path, service, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setenv("DRILLMARK_ARTIFACTS", str(kept))
    root = file_drill.make(
        tmp_path / "ws",
        service,
        schedule={"cron": "* * * * *"},
        objectives={"rto": "1ms", "slo": {"availability": "90%"}},
    )
    look_back(root, 60)
    worker = Worker(root)
    try:
        ended = wait_for(lambda: rows(root, "select occurrence, verdict from fleet_occurrences where state = 'ended'"))
        assert worker.end() == 0, worker.lines
    finally:
        worker.end(signal.SIGKILL)
    assert ended, worker.lines
    assert {verdict for _, verdict in ended} == {"failed"}, worker.lines
    # Drained: what had begun has ended, once, and nothing is held any more.
    begun = rows(root, "select occurrence, count(*) from fleet_happenings where what = 'started' group by 1")
    ends = rows(root, "select occurrence, count(*) from fleet_happenings where what = 'ended' group by 1")
    assert sorted(begun) == sorted(ends)
    assert {count for _, count in ends} == {1}
    assert rows(root, "select * from fleet_locks") == []
    assert list((root / "reports" / "gaps").glob("GAP-*.yaml"))
    listed = json.loads(file_drill.drillmark(root, "list", "--json").stdout)
    assert len(listed if isinstance(listed, list) else listed["runs"]) == len(ends)
    ran = {path.name for path in (root / "reports" / "runs").iterdir()}
    assert {path.parent.name for path in kept.glob("*/artifacts.json")} == ran, worker.lines


def test_a_worker_that_was_killed_is_followed_by_one_that_takes_the_run_up(tmp_path, service):
    _, served = service
    # It stays under its fault for as long as this file is there, however slow the machine.
    hold = tmp_path / "hold"
    hold.touch()
    waits = f"while [ -e '{hold}' ]; do sleep 0.2; done"
    stay = {"type": "process", "path": "sh", "arguments": ["-c", waits], "timeout": 600}
    root = file_drill.make(
        tmp_path / "ws",
        service,
        schedule={"cron": "* * * * *"},
        recover=[{"name": "stay", "type": "action", "provider": stay}],
        rollbacks=[file_drill.put_back(served)],
    )
    look_back(root, 60)
    first = Worker(root, "--slots", "1")
    try:
        assert wait_for(lambda: served.with_name("aside").exists()), first.lines
    finally:
        first.end(signal.SIGKILL)
        hold.unlink()
    second = Worker(root, "--slots", "1")
    try:
        taken = wait_for(lambda: rows(root, "select occurrence from fleet_happenings where what = 'taken_over'"))
        assert taken, second.lines
        ended = wait_for(
            lambda: rows(
                root,
                f"select verdict, reason from fleet_occurrences where occurrence = '{taken[0][0]}' and state = 'ended'",
            )
        )
        assert second.end() == 0, second.lines
    finally:
        second.end(signal.SIGKILL)
    assert ended, second.lines
    assert served.exists()
    assert not served.with_name("aside").exists()
    assert "lost" in ended[0][1], ended
    assert rows(
        root, f"select count(*) from fleet_happenings where what = 'ended' and occurrence = '{taken[0][0]}'"
    ) == [(1,)]
    assert rows(root, "select * from fleet_locks") == []
