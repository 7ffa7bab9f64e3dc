"""Whole drills that wait for alerts and for people: what is received, what counts, what silence means.

The system is a file and a small web server; alerts are sent to the real receiver over HTTP, as Alertmanager does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from file_drill import DRILL, drillmark, make, put_back, serving, start
from observe_children import Child
from waiting import until

DEADLINE_SECONDS = 60.0
ALERTS = {"alerts": [{"webhook": "/alerts", "match": {"alertname": "FileDown"}}]}
FREE = {"alerts": {"listen": "127.0.0.1:0", "clock_error": "1ms"}}
DETECT = {"baseline": "1500ms", "soak": "2s", "hold": "1s", "detect": "40s", "recover": {"deadline": "2m"}}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


@contextmanager
def running(root: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    process = start(root, "run", DRILL, *more)
    try:
        yield process
        process.communicate(timeout=DEADLINE_SECONDS * 2)
    finally:
        if process.poll() is None:
            process.terminate()  # it undoes and ends its children
            process.communicate(timeout=DEADLINE_SECONDS)


def run_directory(root: Path) -> Path:
    return until(lambda: sorted((root / "reports/runs").glob("*/children")), "no run")[-1].parent


def address(root: Path) -> str:
    def found() -> str | None:
        try:
            status = json.loads((run_directory(root) / "children/alerts.json").read_text())
        except (OSError, ValueError):
            return None
        return status.get("url")

    return until(found, "no receiver")


def is_injected(root: Path, served: Path) -> bool:
    return until(lambda: not served.exists(), "the fault was never injected")


def post(url: str, body: Any, **headers: str) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | headers
    request = urllib.request.Request(url, data=data, method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def now() -> str:
    return datetime.now(UTC).isoformat()


def firing(**labels: str) -> dict[str, Any]:
    """As Alertmanager sends it."""
    alert = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": now()}
    return {"version": "4", "status": "firing", "receiver": "drill", "alerts": [alert]}


def result_of(root: Path) -> dict[str, Any]:
    return json.loads((run_directory(root) / "result.json").read_text())


def judged(result: dict[str, Any], name: str = "time_to_detect") -> dict[str, Any]:
    return next(item for item in result["objectives"] if item["name"] == name)


def test_the_first_alert_that_qualifies_ends_the_wait_and_all_others_are_noted(tmp_path, service):
    objectives = {"rto": "90s", "time_to_detect": "40s"}
    root = make(tmp_path, service, objectives=objectives, settings=FREE, observe=ALERTS, phases=DETECT)
    with running(root):
        url = f"{address(root)}/alerts"
        assert post(url, firing(alertname="FileDown", job="early")) == 200
        is_injected(root, service[1])
        assert post(url, firing(alertname="DiskFull")) == 200
        assert post(url, firing(alertname="FileDown", job="early")) == 200  # said again
        assert post(url, {"alertname": "FileDown", "status": "resolved"}) == 200
        assert post(url, b"no JSON \x1b[31m") == 400
        assert post(f"{url}/elsewhere", firing(alertname="FileDown")) == 404
        before = time.monotonic()
        assert post(url, {"alertname": "FileDown", "job": "plain", "startsAt": now()}) == 200
        answered = time.monotonic()
        served = until(service[1].exists, "nothing was recovered")
    assert served
    result = result_of(root)
    assert (result["verdict"], judged(result)["verdict"]) == ("passed", "passed"), result["reasons"]
    assert (result["detection"]["by"], result["detection"]["kind"], result["detection"]["heard"]) == (
        "FileDown", "alert", 6,
    )  # fmt: skip
    noted = [(each["status"], each["counts"], each["why"]) for each in result["detection"]["noted"]]
    assert noted[:4] == [
        ("firing", False, "it came before the fault"),
        ("firing", False, "it is another alert"),
        ("firing", False, "it was firing before the fault"),
        ("resolved", False, "it is resolved"),
    ]
    assert noted[4][:2] == ("unreadable", False)
    assert noted[5] == ("firing", True, "")
    # The truth: it was received between these two, on the clock of this machine.
    entry = next(
        line for line in map(json.loads, (run_directory(root) / "journal.jsonl").read_text().splitlines())
        if line["data"].get("what") == "alert" and line["data"]["labels"].get("job") == "plain"
    )  # fmt: skip
    assert before <= entry["data"]["received"]["monotonic_ns"] / 1e9 <= answered
    assert result["stamps"]["t_detect"] is not None
    assert "unattended" in result["flags"]
    shown = drillmark(root, "show", "last", "--why", "time_to_detect")
    assert shown.returncode == 0
    assert "time to detect = [max(0, t_detect - b), t_detect - a]" in shown.stdout
    assert "it is another alert" in shown.stdout
    assert drillmark(root, "measure", "last").returncode == 0
    report = (run_directory(root) / "report.md").read_text()
    assert "Noticed by the alert FileDown" in report


def test_a_person_declares_and_only_once_and_only_what_is_broken(tmp_path, service):
    phases = DETECT | {"baseline": "4s"}
    root = make(tmp_path, service, objectives={"rto": "90s", "time_to_detect": "30s"}, phases=phases)
    with running(root):
        until((run_directory(root) / "samples/beats.dms").exists, "no baseline")
        early = drillmark(root, "declare", "--by", "Kim")
        assert (early.returncode, "broken nothing yet" in early.stderr) == (3, True), early.stderr
        is_injected(root, service[1])
        told = drillmark(root, "declare", "last", "--by", "Kim \x1b[31m", "--reason", "orders fail", "--json")
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)["declared_by"].isprintable()
        again = drillmark(root, "declare", "--by", "Sam")
        assert (again.returncode, "declared already, by Kim" in again.stderr) == (3, True), again.stderr
    assert drillmark(root, "declare", "--by", "Sam").returncode == 2
    result = result_of(root)
    assert judged(result)["verdict"] == "passed", result["reasons"]
    assert (result["detection"]["kind"], result["detection"]["by"][:3]) == ("person", "Kim")
    assert result["stamps"]["t_detect"] == result["stamps"]["t_declare"]
    assert "unattended" not in result["flags"]
    assert result["durations"]["from_declaration"]["seconds"] is not None


def test_a_wait_in_vain_is_a_gap_of_its_own_kind_and_recovery_begins_all_the_same(tmp_path, service):
    phases = DETECT | {"detect": "2s"}
    objectives = {"rto": "60s", "time_to_detect": "2s"}
    root = make(tmp_path, service, objectives=objectives, settings=FREE, observe=ALERTS, phases=phases)
    done = drillmark(root, "run", DRILL, "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, judged(result)["verdict"]) == (1, "failed"), result["reasons"]
    assert result["rto"]["verdict"] == "passed"
    assert judged(result)["observed"]["hi"] is None
    (gap,) = json.loads(drillmark(root, "gaps", "--json").stdout)
    assert (gap["objective"], gap["kind"]) == ("time_to_detect", "undetected")
    assert service[1].exists()


def test_the_receiver_outlives_the_runner_and_what_came_meanwhile_counts(tmp_path, service):
    settings = FREE | {"guard": {"lease": "3m"}}
    objectives = {"rto": "3m", "time_to_detect": "40s"}
    root = make(tmp_path, service, objectives=objectives, settings=settings, observe=ALERTS, phases=DETECT)
    process = start(root, "run", DRILL)
    try:
        url = f"{address(root)}/alerts"
        is_injected(root, service[1])
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert post(url, firing(alertname="FileDown")) == 200
    resumed = drillmark(root, "resume")
    result = result_of(root)
    assert (result["detection"]["by"], judged(result)["verdict"]) == ("FileDown", "passed"), resumed.stdout
    assert service[1].exists()
    with pytest.raises(OSError):
        post(url, firing(alertname="FileDown"))


def test_a_receiver_that_was_killed_is_unknown_and_no_silence(tmp_path, service):
    objectives = {"rto": "60s", "time_to_detect": "2s"}
    phases = DETECT | {"detect": "6s"}
    root = make(tmp_path, service, objectives=objectives, settings=FREE, observe=ALERTS, phases=phases)
    with running(root):
        address(root)
        is_injected(root, service[1])
        os.kill(json.loads((run_directory(root) / "children/alerts.json").read_text())["pid"], signal.SIGKILL)
    result = result_of(root)
    assert (judged(result)["verdict"], result["exit_code"]) == ("unknown", 4), result["reasons"]
    assert "the alert receiver died" in judged(result)["reason"]
    (gap,) = [gap for gap in result["gaps"] if gap["objective"] == "time_to_detect"]
    assert gap["kind"] == "unmeasured"


def test_a_busy_port_is_told_before_anything_begins(tmp_path, service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {"alerts": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}}
        root = make(tmp_path, service, settings=settings, observe=ALERTS)
        done = drillmark(root, "run", DRILL)
    assert done.returncode == 3
    assert "cannot receive alerts on 127.0.0.1:" in done.stderr
    assert "alerts.listen" in done.stderr
    assert service[1].exists()
    assert not list((root / "reports").glob("runs/*"))


def test_a_token_that_is_not_set_is_told_before_anything_begins(tmp_path, service):
    settings = {"alerts": {"listen": "127.0.0.1:0", "token": "${DRILLMARK_TEST_NO_SUCH_TOKEN}"}}
    root = make(tmp_path, service, settings=settings, observe=ALERTS)
    refused = drillmark(root, "run", DRILL)
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "the token in DRILLMARK_TEST_NO_SUCH_TOKEN, which is not set" in refused.stderr
    assert not (root / "reports/runs").exists()


def test_alerts_in_a_check_are_judged(tmp_path, service):
    root = make(
        tmp_path, service, objectives={"time_to_detect": "20s"}, settings=FREE, observe=ALERTS, mode="check",
        recover=None, phases={"baseline": "1500ms", "soak": "2s", "hold": "1s", "fault": "5s"},
        rollbacks=[put_back(service[1])],
    )  # fmt: skip
    with running(root):
        url = f"{address(root)}/alerts"
        is_injected(root, service[1])
        assert post(url, firing(alertname="FileDown")) == 200
    result = result_of(root)
    assert (result["verdict"], judged(result)["verdict"]) == ("passed", "passed"), result["reasons"]


class TestReceiver:
    """The receiver alone, as the engine starts it, against bodies of anybody."""

    @pytest.fixture
    def receiver(self, tmp_path):
        rules = [{"webhook": "/alerts", "match": {"alertname": "FileDown"}}, {"webhook": "/other", "match": {}}]
        child = Child("drillmark.observe.alerts", "alerts", tmp_path, {"host": "127.0.0.1", "port": 0, "rules": rules})
        yield child.go()
        child.end(signal.SIGKILL)

    def lines(self, child: Child) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (child.directory / "alerts.jsonl").read_text().splitlines()]

    def test_hostile_bodies_are_refused_and_the_next_alert_is_heard(self, receiver):
        url = receiver.status()["url"]
        answers = [
            post(f"{url}/alerts", b"[" * 300_000),
            post(f"{url}/alerts", b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
            post(f"{url}/alerts", b"\x00\x1b[2J" * 1000),
            post(f"{url}/alerts", b" " * (3 << 20)),
            post(f"{url}/alerts", [firing(alertname="x")] * 3),
        ]
        assert answers[:4] == [400, 400, 400, 413]
        assert post(f"{url}/alerts", firing(alertname="FileDown", evil="\x1b[2J" + "x" * 10_000)) == 200
        assert post(f"{url}/other/api/v2/alerts", [{"labels": {"alertname": "any"}}]) == 200
        assert receiver.end() == 0
        found = self.lines(receiver)
        assert [line["what"] for line in found][:: len(found) - 1] == ["alerts_opened", "alerts_closed"]
        matched = [line["labels"]["alertname"] for line in found if line.get("matched")]
        assert matched == ["FileDown", "any"]
        text = (receiver.directory / "alerts.jsonl").read_text()
        assert "\x1b" not in text
        assert len(text) < 20_000

    def test_a_flood_is_bounded_and_says_so(self, receiver):
        url = receiver.status()["url"]
        many = {"alerts": [{"labels": {"alertname": "noise", "n": str(n)}} for n in range(200)]}
        assert [post(f"{url}/alerts", many) for _ in range(6)] == [200] * 6
        assert post(f"{url}/alerts", firing(alertname="FileDown")) == 200
        assert receiver.end() == 0
        found = self.lines(receiver)
        assert [line["matched"] for line in found if line["what"] == "alerts_left_out"] == [False]
        assert sum(line.get("what") == "alert" for line in found) == 1001

    def test_a_receiver_that_was_stopped_for_a_while_says_so(self, receiver):
        os.kill(receiver.process.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(receiver.process.pid, signal.SIGCONT)
        until(lambda: any(line["what"] == "alerts_away" for line in self.lines(receiver)))
        assert receiver.end() == 0

    def test_who_does_not_know_the_token_is_refused_and_that_is_told_without_what_was_sent(self, tmp_path):
        config = {"host": "127.0.0.1", "port": 0, "rules": [{"webhook": "/alerts", "match": {"alertname": "FileDown"}}]}
        config["token_variable"] = "TOKEN_OF_THE_TEST"
        environment = {"TOKEN_OF_THE_TEST": "right-8f2c"}
        child = Child("drillmark.observe.alerts", "alerts", tmp_path, config, environment=environment)
        try:
            url = f"{child.go().status()['url']}/alerts"
            told = firing(alertname="FileDown")
            wrong = (
                {},
                {"Authorization": "Bearer wrong-77ab"},
                {"Authorization": "right-8f2c"},
                {"Authorization": "\xff"},
            )
            assert [post(url, told, **headers) for headers in wrong] == [401] * 4
            assert post(f"{url}/api/v2/alerts", b"[]") == 401
            assert post(url, told, Authorization="Bearer right-8f2c") == 200
        finally:
            ended = child.end()
        assert ended == 0
        heard = [line for line in self.lines(child) if line["what"] == "alert"]
        assert [(line["status"], line["matched"]) for line in heard] == [("unreadable", False)] * 5 + [("firing", True)]
        assert {line["error"] for line in heard[:5]} == {"it was refused: its token is missing or wrong"}
        left = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
        assert "8f2c" not in left
        assert "77ab" not in left

    def test_without_its_token_a_receiver_hears_nobody(self, tmp_path):
        config = {"host": "127.0.0.1", "port": 0, "rules": [], "token_variable": "DRILLMARK_TEST_NO_SUCH_TOKEN"}
        child = Child("drillmark.observe.alerts", "alerts", tmp_path, config).go()
        assert child.status()["state"] == "failed"
        assert "DRILLMARK_TEST_NO_SUCH_TOKEN, which is not set" in child.status()["error"]
        assert child.process.wait(60) == 1

    def test_a_port_that_is_taken_in_the_last_moment_is_named(self, receiver, tmp_path):
        port = int(receiver.status()["url"].rsplit(":", 1)[1])
        second = Child(
            "drillmark.observe.alerts", "alerts", tmp_path / "second", {"host": "127.0.0.1", "port": port, "rules": []}
        ).go()
        assert second.status()["state"] == "failed"
        assert f"cannot listen on 127.0.0.1:{port}" in second.status()["error"]
        assert second.process.wait(60) == 1
