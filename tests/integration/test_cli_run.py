"""`drillmark run` from end to end on a system that is a file and a small web server: seconds, no lab.

The fault moves the file away, the recovery copies it back, the undo removes what was moved.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from file_drill import DRILL, drillmark, make, serving

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


def test_a_miss_files_a_gap_and_the_passing_retest_closes_it_and_leaves_all_that_is_promised(tmp_path, service):
    root = make(tmp_path / "a work space", service, objectives={"rto": "1ms", "slo": {"availability": "90%"}})
    done = drillmark(root, "run", DRILL, "--json")
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert (result["verdict"], result["rto"]["verdict"], result["exit_code"]) == ("failed", "failed", 1)
    (gap,) = json.loads(drillmark(root, "gaps", "--json").stdout)
    assert (gap["objective"], gap["kind"], gap["severity"], gap["state"]) == ("rto", "missed", "high", "open")

    make(root, service)
    done = drillmark(root, "run", DRILL)
    assert done.returncode == 0, done.stdout + done.stderr
    check_output(done.stdout)
    runs = json.loads(drillmark(root, "list", "--json").stdout)
    assert [row["verdict"] for row in runs] == ["passed", "failed"]
    (gap,) = json.loads(drillmark(root, "gaps", "--all", "--json").stdout)
    assert (gap["state"], gap["closed_by"]) == ("closed", runs[0]["run"])
    check_files(root / runs[0]["directory"])
    for command in ("measure", "verify"):
        again = drillmark(root, command)
        assert again.returncode == 0, again.stdout + again.stderr
    assert not service[1].with_name("aside").exists()


def check_output(text: str) -> None:
    for part in ("inject experiments/file-lost.yaml", "recover: copy-back", "PASSED", "RTA ", "objective 30 s: passed",
                 "copy-back", "report  reports/runs/", "next    "):  # fmt: skip
        assert part in text
    assert "\x1b" not in text
    assert re.search(r"^ +\+\d+\.\d s  ", text, re.MULTILINE)


def check_files(directory: Path) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700
    names = (
        "result.json",
        "report.md",
        "junit.xml",
        "journal.jsonl",
        "plan.json",
        "chaos/journal.json",
        "samples/beats.dms",
    )
    for name in names:
        assert (directory / name).stat().st_mode & 0o777 == 0o600, name
    result = json.loads((directory / "result.json").read_text())
    jsonschema.validate(result, json.loads((ROOT / "schemas/result.json").read_text()))
    assert result["verdict"] == "passed"
    (suite,) = ET.parse(directory / "junit.xml").getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")


def test_ctrl_c_undoes_the_fault_and_ends_with_3(tmp_path, service):
    root = make(tmp_path, service, soak="60s")
    command = [sys.executable, "-m", "drillmark", "run", DRILL]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        said: list[str] = []
        for line in running.stdout:
            said.append(line)
            if "copy-back: done" in line:
                os.kill(running.pid, signal.SIGINT)
                break
        rest = "".join([*said, *running.stdout])
    assert running.returncode == 3, rest
    assert "ABORTED" in rest
    assert not service[1].with_name("aside").exists()


@pytest.mark.parametrize(
    ("allowed", "asked"), [(None, ["--timeout", "8s"]), ("8s", []), ("8s", ["--timeout", "9m"])], ids=str
)
def test_a_run_that_takes_too_long_is_aborted(tmp_path, service, allowed, asked):
    settings = {"limits": {"run_time": allowed}} if allowed else None
    root = make(tmp_path, service, soak="60s", settings=settings)
    done = drillmark(root, "run", DRILL, *asked, "--json")
    assert done.returncode == 3, done.stdout + done.stderr
    assert json.loads(done.stdout)["aborted"] is True
    assert not service[1].with_name("aside").exists()


def test_the_kill_switch_refuses_before_anything_is_touched(tmp_path, service):
    root = make(tmp_path, service)
    (root / ".drillmark").mkdir()
    (root / ".drillmark/abort").write_text("freeze until Monday")
    done = drillmark(root, "run", DRILL)
    assert done.returncode == 3
    assert "freeze until Monday" in done.stderr
    assert "HINT: remove" in done.stderr
    assert not (root / "reports/runs").exists()


def test_an_invalid_drill_is_2_and_every_problem_has_its_place(tmp_path, service):
    root = make(tmp_path, service)
    path = root / DRILL
    path.write_text(
        path.read_text().replace("owner: team", "owners: team").replace("baseline: 1500ms", "baseline: -1s")
    )
    done = drillmark(root, "run", DRILL)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {DRILL}:")
    assert len(re.findall(rf"{DRILL}:\d+:\d+: ", done.stderr)) >= 3
    assert not (root / "reports").exists()
