"""`abort` and `stop` where runs go on whose folders are on other machines of the fleet, or cannot be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import report_builders as build
from drillmark import clock
from drillmark.cli import main
from drillmark.engine.paths import WorkspacePaths
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind
from stored_runs import Stored, renamed, store_run, workspace

FAR, OVER = renamed(build.RUN, 1), renamed(build.RUN, 2)
NAME = ("--by", "Lin", "--reason", "fire")


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    root = workspace(tmp_path / "ws")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def here(root) -> Stored:
    """The oldest goes on on another machine, one has ended there, the newest goes on here."""
    elsewhere(root, FAR)
    elsewhere(root, OVER, ended=True)
    return store_run(root, renamed(build.RUN, 6), finished=False)


def elsewhere(root: Path, run: str, *, ended: bool = False) -> None:
    """As the journal that they share tells of it."""
    store = open_store(WorkspacePaths(root))
    store.create(RunRow(run, "orders-db-lost", "orders-db", f"reports/runs/{run}", 1, 1))
    chain = {"run": run, "epoch": 1, "stamp": clock.now()}
    first = store.append(None, kind=Kind.RUN_STARTED, data={"ordered": {"worker": "far-1"}}, **chain)
    if ended:
        store.append(first, kind=Kind.RUN_ENDED, data={"verdict": "passed"}, **chain)
    store.close()


def drillmark(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_stop_asks_those_that_are_here_and_names_those_that_hear_it_elsewhere(here):
    done = drillmark("stop", *NAME, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["stopped"], told["runs"], told["elsewhere"]) == (True, [here.run], {FAR: "far-1"})
    assert "fire" in json.loads((here.directory / "abort").read_text())["reason"]
    assert not (here.workspace / "reports" / "runs" / FAR).exists()
    said = drillmark("stop", *NAME).stdout
    assert f"run {FAR} goes on, and its folder is on another machine, that of worker far-1; it hears the stop" in said
    assert "everything is stopped" in said


def test_abort_all_asks_those_that_are_here_and_says_which_it_cannot_ask(here):
    done = drillmark("abort", "--all")
    assert done.exit_code == 2
    assert f"asked run {here.run} to stop" in done.stdout
    assert (here.directory / "abort").exists()
    assert f"run {FAR} goes on, and its folder is on another machine, that of worker far-1" in done.stderr
    assert OVER not in done.stderr


def test_a_run_on_another_machine_is_aborted_there(here):
    done = drillmark("abort", FAR)
    assert done.exit_code == 2
    assert "its folder is on another machine, that of worker far-1" in done.stderr
    assert "drillmark stop" in done.stderr
    assert "has ended already" in drillmark("abort", OVER).stderr


def test_one_that_cannot_be_asked_hinders_no_other(root):
    first, second = (store_run(root, renamed(build.RUN, number), finished=False) for number in (6, 7))
    (first.directory / "abort").mkdir()
    done = drillmark("abort", "--all")
    assert done.exit_code == 5
    assert f"run {first.run} could not be asked" in done.stderr
    assert (second.directory / "abort").is_file()
    stopped = json.loads(drillmark("stop", *NAME, "--json").stdout)
    assert (stopped["stopped"], stopped["runs"], list(stopped["problems"])) == (True, [second.run], [first.run])
