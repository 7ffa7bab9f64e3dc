"""A drill whose plan changed since its last pass needs a new run, and one that only got a comment does not."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import time
from datetime import UTC, datetime

import pytest
import yaml

from drillmark import last_pass, schedule_runs, workspace
from drillmark.clock import now
from drillmark.engine import creating
from drillmark.journal.port import RunRow
from drillmark.journal.store import JournalStore
from drillmark.model import outline
from drillmark.model.digest import digest
from drillmark.model.entry import Kind
from file_drill import DRILL, make


def load(root):
    return workspace.Workspace(root, ask=lambda _experiments, _activities: ({}, {})).check(DRILL).plan


def record(root, plan, verdict, name="20261128T000000Z-file-lost-000001", at_ns=0, outlined=None):
    """A run as the engine leaves it: its plan, and a journal that ends. Without `outlined` as older versions left it."""
    directory = root / "reports/runs" / name
    directory.mkdir(parents=True)
    (directory / "plan.json").write_text(json.dumps(plan.model_dump(mode="json")))
    store = JournalStore(root / ".drillmark/journal.sqlite3")
    store.create(RunRow(name, plan.drill, "the-file", f"reports/runs/{name}", 1, at_ns + 1))
    data = {"plan_hash": digest(plan)} | ({"plan": outlined.model_dump(mode="json")} if outlined else {})
    first = store.append(None, run=name, epoch=1, kind=Kind.RUN_STARTED, stamp=now(), data=data)
    store.append(first, run=name, epoch=1, kind=Kind.RUN_ENDED, stamp=now(), data={"verdict": verdict})
    store.close()
    return directory


@pytest.fixture
def root(tmp_path):
    (tmp_path / "scripts").mkdir()
    wait = {"name": "wait", "type": "action"}
    wait["provider"] = {"type": "process", "path": "sh", "arguments": ["scripts/wait.sh"]}
    root = make(tmp_path, ("http://127.0.0.1:1/", tmp_path / "served"), recover=[wait])
    (root / "scripts/wait.sh").write_text("true\n")
    return root


def looked(root):
    by_files = last_pass.of(root, ["file-lost"])
    by_plan = last_pass.of(root, ["file-lost"], {"file-lost": load(root)})
    assert by_files == by_plan
    return by_files.get("file-lost")


def test_a_drill_that_never_passed_needs_no_new_run(root):
    assert looked(root) is None
    record(root, load(root), "failed")
    assert looked(root) is None


def test_what_is_noted_after_the_end_of_a_run_takes_no_pass_away(root):
    directory = record(root, load(root), "passed")
    store = JournalStore(root / ".drillmark/journal.sqlite3")
    last = store.read(directory.name)[-1]
    pruned = {"what": "pruned", "by": "ada", "files": ["samples/beats.dms"]}
    store.append(last, run=directory.name, epoch=1, kind=Kind.EVENT, stamp=now(), data=pruned)
    store.close()
    found = looked(root)
    assert found is not None
    assert found.run == directory.name


def test_a_journal_that_was_changed_proves_no_pass(root):
    directory = record(root, load(root), "failed")
    with contextlib.closing(sqlite3.connect(root / ".drillmark/journal.sqlite3")) as connection, connection:
        changed = "update entries set data = replace(data, 'failed', 'passed') where run = ?"
        assert connection.execute(changed, (directory.name,)).rowcount > 0
    assert looked(root) is None


def test_a_comment_changes_nothing(root):
    directory = record(root, load(root), "passed")
    for name in ("drillmark.yaml", "targets.yaml", DRILL, "experiments/file-lost.yaml"):
        (root / name).write_text((root / name).read_text() + "# a comment\n")
    found = looked(root)
    assert found is not None
    assert (found.changed, found.words) == (False, "")
    assert not last_pass.changed_since(root, directory)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (DRILL, lambda body: body["objectives"].update(rto="20s")),
        ("targets.yaml", lambda body: body["targets"]["the-file"].update(tier=2)),
        ("experiments/file-lost.yaml", lambda body: body["method"][0].update(name="lose-it")),
        ("drillmark.yaml", lambda body: body.update(guard={"lease": "10s"})),
    ],
)
def test_a_plan_that_says_something_else_needs_a_new_run(root, name, change):
    directory = record(root, load(root), "passed")
    body = yaml.safe_load((root / name).read_text()) or {}
    change(body)
    (root / name).write_text(yaml.safe_dump(body))
    found = looked(root)
    assert found is not None
    assert found.words == f"needs a new run: its plan changed since it last passed ({directory.name})"
    assert last_pass.changed_since(root, directory)


def test_a_script_that_an_activity_names_belongs_to_the_plan(root):
    before = load(root)
    assert "scripts/wait.sh" in before.sources
    record(root, before, "passed")
    (root / "scripts/wait.sh").write_text("rm -rf elsewhere\n")
    assert digest(load(root)) != digest(before)
    found = looked(root)
    assert found is not None
    assert found.changed


def test_one_that_passed_on_another_machine_counts_by_the_journal_that_they_share(root):
    plan = load(root)

    shutil.rmtree(record(root, plan, "passed", outlined=outline.of(plan)))
    found = looked(root)
    assert found is not None
    assert not found.changed
    (root / DRILL).write_text((root / DRILL).read_text() + "# a comment\n")
    assert not looked(root).changed
    path = root / "targets.yaml"
    path.write_text(
        yaml.safe_dump({"targets": {"the-file": yaml.safe_load(path.read_text())["targets"]["the-file"] | {"tier": 1}}})
    )
    assert looked(root).changed


def test_a_target_that_passed_on_another_machine_is_not_overdue(root):
    body = yaml.safe_load((root / "targets.yaml").read_text())
    body["targets"]["the-file"]["tier"] = 1
    (root / "targets.yaml").write_text(yaml.safe_dump(body))
    plan = load(root)
    today = datetime.now(tz=UTC).date()
    check = plan.model_copy(update={"mode": "check"})
    shutil.rmtree(record(root, plan, "passed", name="a check", at_ns=time.time_ns(), outlined=outline.of(check)))
    assert [one.target for one in schedule_runs.overdue(root, today)] == ["the-file"]
    shutil.rmtree(record(root, plan, "passed", name="a drill", at_ns=time.time_ns(), outlined=outline.of(plan)))
    assert schedule_runs.overdue(root, today) == []


def test_the_engine_keeps_the_outline_of_a_plan_in_the_first_entry_and_it_is_read_back(root):
    plan = load(root)
    started = json.loads(json.dumps(creating.started(plan, "ada", {})))
    assert outline.read(started["plan"]) == outline.of(plan)
    assert outline.read(None) is None
    assert outline.read({"mode": "drill"}) is None


def test_a_drill_that_is_gone_says_so_only_where_it_is_asked_for(root):
    directory = record(root, load(root), "passed")
    (root / DRILL).unlink()
    assert last_pass.changed_since(root, directory)
    shutil.rmtree(directory)
    assert last_pass.of(root, ["file-lost"]) == {}
