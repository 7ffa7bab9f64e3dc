"""A whole drill that is detected by Debian's own Prometheus and Alertmanager: a real rule fires into our webhook.

Prometheus scrapes a small exporter of the system (the same web server that the drill's probe asks), evaluates the
rule, and Alertmanager posts to the receiver. Another alert fires for the same cause, and must not count.
"""

from __future__ import annotations

import json
import socket
import subprocess
import textwrap
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import debian
from file_drill import DRILL, drillmark, make, serving
from waiting import until

PROGRAMS = ("prometheus", "prometheus-alertmanager")


pytestmark = debian.needs(*PROGRAMS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def answer(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as found:
            return found.read().decode()
    except OSError:
        return ""


@contextmanager
def program(directory: Path, name: str, port: int, *arguments: str) -> Iterator[Path]:
    """One of the two, ready."""
    log = directory / f"{name}.log"
    with log.open("wb") as output, subprocess.Popen(
        [name, f"--web.listen-address=127.0.0.1:{port}", *arguments], stdout=output, stderr=output, cwd=directory
    ) as process:  # fmt: skip
        try:
            until(lambda: _is_ready(port), lambda: f"{name} is not ready; {log.read_text()[-3000:]}")
            yield log
        finally:
            process.kill()


def _is_ready(port: int) -> bool:
    said = answer(f"http://127.0.0.1:{port}/-/ready")
    return "ready" in said.lower() or said == "OK"


def alertmanager(directory: Path, webhook: str) -> dict[str, str]:
    text = f"""
        route: {{receiver: drill, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1m}}
        receivers:
          - name: drill
            webhook_configs: [{{url: "{webhook}"}}]
    """
    (directory / "alertmanager.yml").write_text(textwrap.dedent(text))
    return {"config": str(directory / "alertmanager.yml"), "data": str(directory / "alertmanager-data")}


def prometheus(directory: Path, exporter: str, alertmanager_port: int) -> None:
    text = f"""
        global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
        rule_files: [rules.yml]
        alerting:
          alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager_port}"]}}]}}]
        scrape_configs:
          - {{job_name: file, metrics_path: /, static_configs: [{{targets: ["{exporter}"]}}]}}
    """
    (directory / "prometheus.yml").write_text(textwrap.dedent(text))
    rules = """
        groups:
          - name: drill
            rules:
              - {alert: FileDown, expr: up == 0, for: 1s, labels: {severity: page}}
              - {alert: FileAlso, expr: up == 0}
    """
    (directory / "rules.yml").write_text(textwrap.dedent(rules))


def test_a_real_rule_fires_into_the_webhook_and_the_drill_knows_when_it_was_detected(tmp_path):
    receiver, alerting, scraping = free_port(), free_port(), free_port()
    served = tmp_path / "the file"
    with serving(served) as url, ExitStack() as stack:
        settings = {"alerts": {"listen": f"127.0.0.1:{receiver}", "clock_error": "10ms"}}
        root = make(
            tmp_path / "workspace", (url, served),
            objectives={"rto": "3m", "time_to_detect": "60s"}, settings=settings,
            observe={"alerts": [{"webhook": "/alerts", "match": {"alertname": "FileDown", "severity": "page"}}]},
            phases={"baseline": "2s", "soak": "2s", "hold": "1s", "detect": "60s", "recover": {"deadline": "4m"}},
        )  # fmt: skip
        files = alertmanager(tmp_path, f"http://127.0.0.1:{receiver}/alerts")
        prometheus(tmp_path, url.removeprefix("http://").rstrip("/"), alerting)
        stack.enter_context(
            program(
                tmp_path, "prometheus-alertmanager", alerting, f"--config.file={files['config']}",
                f"--storage.path={files['data']}", "--cluster.listen-address=",
            )
        )  # fmt: skip
        log = stack.enter_context(
            program(
                tmp_path, "prometheus", scraping, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
            )
        )  # fmt: skip
        query = f"http://127.0.0.1:{scraping}/api/v1/query?query=up"
        until(lambda: '"1"' in answer(query), lambda: f"nothing was scraped; {log.read_text()[-3000:]}")
        done = drillmark(root, "run", DRILL, "--json")
        assert done.returncode == 0, done.stdout + done.stderr + log.read_text()[-2000:]
    result = json.loads(done.stdout)
    found = result["detection"]
    assert (found["kind"], found["by"]) == ("alert", "FileDown")
    counted = [noted for noted in found["noted"] if noted["counts"]]
    assert [noted["labels"]["severity"] for noted in counted][:1] == ["page"]
    assert {noted["name"] for noted in found["noted"] if noted["counts"] is False} >= {"FileAlso"}
    (judged,) = [item for item in result["objectives"] if item["name"] == "time_to_detect"]
    assert judged["verdict"] == "passed"
    # The rule waits for a second; the alert cannot have come before that, nor after the recovery began.
    assert 1.0 <= judged["observed"]["hi"]
    assert result["stamps"]["t_detect"]["hi"] <= result["stamps"]["t_restore_start"]["lo"]
