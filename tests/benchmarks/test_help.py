"""`drillmark --help` against `chaos --help`: side by side, interleaved, so that a busy machine slows both."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROUNDS = 7
RATIO = 0.5


def seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"Usage" in done.stdout
    return time.perf_counter() - begin


@pytest.mark.benchmark
def test_help_takes_less_than_half_the_time_of_chaos(record_property, capsys):
    chaos = Path(sys.executable).with_name("chaos")
    if not chaos.exists():
        pytest.skip("the `chaos` command is not installed beside this Python")
    ours, theirs = [sys.executable, "-m", "drillmark", "--help"], [str(chaos), "--help"]
    seconds(ours), seconds(theirs)  # both warm
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    record_property("drillmark_help_seconds", round(mine, 3))
    record_property("chaos_help_seconds", round(other, 3))
    with capsys.disabled():
        print(f"\n--help: drillmark {mine:.3f} s, chaos {other:.3f} s, ratio {mine / other:.2f} (at most {RATIO})")
    assert mine / other < RATIO
