"""`list` and `gaps` with 100,000 past runs, beside the same with one page of them: history must not cost.

CPU of the whole command, as the machine may be busy; interleaved.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys

import pytest

from stored_runs import renamed, store_run, workspace

PAGE, PAST = 3, 100_000
ROUNDS = 5
RATIO = 1.2


def cpu_seconds(root, command: str) -> float:
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen([sys.executable, "-m", "drillmark", command], cwd=root, stdout=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def add_past(root, newest: str) -> None:
    """Runs that are long over: rows and entries, as a store keeps them; what is shown is the newest."""
    with sqlite3.connect(root / ".drillmark/journal.sqlite3") as connection:
        row = connection.execute("select * from runs where run = ?", (newest,)).fetchone()
        entry = connection.execute("select * from entries where run = ? and sequence = 1", (newest,)).fetchone()
        names = [f"20200101T000000Z-old-{number:06d}" for number in range(PAST)]
        connection.executemany(
            "insert into runs values (?, ?, ?, ?, ?, ?)",
            ((name, row[1], row[2], f"reports/runs/{name}", 1, number) for number, name in enumerate(names)),
        )
        connection.executemany(
            "insert into entries values (?, ?, ?, ?, ?, ?, ?, ?)", ((name, *entry[1:]) for name in names)
        )


@pytest.mark.benchmark
@pytest.mark.parametrize("command", ["list", "gaps"])
def test_past_runs_cost_nothing(command, tmp_path, record_property, capsys):
    without, full = (workspace(tmp_path / name) for name in ("without", "full"))
    for root in (without, full):
        stored = [store_run(root, renamed("20260101T100000Z-orders-db-lost-a1b2c3", number)) for number in range(PAGE)]
    add_past(full, stored[-1].run)
    for root in (without, full):
        cpu_seconds(root, command)  # both warm
    pairs = [(cpu_seconds(full, command), cpu_seconds(without, command)) for _ in range(ROUNDS)]
    many, none = (statistics.median(column) for column in zip(*pairs, strict=True))
    record_property(f"{command}_with_{PAST}_seconds", round(many, 3))
    record_property(f"{command}_without_seconds", round(none, 3))
    with capsys.disabled():
        print(
            f"\n{command}: {PAST} past runs {many:.3f} s, none {none:.3f} s, ratio {many / none:.2f} (at most {RATIO})"
        )
    assert many / none <= RATIO
