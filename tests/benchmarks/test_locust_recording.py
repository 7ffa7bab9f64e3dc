"""What recording costs Locust: its throughput with and without, side by side in one run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SERVER = """
import asyncio
class P(asyncio.Protocol):
    def connection_made(self, t): self.t = t
    def data_received(self, d): self.t.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
async def main():
    s = await asyncio.get_running_loop().create_server(P, '127.0.0.1', 0, backlog=128)
    print(s.sockets[0].getsockname()[1], flush=True)
    await s.serve_forever()
asyncio.run(main())
"""

USERS = """
import os
from locust import FastHttpUser, constant, task

class Fast(FastHttpUser):
    host = os.environ["URL"]
    wait_time = constant(0)

    @task
    def read(self):
        self.client.get("/orders/latest")
"""

# The users run all the time; the recorder listens and writes in every second window only.
BENCHMARK = """
from gevent import monkey; monkey.patch_all()
import json, sys, time
from pathlib import Path
import gevent, locust
from drillmark import samples
from drillmark.workload import locustfile
from drillmark.workload.local import FLUSH_SECONDS
from drillmark.workload.recorder import Recorder

path = Path(sys.argv[1])
windows, seconds = int(sys.argv[2]), float(sys.argv[3])
writer = samples.SampleWriter(path.with_name("load.dms"), samples.LOAD, {})
recorder = Recorder(writer, str)
environment = locustfile.environment(locustfile.load(path), path, users=10, spawn_rate_per_second=10, host=None)
runner = environment.create_local_runner()
runner.start(10, 10)
gevent.sleep(2)
rates = {True: [], False: []}
costs = {True: [], False: []}
for window in range(windows):
    recording = window % 4 in (0, 3)  # with, without, without, with: a drift counts for neither
    if recording:
        locust.events.request.add_listener(recorder.on_request)
    before, begun, used = runner.stats.total.num_requests, time.perf_counter(), time.process_time()
    while time.perf_counter() - begun < seconds:
        gevent.sleep(FLUSH_SECONDS)
        if recording:
            recorder.flush()
    count = runner.stats.total.num_requests - before
    rates[recording].append(count / (time.perf_counter() - begun))
    costs[recording].append(count / (time.process_time() - used))
    if recording:
        locust.events.request.remove_listener(recorder.on_request)
        recorder.flush()
runner.quit()
writer.close()
print(json.dumps({"wall": [rates[True], rates[False]], "cpu": [costs[True], costs[False]], "rows": writer.rows}))
"""


ATTEMPTS = 3


@pytest.mark.benchmark
def test_locust_is_as_fast_with_recording_as_without(tmp_path: Path) -> None:
    (tmp_path / "users.py").write_text(USERS)
    ratios: list[float] = []
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            # A busy neighbour makes the ratio swing by some per cent: measured again, a true loss shows each time.
            while len(ratios) < ATTEMPTS and not any(ratio >= 0.95 for ratio in ratios):
                ratios.append(measure(tmp_path / "users.py", url))
        finally:
            server.kill()
    assert max(ratios) >= 0.95


def measure(users: Path, url: str) -> float:
    users.with_name("load.dms").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", BENCHMARK, str(users), "80", "0.25"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "URL": url},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Each window against the one beside it: what else the machine does meanwhile then counts for both.
    wall, cpu = (
        statistics.median(with_ / without for with_, without in zip(*found[clock], strict=True))
        for clock in ("wall", "cpu")
    )
    with_, without = (statistics.median(rates) for rates in found["wall"])
    print(
        f"locust, requests/s: {with_:.0f} with recording, {without:.0f} without; ratio {wall:.3f}"
        f" by the clock, {cpu:.3f} by requests for each second of its own CPU; {found['rows']} rows"
    )
    assert found["rows"] > 1000
    # Locust saturates its core, so its throughput is what it makes of its CPU; neighbours disturb the clock's more.
    return cpu
