"""The built wheel, in an environment of its own and without a clone: install, `init`, `run`, `lab down`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRILL = "drills/quarterly/orders-db-lost.yaml"
INSTALL_SECONDS = 600
DRILL_SECONDS = 300


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], seconds=120)
    (built,) = folder.glob("*.whl")
    return built


def run(words, *, seconds, cwd=None, status=0):
    """Run one command with nothing of this test's own Python in its environment."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DRILLMARK", "VIRTUAL"))
    }
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == status, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_holds_the_workspace_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "drills").rglob("*.yaml")}
    shipped |= {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "experiments").rglob("*") if path.suffix != ".pyc"
    }
    shipped = {name for name in shipped if (ROOT / name).is_file()} | {"drillmark.yaml", "targets.yaml"}
    assert {f"drillmark/_workspace/{name}" for name in shipped} <= names
    strange = [name for name in names if not re.match(r"drillmark(/|-[0-9.]+\.dist-info/)", name)]
    assert not strange
    assert not [name for name in names if name.endswith((".pyc", ".sqlite3")) or "/runs/" in name]


@pytest.mark.drill
@pytest.mark.lab
@pytest.mark.realtime
def test_without_a_clone_a_drill_runs(wheel, tmp_path):
    room = tmp_path / "a room of its own"
    venv.create(room / "venv", with_pip=True)
    # The lock's versions, so that this tests the wheel and not what the index has new today.
    versions = re.findall(r"^[a-z][^\\\n]*==[^\\\n]*", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    (room / "versions.txt").write_text("\n".join(versions))
    pip = [room / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    asked = f"drillmark[lab] @ {wheel.as_uri()}"
    run([*pip, "--use-pep517", "--no-compile", "-c", room / "versions.txt", asked], seconds=INSTALL_SECONDS)
    drillmark = room / "venv/bin/drillmark"
    where = run([room / "venv/bin/python", "-c", "import drillmark; print(drillmark.__file__)"], seconds=60, cwd=room)
    assert where.startswith(str(room))

    # `chaos discover` lists what `drillmark discover` lists, from an installed wheel alone.
    run(
        [room / "venv/bin/chaos", "--no-version-check", "--no-log-file", "discover", "--no-install", "drillmark"],
        seconds=120,
        cwd=room,
    )
    theirs = json.loads((room / "discovery.json").read_text())
    ours = json.loads(run([drillmark, "discover", "--json"], seconds=120, cwd=room))
    assert theirs["activities"] == ours["activities"]
    assert {"lose_host", "restore", "sql"} <= {one["name"] for one in theirs["activities"]}

    run([drillmark, "init", "ws"], seconds=60, cwd=room)
    workspace = room / "ws"
    try:
        said = run([drillmark, "run", DRILL], seconds=DRILL_SECONDS, cwd=workspace)
        assert "PASSED" in said
        (path,) = workspace.glob("reports/runs/*/result.json")
        result = json.loads(path.read_text())
        assert result["verdict"] == "passed"
        assert 0 < result["rto"]["observed_seconds"]["lo"] <= result["rto"]["observed_seconds"]["hi"] < 60
        assert result["writes"]["lost"] > 0  # the tail that had not been archived
        run([drillmark, "verify", "last"], seconds=60, cwd=workspace)
    finally:
        run([drillmark, "lab", "down"], seconds=60, cwd=workspace)
    assert not (workspace / ".drillmark" / "lab").exists()
