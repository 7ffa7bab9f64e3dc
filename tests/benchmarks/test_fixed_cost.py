"""What a drill costs beyond its declared phases: starting its children, proving, undoing, measuring, reporting.

The aim is 3 s: 2.27 s at best of three (3.1, 2.7, 2.3) was measured on two cores with nothing else to do, most of it the
import of Chaos Toolkit in five processes. On a machine busy with other work everything takes longer, so the gate is beside
`chaos --help`, which is timed in turn with the drills: fourteen times that (it was 7.6 on a quiet machine, 8.6 on a busy
one).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from file_drill import DRILL, drillmark, make, put_back, serving

AIM_SECONDS = 3.0
TIMES_CHAOS_HELP = 14.0
ROUNDS = 3

pytestmark = pytest.mark.benchmark


def test_a_drills_fixed_cost(tmp_path, capsys):
    chaos = Path(sys.executable).with_name("chaos")
    costs, helps = [], []
    with serving(tmp_path / "the file") as url:
        service = (url, tmp_path / "the file")
        root = make(tmp_path / "ws", service, rollbacks=[put_back(service[1])])
        for _ in range(ROUNDS):
            began = time.perf_counter()
            subprocess.run([str(chaos), "--help"], check=True, capture_output=True)
            helps.append(time.perf_counter() - began)
            began = time.perf_counter()
            done = drillmark(root, "run", DRILL, "--json")
            whole = time.perf_counter() - began
            assert done.returncode == 0, done.stdout + done.stderr
            declared = 1.5 + json.loads(done.stdout)["stamps"]["soak_end"]["hi"]
            costs.append(whole - declared)
    with capsys.disabled():
        print(
            f"\na drill's fixed cost: {min(costs):.2f} s at best of {ROUNDS} ({', '.join(f'{c:.2f}' for c in costs)}),"
            f" aim {AIM_SECONDS:g} s; `chaos --help` beside it {min(helps):.2f} s"
        )
    assert min(costs) <= TIMES_CHAOS_HELP * min(helps)
