"""A heartbeat over 10,000 drills beside one over 1,000: CPU, and peak memory, of a real worker's own work.

Each in a process of its own, with DBOS launched; CPU of the thread that beats, as the machine may be busy. Gated is the
heartbeat that comes every ten seconds; reported are the first one, which reads every file, and one in which all are due.
Reported too: what `drillmark schedule` takes with that many.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heartbeats import measured

pytestmark = pytest.mark.benchmark

FEW, MANY = 1_000, 10_000
RATIO = 12.0
BEATS = 9
DRILL = "id: {name}\ntitle: A drill\nowner: team\ntarget: {target}\nmode: check\nfault: experiments/x.yaml\nschedule: {schedule}\n"
SCHEDULES = (
    '{{cron: "{minute} {hour} * * *"}}',
    "{{every: quarter}}",
    '{{cron: "{minute} 3 * 1,4,7,10 tue#1", time_zone: Europe/Berlin, window: {{days: tue-thu, from: "02:00", to: "05:00"}}}}',
    "{{every: week, jitter: 10m}}",
)


def workspace(root: Path, count: int) -> Path:
    (root / "drills").mkdir(parents=True)
    (root / "drillmark.yaml").write_text("{}\n")
    targets = "".join(f"  t{number}: {{environment: test}}\n" for number in range(10))
    (root / "targets.yaml").write_text(f"targets:\n{targets}")
    for number in range(count):
        minute, hour = number % 60, number // 60 % 24
        schedule = SCHEDULES[number % len(SCHEDULES)].format(minute=minute, hour=hour)
        text = DRILL.format(name=f"d{number}", target=f"t{number % 10}", schedule=schedule)
        (root / "drills" / f"d{number}.yaml").write_text(text)
    return root


def command_seconds(root: Path, *arguments: str) -> tuple[float, float]:
    """CPU and wall time of a command."""
    begin = time.monotonic()
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen([sys.executable, "-m", "drillmark", *arguments], cwd=root, stdout=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begin


def test_a_heartbeat_over_ten_times_the_drills_costs_ten_times_as_much(tmp_path, record_property, capsys):
    few, many = (measured(workspace(tmp_path / str(count), count), BEATS) for count in (FEW, MANY))
    # A quarter of them is due each day at a time of its own; the others some day in the week or quarter.
    assert many["rows"] > MANY / 5, many
    ratio = many["beat"] / few["beat"]
    for count, found in ((FEW, few), (MANY, many)):
        for name, value in found.items():
            record_property(f"heartbeat_{count}_{name}", round(value, 4))
    commands = {
        " ".join(each): command_seconds(tmp_path / str(MANY), "schedule", *each)
        for each in (("list",), ("next",), ("next", "d1234"), ("why", "d1234"))
    }
    for name, (cpu, _) in commands.items():
        record_property(f"schedule_{name}_cpu_seconds", round(cpu, 2))
    with capsys.disabled():
        print(
            f"\nheartbeat: {MANY} drills {many['beat']:.3f} s, {FEW} drills {few['beat']:.3f} s of CPU,"
            f" ratio {ratio:.1f} (at most {RATIO})"
        )
        for count, found in ((FEW, few), (MANY, many)):
            print(
                f"  {count}: the first {found['first']:.1f} s, after a day without workers {found['due']:.1f} s for"
                f" {found['rows']:.0f} occurrences, peak {found['peak_bytes'] / 1e6:.0f} MB (aim: 1 s, 150 MB)"
            )
        for name, (cpu, wall) in commands.items():
            print(f"  drillmark schedule {name} with {MANY}: {cpu:.1f} s of CPU, {wall:.1f} s")
    assert ratio <= RATIO, (few, many)
