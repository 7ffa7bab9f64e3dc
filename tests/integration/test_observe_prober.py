"""The prober against real servers that are slow, wrong, stopped or gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from drillmark import clock, samples
from drillmark.model.evidence import Table
from drillmark.observe import child, paced, prober
from observe_children import NS, Child
from waiting import until

PERIOD = 0.05


class Answering(BaseHTTPRequestHandler):
    """Answers as its server says at the moment."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.hits += 1
        server.seen.append((self.path, dict(self.headers)))
        time.sleep(server.delay)
        body = server.body
        status = int(self.path.rpartition("/")[2]) if "/status/" in self.path else server.status
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", server.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_POST(self) -> None:
        server: Any = self.server
        server.posted.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.do_GET()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    running: Any = Server(("127.0.0.1", 0), Answering)
    running.delay, running.status, running.hits = 0.0, 200, 0
    running.body, running.content_type = b'{"source": "database"}', "application/json"
    running.seen, running.posted = [], []
    running.url = f"http://127.0.0.1:{running.server_address[1]}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join(60)


def http(url: str, **more: Any) -> dict[str, Any]:
    return {
        "name": more.pop("name", "read"),
        "type": "probe",
        "tolerance": more.pop(
            "tolerance", {"type": "jsonpath", "target": "body", "path": "$.source", "expect": ["database"]}
        ),
        "provider": {"type": "http", "url": url, "timeout": 20, **more},
    }


@pytest.fixture
def beat(tmp_path: Path) -> Any:
    """Beats in this process for some seconds; `between` is called half-way, in a thread."""

    def run(
        activities: list[dict[str, Any]],
        seconds: float,
        *,
        timeout: float = 20.0,
        secrets: dict[str, Any] | None = None,
        configuration: dict[str, Any] | None = None,
        between: Any = None,
    ) -> Table:
        path = tmp_path / "beats.dms"

        async def work() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            if between:
                loop.call_later(seconds / 2, between)
            connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False)
            async with aiohttp.ClientSession(connector=connector) as session:
                probes = paced.make_probes(
                    activities,
                    configuration or {},
                    secrets or {},
                    session=session,
                    period_ns=round(PERIOD * NS),
                    timeout_seconds=timeout,
                )
                writer = samples.SampleWriter(path, samples.BEATS, {"start_ns": clock.monotonic_ns()})
                beats = prober.Prober(
                    writer,
                    probes,
                    start_ns=writer.meta["start_ns"],
                    period_ns=round(PERIOD * NS),
                    timeout_ns=round(timeout * NS),
                )
                loop.call_later(seconds, stop.set)
                await beats.run(stop)
                writer.close()
                for each in probes:
                    await each.probe.close()
                await asyncio.sleep(0.1)

        asyncio.run(work())
        return samples.read(path)

    return run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Starts the prober as the engine does."""
    running: list[Child] = []

    def begin(
        activities: list[dict[str, Any]], *, lease: float = 600, env: dict[str, str] | None = None, **config: Any
    ) -> Child:
        config = {"every_seconds": PERIOD, "timeout_seconds": 20.0, "activities": activities, **config}
        where = tmp_path / "run with space"
        running.append(Child("drillmark.observe.prober", "prober", where, config, environment=env, lease_seconds=lease))
        return running[-1]

    yield begin
    for each in running:
        each.end(signal.SIGKILL)


def words(table: Table) -> dict[str, set[tuple[int, str]]]:
    """What each probe's rows say: good or not, and the detail."""
    found: dict[str, set[tuple[int, str]]] = {}
    for name, ok, detail in zip(
        samples.texts(table, "probe"), table["ok"].tolist(), samples.texts(table, "detail"), strict=True
    ):
        found.setdefault(name, set()).add((ok, detail))
    return found


def steps(table: Table) -> Any:
    """Slots from one beat that is there to the next."""
    return np.diff(np.unique(np.asarray(table["beat"])))


def test_a_slow_server_delays_no_beat(server: Any, beat: Any) -> None:
    server.delay = 0.6
    table = beat([http(server.url)], 2.0)
    assert words(table) == {"read": {(1, "200")}}
    assert np.asarray(table["received_ns"] - table["sent_ns"]).min() >= 0.6 * NS
    sent = np.sort(np.asarray(table["sent_ns"]))
    # As many beats as fit, one period apart (40, and fewer on a busy machine); one by one, 0.6 s apart, there were four.
    assert len(table) >= 10
    assert np.median(np.diff(sent)) < 0.3 * NS


def test_an_error_page_with_200_is_bad_and_so_is_the_right_body_with_500(server: Any, beat: Any) -> None:
    assert words(beat([http(server.url)], 0.4)) == {"read": {(1, "200")}}

    def begin(**what: Any) -> Any:
        return lambda: vars(server).update(what)

    table = beat([http(server.url)], 0.6, between=begin(body=b'{"source": "cache"}'))
    assert words(table) == {"read": {(1, "200"), (0, "tolerance")}}
    server.body = b'{"source": "database"}'
    table = beat([http(server.url)], 0.6, between=begin(status=500))
    assert (0, "500") in words(table)["read"]
    server.status, server.content_type, server.body = 200, "text/html", b"<html>sorry</html>"
    before = len(table)
    table = beat([http(server.url)], 0.4)  # the file goes on
    assert set(samples.texts(table, "detail")[before:]) == {"tolerance"}
    server.content_type = "application/json"
    before = len(table)
    assert set(samples.texts(beat([http(server.url)], 0.4), "detail")[before:]) == {"not json"}


def test_tolerances_mean_what_chaos_toolkit_means(server: Any, beat: Any) -> None:
    server.content_type = "text/plain"
    cases: list[tuple[Any, int, bool]] = [
        (404, 404, True),
        (200, 404, False),
        ([200, 503], 503, True),
        ([200, 503], 404, False),
        (True, 200, False),
        ({"type": "range", "target": "status", "range": [400, 499]}, 404, True),
        ({"type": "regex", "target": "body", "pattern": "data.ase"}, 200, True),
        ({"type": "regex", "target": "body", "pattern": "data.ase"}, 404, False),
        ({"type": "regex", "pattern": "data.ase"}, 200, False),
        ({"type": "jsonpath", "path": "$.status", "expect": [404]}, 404, True),
        ({"type": "jsonpath", "path": "$.source", "expect": ["database"]}, 200, False),
        ({"type": "jsonpath", "target": "body", "path": "$.source", "expect": "${source}"}, 200, True),
    ]
    activities = [
        http(f"{server.url}/status/{status}", name=f"{number}", tolerance=tolerance)
        for number, (tolerance, status, _) in enumerate(cases)
    ]
    table = beat(activities, 0.5, configuration={"source": "database"})
    found = words(table)
    for number, (tolerance, _, good) in enumerate(cases):
        assert {ok for ok, _ in found[str(number)]} == {int(good)}, tolerance


def test_requests_are_what_chaos_toolkit_would_send(server: Any, beat: Any) -> None:
    activity = http(
        "${base}/orders",
        method="POST",
        headers={"Content-Type": "application/json", "X-Token": "${token}"},
        arguments={"customer": "${who}", "n": 3},
    )
    form = http(server.url + "/form", name="form", method="POST", arguments={"a": "b c"})
    query = http(server.url + "/find", name="find", arguments={"q": "a b", "n": [1, 2]})
    user = http(server.url.replace("//", "//ada:pw@"), name="user")
    table = beat(
        [{"name": "create", "activity": activity, "repeatable": False, "timeout_seconds": None}, form, query, user],
        0.3,
        configuration={"base": server.url, "who": "müller"},
        secrets={"api": {"token": "t0ps3cret-token"}},
    )
    assert words(table) == {name: {(1, "200")} for name in ("create", "form", "find", "user")}
    assert {"customer": "müller", "n": 3} in [json.loads(body) for body in server.posted if body.startswith(b"{")]
    assert b"a=b+c" in server.posted
    assert any(headers.get("X-Token") == "t0ps3cret-token" for _, headers in server.seen)
    assert any(headers.get("Authorization") == "Basic YWRhOnB3" for _, headers in server.seen)
    assert any(path == "/find?q=a+b&n=1&n=2" for path, _ in server.seen)


def test_timeouts_and_a_dead_server_have_their_words_and_no_beat_is_missing(beat: Any) -> None:
    # A listener that never accepts: the kernel completes the handshake, nobody answers.
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.1", 0))
        silent.listen(500)
        closed.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        arguments = {"host": "127.0.0.1", "port": port}
        native = {"type": "python", "module": "drillmark.observe.probes", "func": "tcp"}
        table = beat(
            [
                http(f"http://127.0.0.1:{port}", name="silent"),
                http(f"http://127.0.0.1:{closed.getsockname()[1]}", name="refused"),
                http("http://no-such-host.invalid/", name="dns"),
                http(f"http://127.0.0.1:{port}", name="own", timeout=0.1),
                {"name": "port", "type": "probe", "tolerance": True, "provider": native | {"arguments": arguments}},
                {
                    "name": "no port",
                    "type": "probe",
                    "tolerance": True,
                    "provider": native | {"arguments": arguments | {"port": closed.getsockname()[1]}},
                },
            ],
            3.5,
            timeout=2.0,
        )
    found = words(table)
    assert found["silent"] == found["own"] == {(0, "timeout")}
    assert found["refused"] == found["no port"] == {(0, "refused")}
    assert found["dns"] <= {(0, "dns"), (0, "timeout")}
    assert found["port"] == {(1, "ok")}
    # What a time-out of 2 s held up would leave out 40 beats.
    assert steps(table).max() < 2.0 / PERIOD / 2
    waited: dict[str, list[int]] = {}
    for name, ns in zip(samples.texts(table, "probe"), (table["received_ns"] - table["sent_ns"]).tolist(), strict=True):
        waited.setdefault(name, []).append(ns)
    assert min(waited["silent"]) >= 2.0 * NS
    assert np.median(waited["silent"]) < 7.0 * NS
    # Its own time-out is the shorter one, and that one counts.
    assert min(waited["own"]) >= 0.1 * NS
    assert np.median(waited["own"]) < 1.0 * NS


def test_other_probes_run_at_their_own_pace_in_slots_of_their_own(server: Any, beat: Any) -> None:
    def process(name: str, *arguments: str) -> dict[str, Any]:
        provider = {"type": "process", "path": arguments[0], "arguments": list(arguments[1:]), "timeout": 60}
        tolerance = {"type": "regex", "target": "stdout", "pattern": "fine"}
        return {"name": name, "type": "probe", "tolerance": tolerance, "provider": provider}

    broken = {"type": "python", "module": "json", "func": "loads", "arguments": {"s": "{"}}
    table = beat(
        [
            http(server.url),
            process("script", "echo", "fine"),
            process("wrong", "echo", "poor"),
            process("hanging", "sleep", "30"),
            {"name": "broken", "type": "probe", "tolerance": True, "provider": broken},
            # A tolerance that is a probe itself may block: not native either.
            http(server.url, name="judged", tolerance={"type": "probe", "name": "p", "provider": broken}),
        ],
        5.6,
        timeout=4.0,
    )
    found = words(table)
    assert found["script"] == {(1, "ok")}
    assert found["wrong"] == {(0, "tolerance")}
    assert found["hanging"] == {(0, "timeout")}
    assert found["broken"] == {(0, "failed")}
    assert found["judged"] == {(0, "tolerance")}
    names = samples.texts(table, "probe")
    slots = {beat for beat, name in zip(table["beat"].tolist(), names, strict=True) if name != "read"}
    assert {slot % round(1 / PERIOD) for slot in slots} == {0}
    # One a second.
    assert 2 <= len(slots) <= 6
    assert names.count("read") > 20


def test_a_config_that_cannot_work_is_a_failed_status_with_its_reason(start: Any) -> None:
    provider = {
        "type": "python",
        "module": "drillmark.observe.probes",
        "func": "sql",
        "arguments": {"query": "SELECT 1"},
    }
    running = start([{"name": "sql", "type": "probe", "provider": provider}]).go()
    assert running.process.wait(60) == child.EXIT_FAILED
    assert "needs a dsn" in running.status()["error"]


def test_beats_on_a_grid_a_stop_that_shows_and_a_clean_end(server: Any, start: Any) -> None:
    secret = {"headers": {"X-Token": "${token}"}}
    script = {"type": "process", "path": "sleep", "arguments": "0.6", "timeout": 5}
    running = start(
        [
            http(server.url + "/a", **secret),
            http(server.url + "/b", name="other"),
            {"name": "script", "type": "probe", "tolerance": 0, "provider": script},
        ],
        secrets={"api": {"token": {"type": "env", "key": "TOKEN"}}},
        env={"TOKEN": "t0ps3cret-token"},
    )
    until(lambda: running.status().get("state") == "starting")
    time.sleep(0.2)
    assert server.hits == 0  # nothing is done before the word to go
    assert not (running.directory / "samples").exists()
    running.go()
    for number in (signal.SIGINT, signal.SIGHUP):
        running.process.send_signal(number)
    until(lambda: "script" in samples.texts(running.table("beats"), "probe"))
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(3.0)
    hits, continued = server.hits, time.monotonic()
    running.process.send_signal(signal.SIGCONT)
    time.sleep(0.2)
    burst, seconds = server.hits - hits, time.monotonic() - continued
    rows = len(running.table("beats"))
    until(lambda: len(running.table("beats")) >= rows + 20)
    assert b"t0ps3cret" not in Path(f"/proc/{running.process.pid}/cmdline").read_bytes()
    # The engine's word to stop goes to the group: a script that it cuts short has not failed.
    os.killpg(running.process.pid, signal.SIGTERM)
    assert running.process.wait(60) == child.EXIT_ENDED
    assert running.status()["state"] == "ended"

    table = running.table("beats")
    assert table.closed
    # Two probes a beat; all that it missed would be 60 beats more.
    assert burst <= 2 * (seconds / PERIOD + 10)
    # No answer says "bad" because the prober itself slept.
    assert words(table) == {"read": {(1, "200")}, "other": {(1, "200")}, "script": {(1, "ok")}}
    names = samples.texts(table, "probe")
    # Sent where the grid says: never early, late by less than a period (and what a busy machine adds).
    due = table.meta["start_ns"] + np.asarray(table["beat"]) * table.meta["period_ns"]
    late = np.asarray(table["sent_ns"]) - due
    assert (late >= 0).all()
    assert np.median(late) <= 5 * table.meta["period_ns"]
    # One gap where it was stopped, and no burst after it.
    first = np.array([name == "read" for name in names])
    sent = np.sort(np.asarray(table["sent_ns"])[first])
    assert np.diff(sent).max() >= 2.9 * NS
    assert steps(table).max() >= 2.5 / PERIOD
    assert (np.diff(sent) < 0.3 * PERIOD * NS).mean() < 0.5
    # Within a beat in the order of the config.
    rows = list(zip(table["beat"].tolist(), names, table["sent_ns"].tolist(), strict=True))
    read = {beat: at for beat, name, at in rows if name == "read"}
    assert all(at >= read[beat] for beat, name, at in rows if name == "other" and beat in read)
    assert table.meta["probes"] == ["read", "other", "script"]
    assert table.meta["periods_ns"] == {"read": PERIOD * NS, "other": PERIOD * NS, "script": NS}
    for file in running.directory.rglob("*"):
        if file.is_file():
            assert b"t0ps3cret-token" not in file.read_bytes(), file


def test_what_was_in_flight_when_it_slept_proves_nothing_and_a_kill_leaves_a_readable_file(
    server: Any, start: Any
) -> None:
    server.delay = 0.3
    running = start([http(server.url)], timeout_seconds=2.0).go()
    until(lambda: len(running.table("beats")) >= 10)
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(4.0)
    running.process.send_signal(signal.SIGCONT)
    awake = time.monotonic_ns()
    until(lambda: running.table("beats")["sent_ns"].max() > awake)
    running.end(signal.SIGKILL)
    table = running.table("beats")
    assert not table.closed
    assert len(table) >= 5
    asleep = np.diff(np.sort(np.asarray(table["sent_ns"]))).argmax()
    # None of the sends around the sleep is called a time-out of the server's.
    details = samples.texts(table, "detail")
    assert "timeout" not in [details[n] for n in np.argsort(table["sent_ns"])[max(0, asleep - 8) : asleep + 1]]

    # Started again, it goes on in the same file, on the same grid.
    server.delay = 0
    again = start([http(server.url)], lease=8).go()
    assert again.process.wait(60) == child.EXIT_ENDED  # by itself, when its lease is over
    after = again.table("beats")
    assert after.closed
    assert after["beat"].tolist()[: len(table)] == table["beat"].tolist()
    assert len(set(after["beat"].tolist())) == len(after)
    assert after.meta["start_ns"] == table.meta["start_ns"]


def test_it_waits_for_the_word_to_go_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "GO_WITHIN_SECONDS", 0.1)
    config = {"run": "r", "run_dir": str(tmp_path), "deadline_ns": 0}
    waiting = child.Child("prober", "r", tmp_path, 0, config)
    assert not waiting.wait_for_go()
    (tmp_path / "children").mkdir()
    (tmp_path / "children" / "prober.go").touch()
    assert waiting.wait_for_go()


@pytest.mark.realtime
def test_fifty_endpoints_at_ten_hertz_cost_little(server: Any, start: Any) -> None:
    code = (
        "import asyncio\n"
        "class P(asyncio.Protocol):\n"
        "    def connection_made(self, t): self.t = t\n"
        "    def data_received(self, d):\n"
        "        self.t.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'); self.t.close()\n"
        "async def main():\n"
        "    s = await asyncio.get_running_loop().create_server(P, '127.0.0.1', 0, backlog=512)\n"
        "    print(s.sockets[0].getsockname()[1], flush=True)\n"
        "    await s.serve_forever()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as tiny:
        try:
            url = f"http://127.0.0.1:{int(tiny.stdout.readline())}"
            running = start([http(url, name=f"p{n}", tolerance=200) for n in range(50)], every_seconds=0.1).go()
            before, begun = sum(os_times(running.process.pid)), time.monotonic_ns()
            time.sleep(3)
            used = sum(os_times(running.process.pid)) - before
            running.end()
        finally:
            tiny.kill()
    table = running.table("beats")
    assert np.asarray(table["ok"]).mean() > 0.99
    asked = int((np.asarray(table["sent_ns"]) > begun).sum())
    print(f"50 endpoints at 10 Hz: {used / 3:.0%} of a core, {used / asked * 1000:.2f} ms for each request")
    assert asked >= 250, "one in six of what was due"
    assert used / asked < 0.004  # measured: 0.0004 to 0.0007


def os_times(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


def test_a_word_to_go_that_names_another_process_is_not_for_this_one(tmp_path: Path):
    """An idle prober that a killed runner had not written down must not go beside the one that a resumed run starts."""
    config = {"every_seconds": 0.1, "timeout_seconds": 1, "activities": []}
    orphan = Child("drillmark.observe.prober", "prober", tmp_path, config, lease_seconds=240)
    (tmp_path / "children" / "prober.go").write_text("1")

    assert orphan.process.wait(60) == 3
    assert not (tmp_path / "samples" / "beats.dms").exists()
