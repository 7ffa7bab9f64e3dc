"""`drillmark prune`: samples of old runs go, evidence stays and says so; nothing that may matter is touched."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from drillmark import cli, undo
from drillmark.engine import pruning
from stored_runs import renamed, store_run, workspace

YEARS = 30 * 365 * 86400.0


@pytest.fixture
def stored(tmp_path, monkeypatch):
    root = workspace(tmp_path / "ws")
    monkeypatch.chdir(root)
    return store_run(root)


def drillmark(*arguments):
    return CliRunner().invoke(cli.main, arguments)


def test_samples_go_and_the_evidence_stays_and_says_so(stored):
    assert (stored.directory / "samples/beats.dms").exists()
    kept = {name: (stored.directory / name).read_bytes() for name in ("plan.json", "result.json")}
    done = drillmark("prune", "--older-than", "1s", "--json")
    assert done.exit_code == 0, done.output
    (one,) = json.loads(done.stdout)
    assert one["run"] == stored.run
    assert one["files"] == ["samples/beats.dms"]
    assert one["bytes"] > 0
    assert not (stored.directory / "samples/beats.dms").exists()
    assert kept == {name: (stored.directory / name).read_bytes() for name in kept}
    # In the workspace, and in a copy of the folder alone.
    for run in ("last", f"./{stored.directory.relative_to(stored.workspace)}"):
        verified = drillmark("verify", run, "--json")
        assert verified.exit_code == 0, verified.output
        (beats,) = [each for each in json.loads(verified.stdout)["checks"] if each["what"] == "samples/beats.dms"]
        assert beats["found"] == "unchecked"
        assert "was pruned by" in beats["detail"]
    assert drillmark("show", "last").exit_code == 0
    measured = drillmark("measure", "last")
    assert measured.exit_code == 2
    assert "were pruned" in str(measured.output)
    assert json.loads(drillmark("prune", "--older-than", "1s", "--json").stdout) == []


def test_a_sample_that_only_vanished_is_still_damage(stored):
    (stored.directory / "samples/beats.dms").unlink()
    assert drillmark("verify", "last").exit_code == 1


def test_what_is_young_unended_or_not_undone_is_not_touched(stored):
    unended = store_run(stored.workspace, renamed(stored.run, 1), finished=False)
    faulty = store_run(stored.workspace, renamed(stored.run, 2))
    state = undo.UndoState(faulty.run, (undo.Undoable("experiments/x.yaml", {"rollbacks": []}),))
    undo.write(faulty.directory / "undo.json", state)
    assert pruning.prune(stored.workspace, older_than_seconds=YEARS, by="ada", really=True) == []
    would = pruning.prune(stored.workspace, older_than_seconds=1.0, by="ada", really=False)
    assert [one.run for one in would] == [stored.run]
    assert (stored.directory / "samples/beats.dms").exists()
    done = pruning.prune(stored.workspace, older_than_seconds=1.0, by="ada", really=True)
    assert done == would
    for other in (unended, faulty):
        assert (other.directory / "samples/beats.dms").exists()


def test_an_age_is_asked_for():
    assert drillmark("prune").exit_code == 2
    assert drillmark("prune", "--older-than", "never").exit_code == 2
