"""`drillmark import`: a journal of a real `chaos run` becomes a run; what it does not show is unknown, never passed."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import sqlite3
import subprocess
import sys

import pytest
import yaml

from chaos_helpers import FUNCTIONS, experiment, probe, python
from drillmark.chaos import past
from drillmark.engine.importing import import_journal
from drillmark.errors import UsageError

WHOLE = experiment(
    [python("break", "give", value=1), probe("look", tolerance=True, value=True)],
    [python("mend", "give", value=2)],
    probes=[probe("well", tolerance=True, value=True)],
    secrets={"web": {"password": "Xk29fmwq-spelt-out"}},
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A journal as `chaos run` leaves it."""
    folder = tmp_path_factory.mktemp("chaos")
    (folder / "e.yaml").write_text(yaml.safe_dump(WHOLE))
    options = ["--no-version-check", "--no-log-file", "--settings", "none", "run", "--rollback-strategy=always"]
    command = [sys.executable, "-m", "chaostoolkit", *options, "e.yaml"]
    subprocess.run(command, cwd=folder, env={**os.environ, **FUNCTIONS}, check=True, timeout=120, capture_output=True)
    return folder / "journal.json"


def _drillmark(folder, *arguments):
    command = [sys.executable, "-m", "drillmark", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_it_becomes_a_run_like_any_other(written, tmp_path):
    done = _drillmark(tmp_path, "import", str(written), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["verdict"] == "passed"
    assert {one["name"]: one["verdict"] for one in result["objectives"]}["undo"] == "passed"
    # Nobody watched the service: there is no number, and none is passed.
    assert result["rto"]["observed_seconds"] is None
    assert result["rpo"]["observed_seconds"] is None
    assert "passed" not in (result["rto"]["verdict"], result["rpo"]["verdict"])
    (row,) = json.loads(_drillmark(tmp_path, "list", "--json").stdout)
    assert (row["run"], row["verdict"]) == (result["run"], "passed")
    for command in ("verify", "measure", "show"):
        again = _drillmark(tmp_path, command, "last")
        assert again.returncode == 0, again.stdout + again.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"result.json", "report.md", "journal.jsonl", "plan.json", "junit.xml"} <= {path.name for path in files}
    assert not [path for path in files if b"Xk29fmwq-spelt-out" in path.read_bytes()]

    twice = _drillmark(tmp_path, "import", str(written))
    assert twice.returncode == 2
    assert "imported before" in twice.stderr


def _lose(journal, *keys):
    for key in keys[:-1]:
        journal = journal[key]
    del journal[keys[-1]]


def _listed(root):
    with contextlib.closing(sqlite3.connect(root / ".drillmark" / "journal.sqlite3")) as journal:
        return [kind for (kind,) in journal.execute("select kind from entries order by sequence")]


def test_an_import_that_is_killed_leaves_all_or_nothing_and_can_be_repeated(written, tmp_path):
    # Killed after each of its transactions, the last one included.
    script = """
import os, sys
from pathlib import Path
from drillmark.engine import importing
from drillmark.journal.store import JournalStore

one = JournalStore._transaction
left = int(sys.argv[2])

def counted(self):
    class Counted:
        def __enter__(self, transaction=one(self)):
            self.transaction = transaction
            return transaction.__enter__()
        def __exit__(self, *error):
            global left
            self.transaction.__exit__(*error)
            left -= 1
            if not left:
                os._exit(9)
    return Counted()

if left:
    JournalStore._transaction = counted
else:
    importing.open_store = lambda workspace: os._exit(9)
importing.import_journal(Path.cwd(), Path(sys.argv[1]))
"""
    for number in (0, 1):
        root = tmp_path / str(number)
        root.mkdir()
        command = [sys.executable, "-c", script, str(written), str(number)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 9, done.stderr
        if number:
            assert _listed(root)[-1] == "run_ended", _listed(root)
        else:
            assert list((root / ".drillmark" / "runs").iterdir())
            assert import_journal(root, written).verdict == "passed"
        with pytest.raises(UsageError, match="imported before"):
            import_journal(root, written)


def test_an_imported_run_is_never_played(written, tmp_path):
    import_journal(tmp_path, written)
    # As an import that was killed had left it, once.
    with contextlib.closing(sqlite3.connect(tmp_path / ".drillmark" / "journal.sqlite3")) as journal, journal:
        journal.execute("delete from entries where sequence > 1")
    assert _listed(tmp_path) == ["run_started"]
    done = _drillmark(tmp_path, "resume", "last")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "was imported" in done.stderr
    assert _listed(tmp_path) == ["run_started"]


# Everything of a journal that speaks for a pass: without any one of them there is none.
EVIDENCE = [
    ("status",),
    ("steady_states", "before"),
    ("steady_states", "after"),
    ("run", 0, "status"),
    ("run", 0),
    ("rollbacks", 0),
    ("rollbacks", 0, "status"),
]


@pytest.mark.parametrize("keys", EVIDENCE, ids=lambda keys: ".".join(map(str, keys)))
def test_what_is_missing_is_never_a_pass(written, tmp_path, keys):
    journal = json.loads(written.read_text())
    _lose(journal, *keys)
    (tmp_path / "cut.json").write_text(json.dumps(journal))
    ended = import_journal(tmp_path, tmp_path / "cut.json")
    assert ended.verdict == "unknown", ended.reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deviated": True}, "steady_state"),
        ({"status": "interrupted"}, "interrupted"),
        ({"status": "aborted"}, "aborted"),
    ],
)
def test_what_went_wrong_has_failed(written, tmp_path, change, reason):
    journal = json.loads(written.read_text()) | change
    (tmp_path / "bad.json").write_text(json.dumps(journal))
    ended = import_journal(tmp_path, tmp_path / "bad.json")
    assert ended.verdict == "failed"
    assert any(reason in one for one in ended.reasons)


def test_a_failed_rollback_and_a_gate_that_was_not_met_have_failed(written, tmp_path):
    journal = json.loads(written.read_text())
    for name in ("rollback", "gate"):
        changed = copy.deepcopy(journal)
        if name == "rollback":
            changed["rollbacks"][0] |= {"status": "failed", "exception": ["ActivityFailed: no"]}
        else:
            changed["steady_states"]["before"]["steady_state_met"] = False
            changed["run"] = []
        (tmp_path / f"{name}.json").write_text(json.dumps(changed))
        assert import_journal(tmp_path, tmp_path / f"{name}.json").verdict == "failed"


@pytest.mark.parametrize(
    ("strategy", "places", "verdict"),
    [
        ("skip", set(), "not_applicable"),
        ("default", set(), "unknown"),
        ("default", {"before"}, "unknown"),
        ("before-method-only", {"before"}, "passed"),
        ("during-method-only", set(), "unknown"),
        ("during-method-only", {"during"}, "passed"),
        ("continuously", {"before", "after"}, "unknown"),
        ("continuously", {"before", "during", "after"}, "passed"),
    ],
)
def test_a_steady_state_is_passed_where_its_strategy_asks(written, tmp_path, strategy, places, verdict):
    journal = json.loads(written.read_text())
    journal["experiment"]["runtime"] = {"hypothesis": {"strategy": strategy}}
    met = journal["steady_states"]["after"]
    journal["steady_states"] = {
        "before": met if "before" in places else None,
        "during": [met] if "during" in places else [],
        "after": met if "after" in places else None,
    }
    (tmp_path / "some.json").write_text(json.dumps(journal))
    ended = import_journal(tmp_path, tmp_path / "some.json")
    result = json.loads((ended.directory / "result.json").read_text())
    assert {one["name"]: one["verdict"] for one in result["objectives"]}["steady_state"] == verdict


@pytest.mark.parametrize("dry", ["activities", "probes", True, "everything", ["actions"]])
def test_a_dry_run_proves_nothing(written, tmp_path, dry):
    journal = json.loads(written.read_text())
    journal["experiment"]["dry"] = dry
    (tmp_path / "dry.json").write_text(json.dumps(journal))
    assert import_journal(tmp_path, tmp_path / "dry.json").verdict == "unknown"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no `experiment`"),
        ('{"experiment": {"method": []}}', "`run` is no list"),
        ('{"experiment": {"method": [1]}, "run": [], "rollbacks": [], "steady_states": {}, "start": "x"}', "mapping"),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path, text, said):
    (tmp_path / "j.json").write_text(text)
    done = _drillmark(tmp_path, "import", "j.json")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / ".drillmark").exists()


def test_times_without_a_zone_are_utc(written):
    journal = json.loads(written.read_text())
    journal["start"] = "2026-02-03T04:05:06"
    assert past.read(journal).begin.wall_ns == 1770091506 * 10**9
