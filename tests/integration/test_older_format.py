"""An upgrade between crash and resume: what an older version wrote is read on.

`tests/older` holds workspaces as version 0.1.0 left them, of the formats drillmark.plan/1, drillmark.undo/1 and journal
1: `file-lost` with a run that ended and one whose runner was killed in its soak, `orders-db-lost` with a run that wrote
markers to a real PostgreSQL. They are never written anew: a format that changes must go on reading these.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import clocks
from drillmark import runs, undo
from file_drill import serving
from workspaces import processes_of

OLDER = Path(__file__).parents[1] / "older"
CUT_SHORT = "20261127T221333Z-file-lost-9e65f5"
ENDED = {"file-lost": "20261127T221323Z-file-lost-ccb94a", "orders-db-lost": "20261127T221402Z-orders-db-lost-3f3a59"}


def lay_out(name: str, root: Path) -> Path:
    """The workspace as it was, at another place."""
    shutil.copytree(OLDER / name, root)
    (root / ".drillmark").mkdir(mode=0o700)
    (root / "journal.sqlite3").rename(root / ".drillmark/journal.sqlite3")
    (root / "reports").mkdir()
    (root / "runs").rename(root / "reports/runs")
    for config in root.glob("reports/runs/*/guard.config.json"):
        config.write_text(config.read_text().replace("WORKSPACE", str(root)))
    return root


def drillmark(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drillmark", *arguments], cwd=root, capture_output=True, text=True, timeout=180,
        check=False, env=clocks.environment() | environment,
    )  # fmt: skip


@pytest.mark.parametrize("name", ENDED)
def test_a_run_that_ended_is_verified_measured_and_shown(tmp_path, name):
    root = lay_out(name, tmp_path / "ws")
    stored = json.loads((root / "reports/runs" / ENDED[name] / "result.json").read_text())
    measured = drillmark(root, "measure", ENDED[name], "--json")
    assert measured.returncode in (0, 1), measured.stderr  # 1: a later version tells more; what it told is the same
    again = json.loads(measured.stdout)["result"]
    assert (again["verdict"], again["reasons"]) == (stored["verdict"], stored["reasons"]) == ("passed", [])
    for key in ("rto", "rpo"):
        assert again[key]["observed_seconds"] == stored[key]["observed_seconds"]
        assert again[key]["verdict"] == stored[key]["verdict"]
    if stored["writes"]:
        # A later version may word the formula anew, as long as the numbers and what they rest on are the same.
        for writes in (again["writes"], stored["writes"]):
            del writes["cited"]["formula"]
        assert {key: again["writes"][key] for key in stored["writes"]} == stored["writes"]
    shown = drillmark(root, "show", ENDED[name])
    assert shown.returncode == 0, shown.stderr
    assert "PASSED" in shown.stdout
    verified = drillmark(root, "verify", ENDED[name])
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_run_that_was_cut_short_is_listed_measured_and_shown_as_no_pass(tmp_path):
    root = lay_out("file-lost", tmp_path / "ws")
    measured = drillmark(root, "measure", CUT_SHORT, "--json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout)["result"]["verdict"] == "unknown"
    shown = drillmark(root, "show", CUT_SHORT)
    assert f"`drillmark resume {CUT_SHORT}` ends it" in shown.stdout, shown.stdout + shown.stderr
    assert CUT_SHORT in drillmark(root, "list").stdout


@pytest.mark.parametrize("rebooted", [False, True], ids=["same boot", "after a reboot"])
def test_a_run_that_was_cut_short_is_taken_up(tmp_path, rebooted):
    root = lay_out("file-lost", tmp_path / "ws")
    (root / "served").mkdir()
    with serving(root / "served/the-file") as url:
        (root / "served/aside").write_text("up")  # the fault, and the recovery's copy beside it
        clock = {"boot": "another boot"} if rebooted else clock_of_the_run(root)
        environment = clocks.environment(**clock) | {"FILE_URL": url}
        resumed = drillmark(root, "resume", CUT_SHORT, "--json", **environment)
        assert resumed.returncode == (3 if rebooted else 4), resumed.stdout + resumed.stderr
        result = json.loads(resumed.stdout)
        assert result["verdict"] == "unknown"
        assert (root / "served/the-file").exists()
        assert not (root / "served/aside").exists()
        directory = root / "reports/runs" / CUT_SHORT
        assert undo.read(directory / "undo.json").undoables == ()
        effects = [entry.effect for entry in runs.read_exported(directory) if entry.kind == "intent"]
        assert effects.count("inject") == effects.count("undo") == 1
        assert effects.count("soak") == (1 if rebooted else 2)
        assert drillmark(root, "verify", CUT_SHORT).returncode == 0
        deadline = time.monotonic() + 60
        while left := processes_of(str(directory)):
            assert time.monotonic() < deadline, left
            time.sleep(0.1)


def clock_of_the_run(root: Path) -> dict:
    """The boot in which the run was cut short, two seconds after its last sign of life."""
    connection = sqlite3.connect(root / ".drillmark/journal.sqlite3")
    stamp = json.loads(connection.execute(
        "select stamp from entries where run = ? order by sequence desc limit 1", (CUT_SHORT,)
    ).fetchone()[0])  # fmt: skip
    connection.close()
    offset_ns = stamp["monotonic_ns"] + 2 * 10**9 - time.monotonic_ns()
    return {"boot": stamp["boot"], "host": stamp["host"], "monotonic_offset_ns": offset_ns}


def test_a_plan_with_one_marker_writer_still_reads_back():
    from drillmark.decide import steps

    plan = runs.read_plan(OLDER / "orders-db-lost/runs" / ENDED["orders-db-lost"])
    assert [step.effect for step in steps(plan)].count("read_back") == 1
