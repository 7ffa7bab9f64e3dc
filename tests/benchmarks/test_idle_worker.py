"""What a worker takes of a core while it has nothing to do: the real command, on SQLite and on PostgreSQL, side by side.

Reported (aim: 1 %); what is gated is that nobody turns in circles. The first seconds, in which it starts, are left out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import own_database
import waiting
from heartbeats import cpu_seconds, server_cpu_seconds

pytestmark = pytest.mark.benchmark

SETTLE_SECONDS, MEASURE_SECONDS = 15.0, 30.0
PATIENCE_SECONDS = 120.0
# A machine that is busy otherwise makes every second of CPU longer. A loop without a pause takes 100 %.
MOST_PERCENT = 10.0


def start(root: Path, **environment: str) -> subprocess.Popen[bytes]:
    root.mkdir()
    (root / "drillmark.yaml").write_text("metrics: {listen: '127.0.0.1:0'}\n")
    (root / "targets.yaml").write_text("targets: {t: {environment: test}}\n")
    command = [sys.executable, "-m", "drillmark", "worker"]
    with (root / "log").open("wb") as output:
        return subprocess.Popen(command, cwd=root, stdout=output, stderr=output, env=os.environ | environment)


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def test_a_worker_with_nothing_to_do_takes_next_to_nothing(tmp_path, record_property, capsys):
    tmp_path.chmod(0o755)
    with ExitStack() as stack:
        server = stack.enter_context(own_database.running(tmp_path / "server"))
        postmaster = server.postmaster()
        workers = {
            "SQLite": start(tmp_path / "sqlite"),
            "PostgreSQL": start(tmp_path / "postgres", DRILLMARK_DATABASE_URL=server.fresh()),
        }
        for process in workers.values():
            stack.callback(end, process)
        logs = [tmp_path / "sqlite" / "log", tmp_path / "postgres" / "log"]
        waiting.until(
            lambda: all("is ready" in log.read_text() for log in logs),
            lambda: [log.read_text() for log in logs],
            seconds=PATIENCE_SECONDS,
        )
        time.sleep(SETTLE_SECONDS)

        def seconds() -> dict[str, float]:
            found = {name: cpu_seconds(process.pid) for name, process in workers.items()}
            return found | {"PostgreSQL's server": server_cpu_seconds(postmaster)}

        began, before = time.monotonic(), seconds()
        time.sleep(MEASURE_SECONDS)
        after, took = seconds(), time.monotonic() - began
        assert all(process.poll() is None for process in workers.values()), [log.read_text() for log in logs]
    percent = {name: 100 * (after[name] - before[name]) / took for name in before}
    for name, value in percent.items():
        record_property(f"idle_{name}_percent", round(value, 2))
    with capsys.disabled():
        told = ", ".join(f"{name} {value:.2f} %" for name, value in percent.items())
        print(f"\nan idle worker, of a core: {told} (aim: 1 %)")
    assert max(percent.values()) < MOST_PERCENT
