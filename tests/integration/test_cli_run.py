"""`drillmark run` from end to end on a system that is a file and a small web server: seconds, no lab.

The fault moves the file away, the recovery copies it back, the undo removes what was moved.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DRILL = "drills/file-lost.yaml"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Answers 200 as long as the file is there."""
    served = tmp_path_factory.mktemp("served") / "the file"
    served.write_text("up")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if served.exists() else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", served
    server.shutdown()
    thread.join()
    server.server_close()


def activity(name: str, module: str, func: str, tolerance=None, **arguments) -> dict:
    kind = "action" if tolerance is None else "probe"
    made = {
        "name": name,
        "type": kind,
        "provider": {"type": "python", "module": module, "func": func, "arguments": arguments},
    }
    return made if tolerance is None else made | {"tolerance": tolerance}


def make(root: Path, service, *, objectives=None, soak="2s") -> Path:
    url, served = service
    served.write_text("up")
    aside = served.with_name("aside")
    aside.unlink(missing_ok=True)
    read = {"name": "read", "type": "probe", "tolerance": 200, "provider": {"type": "http", "url": url, "timeout": 1}}
    gone = activity("is-gone", "os.path", "exists", tolerance=True, path=str(aside))
    texts = {
        "drillmark.yaml": {},
        "targets.yaml": {"targets": {"the-file": {"environment": "test", "probes": ["read"], "effect": "is-gone", "activities": [read, gone]}}},
        "experiments/file-lost.yaml": {
            "title": "x", "description": "x",
            "method": [activity("lose", "shutil", "move", src=str(served), dst=str(aside))],
            "rollbacks": [activity("remove-what-was-moved", "os", "remove", path=str(aside))],
        },
        DRILL: {
            "id": "file-lost", "title": "The file is lost and copied back", "owner": "team", "target": "the-file",
            "fault": "experiments/file-lost.yaml",
            "objectives": objectives or {"rto": "30s", "slo": {"availability": "90%"}},
            "phases": {"baseline": "1500ms", "soak": soak, "hold": "1s", "recover": {"deadline": "1m"}},
            "recover": [activity("copy-back", "shutil", "copyfile", src=str(aside), dst=str(served))],
            "risk": {"likelihood": "high", "impact": "high"},
        },
    }  # fmt: skip
    for name, value in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(yaml.safe_dump(value))
    return root


def drillmark(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "drillmark", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)


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


def test_a_run_that_takes_too_long_is_aborted(tmp_path, service):
    root = make(tmp_path, service, soak="60s")
    done = drillmark(root, "run", DRILL, "--timeout", "8s", "--json")
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
