"""`drillmark worker` alone: the scheduler for one machine, with nothing else installed."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import file_drill
from drillmark.fleet.agenda import Agenda
from drillmark.fleet.database import Database

pytestmark = pytest.mark.drill
PATIENCE_SECONDS = 240.0


@pytest.fixture
def service(tmp_path):
    served = tmp_path / "served"
    with file_drill.serving(served) as url:
        yield url, served


def look_back(root: Path, seconds: float) -> None:
    """The workspace's schedules are known, and were looked at so long ago: as if a worker had been here before."""
    database = Database(root)
    database.prepare()
    Agenda(root, database, print).look()
    database.close()
    with sqlite3.connect(root / ".drillmark" / "fleet.sqlite3") as connection:
        connection.execute("delete from fleet_wants")
        connection.execute("delete from fleet_occurrences")
        connection.execute("update fleet_drills set looked_until = looked_until - ?", (seconds + 60,))


def rows(root: Path, query: str) -> list[tuple]:
    with sqlite3.connect(root / ".drillmark" / "fleet.sqlite3", timeout=20) as connection:
        return connection.execute(query).fetchall()


def wait_for(what, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    seen = what()
    while not seen and time.monotonic() < deadline:
        time.sleep(0.2)
        seen = what()
    return seen


class Worker:
    """A worker, its output, and its end."""

    def __init__(self, root: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "drillmark", "worker", *arguments]
        self.process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def end(self, number=signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            self.process.stdout.close()


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
