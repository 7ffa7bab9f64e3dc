"""`drillmark new`: a drill by asking or by options, accepted by `validate`, and honest about what it leaves open."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from file_drill import drillmark, make, serving

EXPERIMENT = "experiments/file-lost.yaml"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    with serving(folder / "the file") as url:
        (folder / "ws").mkdir()
        # Not the drill that `make` writes: two of one id are refused.
        made = make(folder / "ws", (url, folder / "the file"))
        (made / "drills/file-lost.yaml").unlink()
        yield made


def ask(root, *arguments, answers=""):
    command = [sys.executable, "-m", "drillmark", "new", *arguments]
    return subprocess.run(command, cwd=root, input=answers, capture_output=True, text=True, timeout=120, check=False)


def test_it_asks_writes_and_says_what_is_left_open(root):
    answers = "asked\nThe file goes\nteam\nthe-file\nnone\nnone\n30s\nnone\ndrills/nightly/asked.yaml\n"
    done = ask(root, EXPERIMENT, answers=answers)
    assert done.returncode == 0, done.stderr
    drill = yaml.safe_load((root / "drills/nightly/asked.yaml").read_text())
    assert drill == {
        "id": "asked",
        "title": "The file goes",
        "owner": "team",
        "target": "the-file",
        "fault": EXPERIMENT,
        "objectives": {"rto": "30s"},
    }
    # The probe of this target looks at a status alone, and there is no load; the effect is proved.
    assert "cache or error page: " in done.stdout
    assert "no load: " in done.stdout
    assert "fault that did not take" not in done.stdout
    valid = drillmark(root, "validate", "drills/nightly/asked.yaml")
    assert valid.returncode == 0, valid.stdout

    again = ask(root, EXPERIMENT, "--no-input", "--owner", "x", "--output", "drills/nightly/asked.yaml")
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert yaml.safe_load((root / "drills/nightly/asked.yaml").read_text()) == drill


def test_options_answer_everything(root):
    done = ask(root, EXPERIMENT, "--id", "scripted", "--owner", "team", "--recover", "read", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["file"] == "drills/nightly/scripted.yaml"
    assert told["drill"]["recover"] == [{"ref": "read"}]
    names = {one["name"] for one in told["not_excluded"]}
    assert {"empty database", "wrong or old backup", "backup that is none"} <= names
    assert told["always_excluded"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no-input"], "give --owner"),
        ([], "no answer to"),
        (["--no-input", "--owner", "x", "--target", "nobody"], "there is no target nobody"),
        (["--no-input", "--owner", "x", "--recover", "no-such"], "no-such"),
        (["--no-input", "--owner", "x", "--rto", "soon"], "soon"),
        (["--no-input", "--owner", "x", "--output", "../outside.yaml"], "no place for a drill"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(root, arguments, said):
    before = sorted(root.rglob("*.yaml"))
    done = ask(root, EXPERIMENT, "--id", "wrong", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert sorted(root.rglob("*.yaml")) == before


def test_no_experiment_no_drill(root):
    done = ask(root, "experiments/nowhere.yaml")
    assert done.returncode == 2
    assert "there is no experiment" in done.stderr
