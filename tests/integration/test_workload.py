"""Locust as a child: the user's file unchanged, every request recorded, nothing that Locust does hides an end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drillmark import samples
from drillmark.observe import child
from observe_children import NS, Child
from waiting import until

SERVER = """
import asyncio, sys
class P(asyncio.Protocol):
    def connection_made(self, t): self.t = t; self.b = b''
    def data_received(self, d):
        self.b += d
        while b'\\r\\n\\r\\n' in self.b:
            head, _, self.b = self.b.partition(b'\\r\\n\\r\\n')
            if b' /slow' in head:
                asyncio.get_running_loop().call_later(0.3, self.answer, b'200 OK')
            elif b' /broken' in head:
                self.answer(b'503 Service Unavailable')
            elif b' /cut' in head:
                self.t.abort()
            else:
                self.answer(b'200 OK')
    def answer(self, status):
        if not self.t.is_closing():
            self.t.write(b'HTTP/1.1 ' + status + b'\\r\\nContent-Length: 2\\r\\n\\r\\nok')
async def main():
    s = await asyncio.get_running_loop().create_server(P, '127.0.0.1', 0, backlog=512)
    print(s.sockets[0].getsockname()[1], flush=True)
    await s.serve_forever()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


@pytest.fixture
def load(tmp_path: Path, url: str) -> Iterator[Any]:
    running: list[Child] = []

    def begin(text: str, **config: Any) -> Child:
        workspace = tmp_path / "work space"
        workspace.mkdir(exist_ok=True)
        file = workspace / "my_load.py"
        file.write_text(textwrap.dedent(text))
        environment = {"ORDERS_URL": url, **config.pop("environment", {})}
        lease = config.pop("lease", 600.0)
        running.append(
            Child(
                "drillmark.workload.child",
                "load",
                tmp_path / "run",
                {
                    "locustfile": str(file),
                    "users": 3,
                    "spawn_rate_per_second": 20,
                    "processes": 1,
                    "host": None,
                    "workspace": str(workspace),
                    **config,
                },
                environment=environment,
                lease_seconds=lease,
            )
        )
        return running[-1]

    yield begin
    for each in running:
        each.end(signal.SIGKILL)


USER = """
import os
from locust import FastHttpUser, constant, task

class Me(FastHttpUser):
    host = os.environ["ORDERS_URL"]
    wait_time = constant(0.05)

    @task
    def all(self):
        self.client.get("/fine")
        self.client.get("/slow", name="/slow")
        self.client.get("/broken?id=17")
        self.client.get("/cut")
        with self.client.get("/fine", name="judged", catch_response=True) as response:
            response.failure("wrong t0ps3cret-token")
"""


def test_every_request_is_recorded_with_its_outcome_and_the_end_is_clean(load: Any) -> None:
    before = time.monotonic_ns()
    running = load(
        USER, secrets={"x": {"token": {"type": "env", "key": "T"}}}, environment={"T": "t0ps3cret-token"}
    ).go()
    assert running.status()["state"] == "ready", running.status()
    time.sleep(2.2)
    until(lambda: "GET judged" in samples.texts(running.table("load"), "name"))
    until(lambda: 3 in running.table("load-users")["users"].tolist())
    asked = time.monotonic()
    assert running.end() == child.EXIT_ENDED, running.log()
    assert time.monotonic() - asked < 40
    table = running.table("load")
    assert table.closed
    names = samples.texts(table, "name")
    errors = samples.texts(table, "error")
    found = {(name, int(ok), error) for name, ok, error in zip(names, table["ok"], errors, strict=True)}
    assert {
        ("GET /fine", 1, ""),
        ("GET /slow", 1, ""),
        ("GET /broken?id=17", 0, "503"),
        ("GET judged", 0, "wrong [redacted]"),
    } <= found
    assert next(entry for entry in found if entry[0] == "GET /cut")[1:] != (1, "")
    slow = np.array([name == "GET /slow" for name in names])
    assert (np.asarray(table["latency_ns"])[slow] >= 0.3 * NS).all()
    assert np.median(np.asarray(table["latency_ns"])[slow]) < 3 * NS
    # On the monotonic clock, and in the order in which one user made them.
    assert (np.asarray(table["start_ns"]) > before).all()
    assert (np.asarray(table["start_ns"] + table["latency_ns"]) < time.monotonic_ns()).all()
    users = running.table("load-users")
    assert users.closed
    assert users["users"].tolist()[-1] == 0
    assert 3 in users["users"].tolist()
    assert np.diff(np.asarray(users["at_ns"])).min() < 1.8 * NS
    for file in running.directory.rglob("*"):
        if file.is_file():
            assert b"t0ps3cret-token" not in file.read_bytes(), file


def test_a_stall_shows_as_a_gap_and_a_kill_leaves_readable_files_without_a_clean_end(load: Any) -> None:
    running = load(USER).go()
    until(lambda: running.table("load-users")["users"].tolist()[-1:] == [3])
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    running.process.send_signal(signal.SIGCONT)
    awake = time.monotonic_ns()
    until(lambda: running.table("load-users")["at_ns"].max() > awake)
    running.end(signal.SIGKILL)
    for name in ("load", "load-users"):
        table = running.table(name)
        assert len(table) > 0
        assert not table.closed
    users = running.table("load-users")
    assert np.diff(np.asarray(users["at_ns"])).max() > 2.4 * NS
    assert users["users"].tolist()[-1] > 0


SHAPE = """
from locust import LoadTestShape
class Waves(LoadTestShape):
    def tick(self):
        return None
"""
BARE = """
from locust import User, constant, task
from locust.exception import StopUser
class Me(User):
    wait_time = constant(0)
    @task
    def t(self):
        raise """
QUITS = """
    @task
    def over(self):
        self.environment.runner.quit()
"""
DEMANDS = """
from locust import events
@events.init_command_line_parser.add_listener
def _(parser):
    parser.add_argument("--must", required=True)
"""
FAILS = """
from locust import User, constant, task
class Me(User):
    wait_time = constant(0.2)
    @task
    def t(self):
        {}["key"]
"""


# One process imports Locust; each case is a fork of it.
CASES = """
import json, os, sys
from gevent import monkey; monkey.patch_all()
from pathlib import Path
from drillmark import samples
from drillmark.workload import local, locustfile
from drillmark.workload.recorder import Recorder
local.FIRST_REQUEST_SECONDS = 1.0

def run(path):
    classes = locustfile.load(path)
    environment = locustfile.environment(classes, path, users=2, spawn_rate_per_second=20, host=None)
    requests = samples.SampleWriter(path.with_name("load.dms"), samples.LOAD, {})
    counts = samples.SampleWriter(path.with_name("load-users.dms"), samples.LOAD_USERS, {})
    recorder = Recorder(requests, str)
    environment.events.request.add_listener(recorder.on_request)
    load = local.LocalLoad(environment, recorder, counts, path)
    load.run(users=2, spawn_rate_per_second=20, stop=lambda: False, on_first_request=lambda: None)

for path in map(Path, sys.argv[1:]):
    pid = os.fork()
    if pid == 0:
        try:
            run(path)
            text = "no error"
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        path.with_name("error").write_text(text)
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_what_a_file_does_wrong_is_said_with_its_place(tmp_path: Path, url: str) -> None:
    cases = [
        ("import os\n\nx = 1 / 0\n", "my_load.py:3: ZeroDivisionError: division by zero"),
        ("def broken(:\n", "my_load.py:1: SyntaxError"),
        ("import sys\nsys.exit(7)\n", "my_load.py:2: it called sys.exit(7)"),
        ("import nothing_of_the_kind\n", "my_load.py:1: ModuleNotFoundError"),
        ("x = 1\n", "it defines no user class"),
        (USER + SHAPE, "LoadTestShape (Waves)"),
        (BARE + "SystemExit(0)\n", "a user called sys.exit(0)"),
        (BARE + "StopUser\n", "every user has stopped by itself"),
        (USER + QUITS, "the file itself stopped the load"),
        (DEMANDS + USER, "locust refused its options"),
        (FAILS, "made no request; the last error of a user: my_load.py:7: KeyError: 'key'"),
    ]
    paths: list[Path] = []
    for number, (text, _) in enumerate(cases):
        paths.append(tmp_path / f"case {number}" / "my_load.py")
        paths[-1].parent.mkdir()
        paths[-1].write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", CASES, *map(str, paths)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "ORDERS_URL": url},
    )
    assert done.returncode == 0, done.stderr
    for path, (text, expected) in zip(paths, cases, strict=True):
        error = path.with_name("error").read_text()
        assert error.startswith("ChildError: "), (text, error)
        assert expected in error, (text, error)
        counts = path.with_name("load-users.dms")
        # A load that was not told to end never says that it ended.
        assert not counts.exists() or 0 not in samples.read(counts)["users"].tolist()[1:]


def test_the_files_own_ways_are_kept(load: Any, url: str) -> None:
    # Its own listeners, arguments, imports from beside it, and the drill's host over its own.
    text = """
    import helper
    from locust import FastHttpUser, constant, events, task

    @events.init_command_line_parser.add_listener
    def arguments(parser):
        parser.add_argument("--greeting", default="hello")

    @events.test_start.add_listener
    def started(environment, **kwargs):
        print("started", environment.parsed_options.greeting, environment.parsed_options.num_users, helper.WORD)

    @events.request.add_listener
    def mine(**kwargs):
        from locust.exception import StopUser
        if kwargs["name"] == "/last":
            raise StopUser

    class Me(FastHttpUser):
        host = "http://127.0.0.1:1"
        wait_time = constant(0.05)
        weight = 3

        @task(50)
        def all(self):
            self.client.get("/fine")

    class Other(Me):
        weight = 1
        @task
        def last(self):
            self.client.get("/last")
    """
    running = load("pass", host=url, users=4, lease=25)
    (Path(running.directory).parent / "work space" / "helper.py").write_text("WORD = 'beside'\n")
    (Path(running.directory).parent / "work space" / "my_load.py").write_text(textwrap.dedent(text))
    running.go()
    until(lambda: "GET /last" in samples.texts(running.table("load"), "name"))
    # It ends by itself when its lease is over.
    assert running.process.wait(90) == child.EXIT_ENDED, running.log()
    assert running.table("load-users")["users"].tolist()[-1] == 0
    assert "started hello 4 beside" in running.log()
    table = running.table("load")
    assert np.asarray(table["ok"]).all()


@pytest.mark.lab
def test_the_orders_load_makes_its_rate_against_the_lab(tmp_path: Path, shared_lab: Any) -> None:
    file = Path(__file__).parents[2] / "experiments" / "load" / "orders.py"
    config = {"locustfile": str(file), "users": 20, "spawn_rate_per_second": 20, "processes": 1, "host": None}
    running = Child("drillmark.workload.child", "load", tmp_path, config, environment=shared_lab.environment)
    try:
        running.go()
        time.sleep(4)
        until(lambda: len(set(samples.texts(running.table("load"), "name"))) == 3)
        assert running.end() == child.EXIT_ENDED, running.log()
    finally:
        running.end(signal.SIGKILL)
    table = running.table("load")
    names = set(samples.texts(table, "name"))
    assert names == {"GET /orders/latest", "GET /orders/{id}", "POST /orders"}
    assert np.asarray(table["ok"]).mean() > 0.9, set(samples.texts(table, "error"))
    seconds = (int(table["start_ns"].max()) - int(table["start_ns"].min())) / NS
    print(f"{len(table) / seconds:.0f} requests/s")
    assert 10 < len(table) / seconds < 250  # on a quiet machine 150; a busy one never makes more


def test_the_asyncio_server_of_these_tests_is_the_real_thing(url: str) -> None:
    async def ask() -> bytes:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /broken HTTP/1.1\r\n\r\n")
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line

    assert asyncio.run(ask()) == b"HTTP/1.1 503 Service Unavailable\r\n"
