"""What a real `drillmark worker` shows of itself over HTTP, held against what its run left behind."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import debian
import file_drill
import fleet_rows
from drillmark.cli import showing
from drillmark.define.settings import Settings
from drillmark.fleet import tables
from drillmark.fleet.database import Database
from drillmark.fleet.performing import EngineProcess
from drillmark.fleet.terms import Terms
from drillmark.fleet.worker import Worker as InThisProcess
from worker_process import Worker, look_back, wait_for

ANY_PORT = {"metrics": {"listen": "127.0.0.1:0"}}


def ask(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{address}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def address_in(lines: list[str]) -> str:
    found = [match[1] for line in lines if (match := re.search(r"metrics and health at (http://\S+)", line))]
    return found[0] if found else ""


def just_now() -> dict[str, Any]:
    """Due two minutes ago, and then in a year: once while this looks."""
    due = datetime.now(tz=UTC) - timedelta(minutes=2)
    return {"cron": f"{due.minute} {due.hour} {due.day} {due.month} *", "missed": {"run_within": "6h"}}


@debian.needs("prometheus", found=bool(shutil.which("promtool")))
@pytest.mark.drill
def test_a_worker_shows_a_run_from_its_fault_to_its_gap(tmp_path):
    served, hold = tmp_path / "served", tmp_path / "hold"
    hold.touch()  # it stays under its fault for as long as this is there, however slow the machine
    waits = {"type": "process", "path": "sh", "arguments": ["-c", f"while [ -e '{hold}' ]; do sleep 0.2; done"]}
    seen: dict[str, float] = {}
    with file_drill.serving(served) as url:
        root = file_drill.make(
            tmp_path / "ws",
            (url, served),
            settings=ANY_PORT,
            schedule=just_now(),
            objectives={"rto": "1ms", "slo": {"availability": "90%"}},
            recover=[
                {"name": "stay", "type": "action", "provider": waits | {"timeout": 600}},
                file_drill.activity("copy-back", "shutil", "copyfile", src=str(tmp_path / "aside"), dst=str(served)),
            ],
        )
        look_back(root, 600)
        worker = Worker(root)
        try:
            address = wait_for(lambda: address_in(worker.lines))
            assert address, worker.lines

            def shows(name: str, value: float) -> bool:
                status, text = ask(address, "/metrics")
                assert status == 200
                seen.update(samples(text))
                return seen.get(name) == value

            assert wait_for(lambda: shows("drillmark_fault_in_effect drill=file-lost target=the-file", 1)), worker.lines
            assert wait_for(lambda: shows("drillmark_running_drills", 1)), seen
            assert seen["drillmark_run_in_progress drill=file-lost"] == 1
            assert json.loads(ask(address, "/healthz")[1]) == {"ok": True, "problems": {}, "draining": False}
            hold.unlink()
            ended = "drillmark_runs_total drill=file-lost verdict=failed"
            assert wait_for(lambda: shows(ended, 1) and shows("drillmark_gaps_open severity=high", 1)), seen
            _, text = ask(address, "/metrics")
            seen = samples(text)
            assert worker.end() == 0, worker.lines
        finally:
            worker.end(signal.SIGKILL)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    (path,) = root.glob("reports/runs/*/result.json")
    observed = json.loads(path.read_text())["rto"]["observed_seconds"]
    for bound in ("lo", "hi"):
        name = f"drillmark_drill_observed_seconds bound={bound} drill=file-lost objective=rto"
        assert seen.get(name) == observed[bound]
    filed = [yaml.safe_load(gap.read_text())["objective"] for gap in (root / "reports" / "gaps").glob("GAP-*.yaml")]
    assert filed.count("rto") == 1, filed  # a busy machine may miss the service level as well
    assert (seen["drillmark_waiting_drills"], seen["drillmark_running_drills"]) == (0, 0)
    assert seen["drillmark_fault_in_effect drill=file-lost target=the-file"] == 0
    assert seen["drillmark_run_in_progress drill=file-lost"] == 0
    due_in_days = (seen["drillmark_drill_next_due_timestamp_seconds drill=file-lost"] - time.time()) / 86400
    assert 364 < due_in_days < 367
    assert abs(time.time() - seen["drillmark_heartbeat_timestamp_seconds"]) < 300


def test_a_worker_that_drains_or_has_lost_its_database_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(showing, "_LOOK_SECONDS", 0.05)
    database = Database(tmp_path)
    database.prepare()
    said: list[str] = []
    worker = InThisProcess(tmp_path, database, Terms({}), EngineProcess(tmp_path), said.append)

    def health() -> tuple[int, dict[str, Any]]:
        status, text = ask(address_in(said), "/healthz")
        return status, json.loads(text)

    with showing.shown(Settings.model_validate(ANY_PORT), worker, said.append):
        assert health() == (200, {"ok": True, "problems": {}, "draining": False})
        with database.transaction() as connection:
            tables.metadata.drop_all(connection)
        assert wait_for(lambda: health()[0] == 503)
        assert "fleet_occurrences" in health()[1]["problems"]["database"]
        database.prepare()
        worker.drain()
        assert wait_for(lambda: health() == (200, {"ok": True, "problems": {}, "draining": True})), health()
    database.close()


def test_gaps_that_cannot_be_read_are_said_and_not_shown_as_none(tmp_path, monkeypatch):
    monkeypatch.setattr(showing, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(showing, "_GAPS_SECONDS", 0.05)
    monkeypatch.setattr(InThisProcess, "may_begin", lambda _worker: True)
    (tmp_path / "drillmark.yaml").write_text("{}")
    register = tmp_path / "reports" / "gaps"
    register.mkdir(parents=True)
    database = Database(tmp_path)
    database.prepare()
    said: list[str] = []
    worker = InThisProcess(tmp_path, database, Terms({}), EngineProcess(tmp_path), said.append)

    def shown() -> dict[str, float]:
        return samples(ask(address_in(said), "/metrics")[1])

    with showing.shown(Settings.model_validate(ANY_PORT), worker, said.append):
        assert wait_for(lambda: shown().get("drillmark_gaps_open severity=high") == 0), shown()
        (register / "GAP-00000000.yaml").write_text("[")
        assert wait_for(lambda: not any(name.startswith("drillmark_gaps_open") for name in shown())), shown()
        assert any("open gaps are not counted" in line for line in said), said
    database.close()


def test_a_worker_that_is_cut_off_shows_nothing_of_the_database_and_no_new_heartbeat(tmp_path, monkeypatch):
    monkeypatch.setattr(showing, "_LOOK_SECONDS", 0.05)
    is_heard = threading.Event()
    is_heard.set()
    monkeypatch.setattr(InThisProcess, "may_begin", lambda _worker: is_heard.is_set())
    (tmp_path / "drillmark.yaml").write_text("{}")
    (tmp_path / "targets.yaml").write_text("targets: {db: {environment: staging}}")
    database = Database(tmp_path)
    database.prepare()
    (tmp_path / "drills").mkdir()
    (tmp_path / "drills" / "x.yaml").write_text("{id: shop, title: t, owner: o, target: db, fault: experiments/x.yaml}")
    fleet_rows.add(database, "shop@1", "db", state="ended", verdict="missed", reason="no worker was there")
    said: list[str] = []
    worker = InThisProcess(tmp_path, database, Terms({}), EngineProcess(tmp_path), said.append)
    asked = ("drillmark_waiting_drills", "drillmark_running_drills", "drillmark_drill_overdue drill=shop")
    heard_at = "drillmark_heartbeat_timestamp_seconds"

    def shown() -> dict[str, float]:
        return samples(ask(address_in(said), "/metrics")[1])

    with showing.shown(Settings.model_validate(ANY_PORT), worker, said.append):
        assert wait_for(lambda: [shown().get(name) for name in asked] == [0, 0, 1]), (shown(), said)
        is_heard.clear()
        with database.transaction() as connection:
            tables.metadata.drop_all(connection)
        assert wait_for(lambda: not shown().keys() & set(asked)), shown()
        then = shown()
        assert then["drillmark_gaps_open severity=high"] == 0
        is_heard.set()
        assert wait_for(lambda: shown()[heard_at] > then[heard_at]), shown()
    database.close()
