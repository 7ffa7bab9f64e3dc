"""The prober as a process: its grid, its pace, stopped, killed, and told what cannot work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from answering import PERIOD, http, steps, words
from drillmark import samples
from drillmark.observe import child
from observe_children import NS, Child
from waiting import until


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
