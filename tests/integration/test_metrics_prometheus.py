"""The worker's metrics before Debian's own Prometheus: really scraped, and the alert rules that we ship, by promtool."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import yaml

import debian
from drillmark.telling.health import Health
from drillmark.telling.metrics import Facts, WorkerMetrics
from drillmark.telling.server import Server

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "drillmark.rules.yaml"
WITHIN_SECONDS = 60.0

pytestmark = debian.needs("prometheus", "promtool")


def promtool(*arguments: object) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict]:
    return yaml.safe_load(RULES.read_text())["groups"][0]["rules"]


def test_the_rules_are_rules():
    assert f"{len(rules())} rules found" in promtool("check", "rules", RULES)


# Name of the alert: series that raise it, when it is asked for, and the labels that must stand on it.
RAISED = {
    "DrillmarkWorkerDown": ({'up{job="drillmark", instance="a"}': "0x20"}, "6m", {"instance": "a", "job": "drillmark"}),
    "DrillmarkNoWorker": ({'up{job="other"}': "1x20"}, "11m", {}),
    "DrillmarkHeartbeatSilent": (
        {'drillmark_heartbeat_timestamp_seconds{instance="a"}': "0x20"}, "8m", {"instance": "a"},
    ),
    "DrillmarkFaultStays": (
        {
            'drillmark_fault_in_effect{instance="a", drill="d", target="t"}': "1x20",
            'drillmark_run_in_progress{instance="a", drill="d"}': "0x20",
        },
        "2m",
        {"instance": "a", "drill": "d", "target": "t"},
    ),
    "DrillmarkUndoFailed": (
        {'drillmark_undo_failures_total{drill="d", target="t"}': "0 1x20"}, "2m", {"drill": "d", "target": "t"},
    ),
    "DrillmarkObjectiveAtRisk": ({'drillmark_run_rto_used_ratio{drill="d"}': "0.81x20"}, "1m", {"drill": "d"}),
    "DrillmarkDrillOverdue": ({'drillmark_drill_overdue{drill="d", instance="a"}': "1x90"}, "65m", {"drill": "d"}),
    "DrillmarkDrillsWaiting": ({'drillmark_waiting_drills{instance="a"}': "2x90"}, "35m", {}),
    "DrillmarkChannelDead": (
        {'drillmark_notifications_total{channel="ops", event="end", outcome="failed"}': "0 1x20"}, "2m",
        {"channel": "ops"},
    ),
}  # fmt: skip
# The same alerts, and what must not raise them.
NOT_RAISED = {
    "DrillmarkWorkerDown": ({'up{job="drillmark"}': "1x20"}, "6m"),
    "DrillmarkNoWorker": ({'up{job="drillmark"}': "1x20"}, "11m"),
    "DrillmarkHeartbeatSilent": ({'drillmark_heartbeat_timestamp_seconds{instance="a"}': "0+60x20"}, "8m"),
    "DrillmarkFaultStays": (
        {
            'drillmark_fault_in_effect{instance="a", drill="d", target="t"}': "1x20",
            'drillmark_run_in_progress{instance="a", drill="d"}': "1x20",
        },
        "2m",
    ),
    "DrillmarkUndoFailed": ({'drillmark_undo_failures_total{drill="d", target="t"}': "1x20"}, "2m"),
    "DrillmarkObjectiveAtRisk": ({'drillmark_run_rto_used_ratio{drill="d"}': "0.8x20"}, "1m"),
    "DrillmarkDrillOverdue": ({'drillmark_drill_overdue{drill="d"}': "0x90"}, "65m"),
    "DrillmarkDrillsWaiting": ({'drillmark_waiting_drills{instance="a"}': "2x10 0x80"}, "35m"),
    "DrillmarkChannelDead": ({'drillmark_notifications_total{channel="ops", outcome="sent"}': "0 1x20"}, "2m"),
}


def test_each_rule_fires_when_it_must_and_only_then(tmp_path):
    names = {rule["alert"] for rule in rules()}
    assert names == set(RAISED) == set(NOT_RAISED)
    tests = []
    for alert, (series, at, labels) in RAISED.items():
        severity = next(rule["labels"] for rule in rules() if rule["alert"] == alert)
        # promtool compares annotations too: only their labels are ours to check, so it is asked by expression.
        expression = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
        sample = ", ".join(f'{k}="{v}"' for k, v in sorted((labels | severity).items()))
        expected = [{"labels": f'ALERTS{{alertname="{alert}", alertstate="firing", {sample}}}', "value": 1}]
        tests.append((series, at, expression, expected))
    for alert, (series, at) in NOT_RAISED.items():
        tests.append((series, at, f'ALERTS{{alertname="{alert}", alertstate="firing"}}', []))
    text = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [{"expr": expression, "eval_time": at, "exp_samples": expected}],
            }
            for series, at, expression, expected in tests
        ],
    }
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump(text))
    assert "SUCCESS" in promtool("test", "rules", path)


def test_the_rules_speak_of_metrics_that_there_are():
    metrics = WorkerMetrics("w")
    metrics.heartbeat(Facts(1, 1, {"d": True}, {"d": 1.0}, {"high": 1}))
    text, _ = metrics.render("")
    known = set(re.findall(r"^# TYPE (drillmark_\w+)", text.decode(), re.MULTILINE))
    named = set(re.findall(r"\b(drillmark_\w+)", " ".join(rule["expr"] for rule in rules())))
    assert named - known == set()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def query(port: int, expression: str) -> list[dict]:
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.request.quote(expression)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())["data"]["result"]
    except OSError:
        return []


def test_prometheus_scrapes_a_worker_and_an_alert_fires(tmp_path):
    metrics, port = WorkerMetrics("w1"), free_port()
    metrics.heartbeat(Facts(waiting=4))
    metrics.used("orders-db-lost", 0.95)
    with Server("127.0.0.1:0", metrics, Health()) as server:
        (tmp_path / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
                    "rule_files": [str(RULES)],
                    "scrape_configs": [{"job_name": "drillmark", "static_configs": [{"targets": [server.address]}]}],
                }
            )
        )
        log = tmp_path / "prometheus.log"
        with log.open("wb") as output, subprocess.Popen(
            ["prometheus", f"--web.listen-address=127.0.0.1:{port}", f"--config.file={tmp_path}/prometheus.yml",
             f"--storage.tsdb.path={tmp_path}/data"],
            stdout=output, stderr=output,
        ) as process:  # fmt: skip
            try:
                deadline = time.monotonic() + WITHIN_SECONDS
                wanted = (
                    "drillmark_waiting_drills",
                    'ALERTS{alertname="DrillmarkObjectiveAtRisk",alertstate="firing"}',
                )
                while not all(query(port, expression) for expression in wanted):
                    assert time.monotonic() < deadline, f"not within {WITHIN_SECONDS:g} s: {log.read_text()[-3000:]}"
                    time.sleep(0.2)
                (waiting,) = query(port, wanted[0])
                (alert,) = query(port, wanted[1])
            finally:
                process.kill()
    assert waiting["value"][1] == "4"
    assert alert["metric"]["drill"] == "orders-db-lost"
