"""A hundred beats a second, asked of a port: on the grid, each with its lateness, and what was missed left out."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import numpy as np

from drillmark import samples
from drillmark.observe import child
from observe_children import Child
from waiting import until

EVERY_NS = 10_000_000


def test_tcp_beats_at_a_hundred_a_second(tmp_path: Path):
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    def accept() -> None:
        try:
            while True:
                listener.accept()[0].close()
        except OSError:
            return

    threading.Thread(target=accept, daemon=True).start()
    port = listener.getsockname()[1]
    provider = {"type": "python", "module": "drillmark.observe.probes", "func": "tcp"}
    provider["arguments"] = {"host": "127.0.0.1", "port": port}
    probe = {"name": "port", "type": "probe", "tolerance": True, "provider": provider}
    config = {"every_seconds": 0.01, "timeout_seconds": 5, "activities": [probe]}
    prober = Child("drillmark.observe.prober", "prober", tmp_path, config)
    path = tmp_path / "samples" / "beats.dms"
    try:
        prober.go(90)
        until(lambda: path.exists() and len(samples.read(path)) > 150, seconds=60)
        assert prober.end(seconds=60) == child.EXIT_ENDED, prober.log()
    finally:
        prober.end(signal.SIGKILL)
        listener.close()
    table = prober.table("beats")
    assert table.closed
    assert table.meta["period_ns"] == EVERY_NS
    assert table["ok"].all(), set(samples.texts(table, "detail"))
    beats = np.sort(table["beat"])
    assert len(np.unique(beats)) == len(beats), "a slot was sent twice"
    due = table.meta["start_ns"] + table["beat"] * EVERY_NS
    late = table["sent_ns"] - due
    # A slot that was slept through is left out: nothing is sent before its time, nor a burst of what was missed.
    assert late.min() >= 0
    rate = len(beats) / (beats[-1] - beats[0] + 1)
    print(f"{len(beats)} beats, {rate:.0%} of the slots, p99 lateness {np.percentile(late, 99) / 1e6:.1f} ms")
