"""Our child against `chaos run --rollback-strategy=always`: the same experiments, the same journal.

Where the two differ, `docs/reference/deviations.md` says so, and says why; nothing else may differ, and nothing may
be listed that does not.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_helpers import FUNCTIONS, Followed, wait_until
from drillmark.chaos import What

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((Path(__file__).parent / "experiments").glob("*.yaml"))
DEVIATIONS = ROOT / "docs" / "reference" / "deviations.md"
FIELDS = {"journal", "status", "deviated", "before", "after", "run", "rollbacks", "events"}


@pytest.fixture(scope="module")
def address():
    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def version_string(self):
            return "conformance"

        def date_time_string(self, *_):
            return "always"

        def do_GET(self):
            body = json.dumps({"source": "database"}).encode()
            self.send_response(int(self.path[1:4]))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def _environment(place: Path, address: str) -> dict[str, str]:
    place.mkdir()
    return {
        **FUNCTIONS,
        "CONFORMANCE_PLACE": str(place),
        "CONFORMANCE_URL": address,
        "CONFORMANCE_TOKEN": "tok-8f3a9c77d1",
    }


@pytest.fixture(scope="module")
def theirs(address, tmp_path_factory):
    """Where `chaos run` leaves what it did, for every experiment: run one after the other, beside our own."""
    directory = tmp_path_factory.mktemp("theirs")
    environments = {path.stem: _environment(directory / path.stem, address) for path in EXPERIMENTS}
    (directory / "environments.json").write_text(json.dumps(environments))
    script = Path(__file__).with_name("chaos_runs.py")
    with (directory / "log").open("wb") as log:
        command = [sys.executable, str(script), str(directory), *map(str, EXPERIMENTS)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **FUNCTIONS})
    yield directory
    process.kill()
    process.wait()


def _ours(experiment: Path, directory: Path, address: str) -> tuple[dict | None, list]:
    run_dir = directory / "ours"
    environment = _environment(run_dir, address)
    with Followed(run_dir, yaml.safe_load(experiment.read_text()), environment=environment) as run:
        if run.until(What.READY, What.FAILED).event == What.READY:
            run.child.send("go")
            run.child.send("finish")
            run.until(What.FINISHED, What.FAILED)
        run.until_dead()
        return (run.journal if run.journal_path.exists() else None), run.events


def _runs(runs: list[dict] | None) -> list[tuple]:
    # What runs in the background is recorded in the order in which the threads happened to begin.
    records = [(run["activity"].get("name"), run.get("status"), json.dumps(run["output"])) for run in runs or []]
    return sorted(records)


def _steady(state: dict | None) -> tuple | None:
    if state is None:
        return None
    probes = [(*record, run.get("tolerance_met")) for run in state["probes"] for record in _runs([run])]
    return state["steady_state_met"], probes


def _seen(journal: dict | None, place: Path) -> dict[str, Any]:
    if journal is None:
        return {}
    here = json.loads(json.dumps(journal).replace(str(place), "PLACE"))
    return {
        "status": here["status"],
        "deviated": here["deviated"],
        "before": _steady(here["steady_states"]["before"]),
        "after": _steady(here["steady_states"]["after"]),
        "run": _runs(here["run"]),
        "rollbacks": _runs(here["rollbacks"]),
    }


def _statuses(events: list, phase: str) -> list[tuple]:
    return sorted((e.name, e.status) for e in events if e.event == What.ACTIVITY_ENDED and e.phase == phase)


def _differences(one: dict[str, Any], other: dict[str, Any], events: list) -> set[str]:
    if not one or not other:
        return set() if one == other else {"journal"}
    differing = {field for field in one if one[field] != other[field]}
    # E, on which the engine relies, must say of each activity what the journal beside it says.
    for phase, section in (("method", "run"), ("rollbacks", "rollbacks")):
        # A record without a status is what E calls indeterminate.
        journalled = sorted((name, status or "indeterminate") for name, status, _ in other[section])
        if _statuses(events, phase) != journalled:
            differing.add("events")
    return differing


def _listed() -> dict[str, set[str]]:
    """The table in the documentation: experiment -> what differs."""
    found: dict[str, set[str]] = {}
    for line in DEVIATIONS.read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| `([a-z-]+)\.yaml` \| ([a-z, ]+) \| (.{20,}) \|$", line)
        if row:
            found.setdefault(row[1], set()).update(row[2].split(", "))
    return found


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda path: path.stem)
def test_it_goes_as_with_chaos_run(experiment, address, theirs, tmp_path):
    ours, events = _ours(experiment, tmp_path, address)
    place = theirs / experiment.stem
    wait_until((place / "done").exists, 120)
    journal_path = place / "journal.json"
    left = json.loads(journal_path.read_text()) if journal_path.exists() else None
    one, other = _seen(left, place), _seen(ours, tmp_path / "ours")
    expected = _listed().get(experiment.stem, set())
    told = json.dumps({"theirs": one, "ours": other}, indent=1) + (place / "log").read_text()
    assert _differences(one, other, events) == expected, told


def test_the_list_names_what_there_is():
    listed = _listed()
    assert listed, "the table cannot be read"
    assert set(listed) <= {path.stem for path in EXPERIMENTS}
    for fields in listed.values():
        assert fields <= FIELDS


def test_what_the_list_says_of_tests_is_there():
    text = DEVIATIONS.read_text(encoding="utf-8")
    names = re.findall(r"`(test_[a-z_]+)`", text)
    assert len(names) >= 5
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_chaos*.py"))
    missing = [name for name in names if f"def {name}(" not in tests]
    assert not missing
