"""`drillmark prune`: samples of old runs go, evidence stays and says so; nothing that may matter is touched."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from click.testing import CliRunner

from drillmark import artifacts, cli, undo
from drillmark.artifacts.folder import Folder
from drillmark.artifacts.manifest import MANIFEST
from drillmark.artifacts.place import ArtifactsError
from drillmark.engine import pruning
from drillmark.journal.store import JournalStore
from stored_runs import renamed, store_run, workspace

YEARS = 30 * 365 * 86400.0


@pytest.fixture
def stored(tmp_path, monkeypatch):
    root = workspace(tmp_path / "ws")
    monkeypatch.chdir(root)
    return store_run(root)


def drillmark(*arguments):
    return CliRunner().invoke(cli.main, arguments)


def prune(stored, *, older_than_seconds=1.0, really=True):
    return list(pruning.prune(stored.workspace, older_than_seconds=older_than_seconds, by="ada", really=really))


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
    assert prune(stored, older_than_seconds=YEARS) == []
    would = prune(stored, really=False)
    assert [one.run for one in would] == [stored.run]
    assert (stored.directory / "samples/beats.dms").exists()
    assert prune(stored) == would
    for other in (unended, faulty):
        assert (other.directory / "samples/beats.dms").exists()


def test_an_age_is_asked_for():
    assert drillmark("prune").exit_code == 2
    assert drillmark("prune", "--older-than", "never").exit_code == 2


@pytest.fixture
def copy(stored, tmp_path, monkeypatch):
    """The stored run's copy, in a folder that DRILLMARK_ARTIFACTS names."""
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setenv(artifacts.VARIABLE, str(folder))
    artifacts.mark(stored.workspace, stored.run)
    kept = artifacts.keep(stored.workspace, artifacts.Place(folder=folder), driven=lambda _directory: False)
    assert (kept.runs, kept.problems) == ([stored.run], [])
    assert (folder / stored.run / "samples/beats.dms").exists()
    return folder / stored.run


def said_pruned(stored):
    store = JournalStore(stored.workspace / ".drillmark" / "journal.sqlite3")
    entries = store.read(stored.run)
    store.close()
    return [entry.data["files"] for entry in entries if entry.data.get("what") == pruning.WHAT]


def is_pruned_evidence(copy):
    """Whether what is left of the copy is all there, is what its list says, and explains what is missing."""
    listed = json.loads((copy / MANIFEST).read_text())["files"]
    there = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert {one["path"] for one in listed} == there - {MANIFEST}
    for one in listed:
        content = (copy / one["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one["bytes"], one["sha256"])
    verified = drillmark("verify", str(copy), "--json")
    assert verified.exit_code == 0, verified.output
    (beats,) = [each for each in json.loads(verified.stdout)["checks"] if each["what"] == "samples/beats.dms"]
    return beats["found"] == "unchecked" and "was pruned by" in beats["detail"]


def test_a_copy_is_pruned_likewise_and_stays_evidence(stored, copy):
    would = drillmark("prune", "--older-than", "1s", "--dry-run")
    assert "would be pruned: 1 run, 1 file" in would.output
    assert "of the copies 1 file" in would.output
    assert (copy / "samples/beats.dms").exists()
    (one,) = json.loads(drillmark("prune", "--older-than", "1s", "--json").stdout)
    assert one["files"] == one["copy_files"] == ["samples/beats.dms"]
    assert one["copy_bytes"] == one["bytes"] > 0
    assert not (copy / "samples").exists()
    assert {"journal.jsonl", "plan.json", "result.json"} <= {path.name for path in copy.iterdir()}
    assert is_pruned_evidence(copy)
    assert drillmark("verify", stored.run).exit_code == 0
    assert json.loads(drillmark("prune", "--older-than", "1s", "--json").stdout) == []


def test_a_copy_outlives_the_machine_of_its_run_and_is_pruned_from_another(stored, copy, monkeypatch):
    shutil.rmtree(stored.directory)
    left = undo.UndoState(stored.run, (undo.Undoable("experiments/x.yaml", {"rollbacks": []}),))
    with monkeypatch.context() as patched:  # as PostgreSQL keeps it for the other machines
        patched.setattr(JournalStore, "kept_undo", lambda _store, _run: undo.to_text(left))
        assert json.loads(drillmark("prune", "--older-than", "1s", "--json").stdout) == []
    (one,) = json.loads(drillmark("prune", "--older-than", "1s", "--json").stdout)
    assert (one["files"], one["copy_files"]) == ([], ["samples/beats.dms"])
    assert is_pruned_evidence(copy)
    assert not stored.directory.exists()


def test_a_prune_that_was_cut_short_is_ended_by_the_next_and_said_once(stored, copy, monkeypatch):
    put = Folder.put

    def dies(self, key, path, sha256):
        if key.endswith(MANIFEST):
            raise ArtifactsError("the share is gone")
        put(self, key, path, sha256)

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "put", dies)
        cut = drillmark("prune", "--older-than", "1s", "--json")
    assert cut.exit_code == 5, cut.output
    assert json.loads(cut.stdout) == []
    assert (stored.directory / "samples/beats.dms").exists()
    assert drillmark("prune", "--older-than", "1s").exit_code == 0
    assert not (stored.directory / "samples/beats.dms").exists()
    assert is_pruned_evidence(copy)
    assert said_pruned(stored) == [["samples/beats.dms"]]


def test_where_the_copies_cannot_be_reached_nothing_is_pruned(stored, copy):
    copy.parent.rename(copy.parent.with_name("elsewhere"))
    away = drillmark("prune", "--older-than", "1s")
    assert away.exit_code == 5
    assert "is no folder" in away.output
    assert (stored.directory / "samples/beats.dms").exists()
    assert said_pruned(stored) == []


@pytest.mark.parametrize("name", ["samples/../../other/result.json", "/etc/passwd", ""])
def test_a_list_that_names_what_is_not_the_runs_own_takes_nothing_away(stored, copy, name):
    body = json.loads((copy / MANIFEST).read_text())
    body["files"].append({"path": name, "bytes": 1, "sha256": ""})
    (copy / MANIFEST).write_text(json.dumps(body))
    refused = drillmark("prune", "--older-than", "1s")
    assert refused.exit_code == 5
    assert "is no list of what was kept" in refused.output
    assert (copy / "samples/beats.dms").exists()
