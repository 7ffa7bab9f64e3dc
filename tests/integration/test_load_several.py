"""Load in several processes and on several machines: real Locust, a real server that counts what reached it.

Machines are network namespaces with host names of their own where the test may make them (root), else processes on
loopback. Their clocks count as foreign either way that their host names differ; the truth is that they are the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drillmark import samples
from drillmark.model.evidence import Table
from file_drill import DRILL, drillmark, make, serving, start
from observe_children import Child
from waiting import until

DEADLINE_SECONDS = 120.0
SERVER = """
import http.server, sys, threading
count = 0
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        global count
        if self.path == '/count':
            body = str(count).encode()
        else:
            count += 1
            body = b'ok'
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
s = http.server.ThreadingHTTPServer((sys.argv[1], 0), H)
print(s.server_port, flush=True)
s.serve_forever()
"""
USER = """
from locust import FastHttpUser, constant, task

class Me(FastHttpUser):
    host = "{url}"
    wait_time = constant(0.1)

    @task
    def all(self):
        self.client.get("/fine")
"""


@pytest.fixture
def server() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", SERVER, "0.0.0.0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def counted(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=30) as answer:
        return int(answer.read())


def locustfile(folder: Path, url: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "my_load.py").write_text(textwrap.dedent(USER).replace("{url}", url))
    return folder / "my_load.py"


def load(tmp_path: Path, file: Path, **more: Any) -> Child:
    config = {
        "locustfile": str(file), "users": 6, "spawn_rate_per_second": 20, "host": None, "workspace": str(file.parent),
    }  # fmt: skip
    return Child("drillmark.workload.child", "load", tmp_path / "run", config | more, lease_seconds=300.0)


def tables(child: Child, workers: int, kind: str = "load") -> list[Table]:
    return [child.table(f"{kind}-{number}") for number in range(1, workers + 1)]


def workers_of(child: Child) -> list[int]:
    """The worker processes that name this run's directory in their arguments."""
    found = subprocess.run(
        ["pgrep", "-f", f"workload.worker {child.children}"], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def events(child: Child) -> list[dict[str, Any]]:
    path = child.children / "load.events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("processes", [2, 3])
def test_each_process_records_what_it_did_and_together_it_is_all_that_reached_the_server(tmp_path, server, processes):
    file = locustfile(tmp_path / "work space", f"http://127.0.0.1:{server}")
    child = load(tmp_path, file, processes=processes)
    try:
        child.go(DEADLINE_SECONDS)
        assert child.status()["state"] == "ready", child.log()
        time.sleep(2)
        until(lambda: all(len(part) > 3 for part in tables(child, processes)))
        until(lambda: sum(max(part["users"], default=0) for part in tables(child, processes, "load-users")) == 6)
        assert child.end(seconds=60) == 0, child.log()
    finally:
        child.end(signal.SIGKILL)
    parts = tables(child, processes)
    assert all(part.closed and len(part) > 3 for part in parts)
    assert all(part.meta["worker"] == number for number, part in enumerate(parts, 1))
    # Users that were stopped in the middle of a request have reached the server, and recorded nothing.
    assert 0 <= counted(server) - sum(map(len, parts)) <= 6
    users = tables(child, processes, "load-users")
    assert max(sum(int(np.max(part["users"])) for part in users), 0) == 6
    assert all(part["users"][-1] == 0 and part.closed for part in users)
    assert not events(child)
    until(lambda: not workers_of(child), seconds=60)


def test_a_worker_that_is_killed_is_told_and_the_others_go_on(tmp_path, server):
    file = locustfile(tmp_path / "work space", f"http://127.0.0.1:{server}")
    child = load(tmp_path, file, processes=2)
    try:
        child.go(DEADLINE_SECONDS)
        killed = time.monotonic_ns()
        os.kill(json.loads((child.children / "load-1.json").read_text())["pid"], signal.SIGKILL)
        until(lambda: events(child), seconds=60)
        before = len(child.table("load-2"))
        until(lambda: len(child.table("load-2")) > before + 5, seconds=60)
        assert child.end(seconds=60) == 0, child.log()
    finally:
        child.end(signal.SIGKILL)
    (event,) = events(child)
    assert (event["what"], event["worker"], event["error"]) == ("load_worker_died", 1, "killed by signal 9")
    assert event["stamp"]["monotonic_ns"] >= killed
    assert not child.table("load-1").closed
    assert child.table("load-2").closed


@pytest.mark.parametrize("victim", ["killed", "stopped, then killed"])
def test_no_process_is_left_when_the_master_is_gone(tmp_path, server, victim):
    file = locustfile(tmp_path / "work space", f"http://127.0.0.1:{server}")
    child = load(tmp_path, file, processes=2)
    try:
        child.go(DEADLINE_SECONDS)
        assert len(workers_of(child)) == 2
        if victim == "killed":
            child.process.kill()
        else:
            os.kill(child.process.pid, signal.SIGSTOP)  # it never answers again, and is gone only later
            until(lambda: not workers_of(child) or not _grows(child), seconds=60)
            child.process.kill()
        child.process.wait(60)
        until(lambda: not workers_of(child), seconds=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)


def _grows(child: Child) -> bool:
    before = len(child.table("load-1"))
    time.sleep(1)
    return len(child.table("load-1")) > before


@contextlib.contextmanager
def machines(count: int) -> Iterator[list[tuple[list[str], str]]]:
    """Of each machine: how a command is run on it, and the address by which it reaches this one."""
    made: list[tuple[list[str], str]] = []
    names = [f"drillmark-{os.getpid()}-{number}" for number in range(count)]
    can = os.geteuid() == 0 and shutil.which("ip") and shutil.which("unshare")
    try:
        for number, name in enumerate(names):
            here, there = f"dm{os.getpid() % 10000}h{number}", f"dm{os.getpid() % 10000}n{number}"
            net = f"10.219.{os.getpid() % 250}.{number * 4}"
            base = net.rsplit(".", 1)[0]
            commands = [
                f"ip netns add {name}",
                f"ip link add {here} type veth peer name {there}",
                f"ip link set {there} netns {name}",
                f"ip addr add {base}.{number * 4 + 1}/30 dev {here}",
                f"ip link set {here} up",
                f"ip netns exec {name} ip addr add {base}.{number * 4 + 2}/30 dev {there}",
                f"ip netns exec {name} ip link set {there} up",
            ]
            if can and all(
                subprocess.run(each.split(), check=False, capture_output=True).returncode == 0 for each in commands
            ):
                prefix = ["ip", "netns", "exec", name, "unshare", "--uts", "sh", "-c"]
                made.append(([*prefix, f'hostname {name}; exec "$@"', "sh"], f"{base}.{number * 4 + 1}"))
            else:
                made.append(([], f"127.0.0.{number + 2}"))
        print("machines:", "namespaces" if all(prefix for prefix, _ in made) else "processes on loopback")
        yield made
    finally:
        for name in names:
            if can:
                subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def test_workers_on_other_machines_send_what_they_recorded_and_how_far_their_clocks_are_off(tmp_path, server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with machines(2) as made, contextlib.ExitStack() as stack:
        workers: list[subprocess.Popen[str]] = []
        for number, (prefix, address) in enumerate(made):
            file = locustfile(tmp_path / f"machine {number}", f"http://{address}:{server}")
            command = [
                *prefix,
                sys.executable,
                "-m",
                "drillmark",
                "join",
                f"{address}:{port}",
                str(file),
                "--wait",
                "5m",
            ]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            )
            stack.callback(process.kill)
            workers.append(process)
        mine = locustfile(tmp_path / "here", f"http://127.0.0.1:{server}")
        child = load(tmp_path, mine, master_host="0.0.0.0", master_port=port, workers=2)
        try:
            child.go(DEADLINE_SECONDS)
            assert child.status()["state"] == "ready", child.status()["error"] + child.log()
            time.sleep(4)
            assert child.end(seconds=60) == 0, child.log()
        finally:
            child.end(signal.SIGKILL)
        ends = [worker.wait(60) for worker in workers]
        assert ends == [0, 0], [worker.communicate()[0] for worker in workers]
        parts = tables(child, 2)
        assert all(part.closed and len(part) > 3 for part in parts)
        assert 0 <= counted(server) - sum(map(len, parts)) <= 6
        assert all(part["users"][-1] == 0 for part in tables(child, 2, "load-users"))
        clocks = child.table("load-clocks")
        for number in (1, 2):
            of = clocks["worker"] == number
            assert of.any()
            # The truth: it is one machine, so their clocks are the same, and zero lies in every one of these.
            assert (clocks["sent_ns"][of] <= clocks["at_ns"][of]).all()
            assert (clocks["at_ns"][of] <= clocks["received_ns"][of]).all()


def test_a_worker_elsewhere_ends_when_its_master_is_killed(tmp_path, server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    file = locustfile(tmp_path / "here", f"http://127.0.0.1:{server}")
    child = load(tmp_path, file, master_host="127.0.0.1", master_port=port, workers=1)
    command = [sys.executable, "-m", "drillmark", "join", f"127.0.0.1:{port}", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as worker:
        try:
            child.go(DEADLINE_SECONDS)
            assert child.status()["state"] == "ready", child.log()
            child.process.kill()
            _, error = worker.communicate(timeout=90)
        finally:
            worker.kill()
            child.end(signal.SIGKILL)
    assert worker.returncode == 5
    assert "the load's master has been silent" in error


def test_a_drill_whose_load_loses_a_worker_does_not_judge_the_load_from_there_on(tmp_path):
    served = tmp_path / "the file"
    with serving(served) as url:
        locustfile(tmp_path / "workspace/experiments", url.rstrip("/"))
        root = make(
            tmp_path / "workspace", (url, served),
            objectives={"rto": "3m", "slo": {"availability": "50%", "error_rate": "100%"}},
            load={"locustfile": "experiments/my_load.py", "users": 4, "spawn_rate": "20/s", "processes": 2},
            recover=[
                {"name": "wait", "type": "action", "provider": {"type": "process", "path": "sleep", "arguments": "15"}},
                {"name": "copy-back", "type": "action", "provider": {
                    "type": "python", "module": "shutil", "func": "copyfile",
                    "arguments": {"src": str(served.with_name("aside")), "dst": str(served)}}},
            ],
        )  # fmt: skip
        process = start(root, "run", DRILL)
        try:
            until(lambda: not served.exists(), seconds=DEADLINE_SECONDS * 2)
            (run,) = (root / "reports/runs").iterdir()
            users = run / "samples/load-users-2.dms"
            rows = len(samples.read(users))
            # Each row vouches for a second: with two more, the baseline lies before all that is in doubt.
            until(lambda: len(samples.read(users)) > rows + 1, seconds=DEADLINE_SECONDS)
            os.kill(json.loads((run / "children/load-2.json").read_text())["pid"], signal.SIGKILL)
            out, _ = process.communicate(timeout=DEADLINE_SECONDS * 2)
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate()
    result = json.loads((run / "result.json").read_text())
    assert result["exit_code"] == 4, out
    verdicts = {item["name"]: item["verdict"] for item in result["objectives"]}
    assert verdicts["slo.error_rate"] == "unknown"
    assert "load_worker_died" in (run / "journal.jsonl").read_text()
    assert result["slo"]["baseline"]["indicators"]["error_rate"]["met"] is True
    files = {sample["file"] for sample in result["evidence"]["samples"]}
    assert {"samples/load-1.dms", "samples/load-2.dms", "samples/load-users-2.dms"} <= files
    assert drillmark(root, "verify", "last").returncode == 0


def test_a_busy_master_port_is_told_before_anything_begins(tmp_path):
    served = tmp_path / "the file"
    with serving(served) as url, socket.create_server(("127.0.0.1", 0)) as taken:
        locustfile(tmp_path / "workspace/experiments", url)
        root = make(
            tmp_path / "workspace", (url, served),
            load={"locustfile": "experiments/my_load.py", "master": f"127.0.0.1:{taken.getsockname()[1]}", "workers": 2},
        )  # fmt: skip
        done = drillmark(root, "run", DRILL)
        assert served.exists()
    assert done.returncode == 3
    assert "cannot wait for the load's workers on 127.0.0.1:" in done.stderr
