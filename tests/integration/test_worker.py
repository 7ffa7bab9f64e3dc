"""`drillmark worker` alone: the scheduler for one machine, with nothing else installed."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import file_drill
from worker_process import Worker, look_back, rows, wait_for

pytestmark = pytest.mark.drill


@pytest.fixture
def service(tmp_path):
    served = tmp_path / "served"
    with file_drill.serving(served) as url:
        yield url, served


def add_one_that_nobody_can_take(root: Path) -> None:
    """A second drill, on a target with a label that no worker has."""
    targets = yaml.safe_load((root / "targets.yaml").read_text())
    targets["targets"]["on-mars"] = targets["targets"]["the-file"] | {"labels": {"region": "mars"}}
    (root / "targets.yaml").write_text(yaml.safe_dump(targets))
    drill = yaml.safe_load((root / file_drill.DRILL).read_text())
    (root / "drills" / "on-mars.yaml").write_text(yaml.safe_dump(drill | {"id": "on-mars", "target": "on-mars"}))


def shows_what_is_true(worker: Worker, root: Path) -> None:
    """What the alerts rest on, as a worker exposes it while a run is under its fault for longer than its RTO."""

    def seen() -> dict[str, float]:
        said = next((line.split("http://")[1].split()[0] for line in worker.lines if "metrics and health" in line), "")
        try:
            with urllib.request.urlopen(f"http://{said}/metrics", timeout=10) as answer:
                families = text_string_to_metric_families(answer.read().decode())
        except (OSError, ValueError):
            return {}
        found: dict[str, float] = {}
        for family in families:
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}"] = sample.value
        return found

    true = {
        "drillmark_run_rto_used_ratio{drill=file-lost}": lambda ratio: ratio > 1,
        "drillmark_notifications_total{channel=ops,event=start,outcome=failed}": lambda count: count >= 1,
        "drillmark_notifications_total{channel=ops,event=end,outcome=failed}": lambda count: count == 0,
        "drillmark_undo_failures_total{drill=on-mars,target=on-mars}": lambda count: count == 0,
        "drillmark_waiting_drills{}": lambda count: count >= 2,
        "drillmark_running_drills{}": lambda count: count == 1,
        "drillmark_drill_overdue{drill=on-mars}": lambda is_so: is_so == 1,
        "drillmark_drill_next_due_timestamp_seconds{drill=on-mars}": lambda at: abs(at - time.time()) < 600,
        "drillmark_gaps_open{severity=medium}": lambda count: count >= 2,
        "drillmark_fault_in_effect{drill=file-lost,target=the-file}": lambda is_so: is_so == 1,
    }

    were_true: set[str] = set()

    def all_were_true() -> bool:
        found = seen()
        were_true.update(name for name, holds in true.items() if name in found and holds(found[name]))
        return were_true == set(true)

    assert wait_for(all_were_true), (set(true) - were_true, seen(), worker.lines)
    filed = [path.read_text() for path in (root / "reports" / "gaps").glob("GAP-*.yaml")]
    assert [("did not run" in text, "before it" in text) for text in filed] == [(True, True)] * 2, filed


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
    dead = {"name": "ops", "url": "json://127.0.0.1:9/", "on": ["start"]}
    root = file_drill.make(
        tmp_path / "ws",
        service,
        settings={"metrics": {"listen": "127.0.0.1:0"}, "notifications": {"channels": [dead]}},
        objectives={"rto": "1s", "slo": {"availability": "90%"}},
        schedule={"cron": "* * * * *"},
        phases={"baseline": "1500ms", "soak": "2s", "hold": "1s", "recover": {"deadline": "20m"}},
        recover=[{"name": "stay", "type": "action", "provider": stay}],
        rollbacks=[file_drill.put_back(served)],
    )
    add_one_that_nobody_can_take(root)
    # More than `missed: skip` makes up for.
    look_back(root, 600)
    first = Worker(root, "--slots", "1")
    try:
        assert wait_for(lambda: served.with_name("aside").exists()), first.lines
        shows_what_is_true(first, root)
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
