"""The commands that read stored runs, on a run made as the engine makes them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

import report_builders as build
from drillmark.cli import main
from stored_runs import Stored, renamed, store_run, workspace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Stored:
    return store_run(workspace(tmp_path_factory.mktemp("a work space")))


@pytest.fixture
def stored(made, tmp_path, monkeypatch) -> Stored:
    """A copy that a test may damage."""
    root = tmp_path / "a work space"
    shutil.copytree(made.workspace, root)
    monkeypatch.chdir(root)
    return Stored(root, made.run, root / made.directory.relative_to(made.workspace), made.plan)


def drillmark(*args: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, list(args))
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout


def drillmark_json(*args: str, code: int = 0):
    return json.loads(drillmark(*args, "--json", code=code))


def test_list_shows_every_run_newest_first(stored):
    second = renamed(build.RUN, 5)
    store_run(stored.workspace, second, rto_seconds=600.0)
    third = renamed(build.RUN, 6)
    store_run(stored.workspace, third, finished=False)
    lines = drillmark("list").splitlines()
    assert [line.split()[0] for line in lines] == ["run", third, second, stored.run]
    assert "lost: resume it" in lines[1]
    assert "failed" in lines[3]
    assert "125." in lines[3]
    rows = drillmark_json("list")
    assert [(row["run"], row["state"], row["verdict"]) for row in rows][2] == (stored.run, "concluded", "failed")
    assert rows[0]["verdict"] is None


def test_an_empty_workspace_has_no_runs_and_no_gaps(tmp_path, monkeypatch):
    monkeypatch.chdir(workspace(tmp_path / "w"))
    assert "no runs yet" in drillmark("list")
    assert drillmark_json("list") == []
    assert "no gaps are on file" in drillmark("gaps")
    assert drillmark_json("gaps") == []
    result = CliRunner().invoke(main, ["show", "last"])
    assert result.exit_code == 2
    assert "HINT: start one" in result.stderr


def test_outside_a_workspace_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (["list"], ["gaps"], ["show"], ["run", "x.yaml"], ["resume"], ["abort"], ["measure"], ["verify"]):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: there is no workspace")
        assert "HINT: `drillmark init DIR` makes one" in result.stderr


@pytest.mark.parametrize("name", [build.RUN, build.RUN[:12], "last", f"reports/runs/{build.RUN}"])
def test_a_run_is_found_by_its_id_a_prefix_last_or_its_folder(stored, name):
    assert drillmark_json("show", name)["run"] == stored.run


def test_a_prefix_that_several_runs_have_is_refused(stored):
    store_run(stored.workspace, renamed(build.RUN, 5))
    result = CliRunner().invoke(main, ["show", "2026"])
    assert result.exit_code == 2
    assert "2 runs begin with '2026'" in result.stderr
    assert CliRunner().invoke(main, ["show", "nope"]).exit_code == 2


def test_show_prints_the_stored_result_and_its_schema_holds(stored):
    result = drillmark_json("show")
    jsonschema.validate(result, json.loads((ROOT / "schemas/result.json").read_text()))
    assert result["verdict"] == "failed"
    lo, hi = result["rto"]["observed_seconds"].values()
    assert lo <= 125.0 <= hi
    assert hi - lo < 1.0
    text = drillmark("show")
    for part in ("FAILED", "RTA     125", "objective 60 s: failed", "restore-latest", "copy the backup", "report.md"):
        assert part in text


@pytest.mark.parametrize(("why", "parts"), [
    ("rto", ["RTA  125", "formula", "RTA = [", "journal entries", "intent inject", "samples/beats.dms"]),
    ("rpo", ["RPA  not measured", "objective 1 h"]),
    ("slo", ["baseline", "beats:", "availability"]),
    ("undo", ["undo: unknown (the run did not come to its end)", "journal entries", "intent undo"]),
])  # fmt: skip
def test_show_why_names_formula_entries_and_samples(stored, why, parts):
    text = drillmark("show", "--why", why)
    for part in parts:
        assert part in text
    assert drillmark_json("show", "--why", why)["run"] == stored.run


def test_show_why_of_what_is_no_objective_names_those_that_are(stored):
    path = stored.directory / "result.json"
    result = json.loads(path.read_text())
    result["objectives"].append({**result["objectives"][0], "name": "slo.availability", "reason": "of its own"})
    path.write_text(json.dumps(result))
    assert "of its own" in drillmark("show", "--why", "availability")
    refused = CliRunner().invoke(main, ["show", "--why", "unndo"])
    assert refused.exit_code == 2
    assert "no objective `unndo`" in refused.stderr
    assert "`undo`" in refused.stderr


def test_measuring_again_gives_the_stored_result_and_writes_nothing(stored):
    before = {path: path.read_bytes() for path in stored.directory.rglob("*") if path.is_file()}
    again = drillmark_json("measure")
    assert (again["equal"], again["differences"]) == (True, [])
    assert again["result"] == drillmark_json("show")
    assert "equal to the stored result" in drillmark("measure")
    assert before == {path: path.read_bytes() for path in stored.directory.rglob("*") if path.is_file()}


def test_measuring_again_says_where_a_stored_result_differs(stored):
    path = stored.directory / "result.json"
    result = json.loads(path.read_text())
    result["rto"]["observed_seconds"]["lo"] = 1.0
    path.write_text(json.dumps(result))
    again = drillmark_json("measure", code=1)
    assert again["equal"] is False
    assert len(again["differences"]) == 1
    assert again["differences"][0].startswith("rto.observed_seconds.lo: 1.0 -> 12")
    assert "differs from the stored result in 1 place" in drillmark("measure", code=1)


def test_a_run_without_a_result_can_be_measured_and_shown(stored):
    run = renamed(build.RUN, 6)
    store_run(stored.workspace, run, finished=False)
    assert drillmark_json("measure", run)["equal"] is None
    shown = drillmark("show", run)
    assert f"`drillmark resume {run}` ends it" in shown
    assert "recover restore-latest: done in 1 min 56 s" in shown or "recover restore-latest: done in 116 s" in shown
    assert drillmark_json("show", run) == {"run": run, "state": "lost", "result": None}


def test_verify_finds_nothing_wrong_with_a_whole_run(stored):
    found = drillmark_json("verify")
    assert found["whole"] is True
    checks = {check["what"]: check["found"] for check in found["checks"]}
    expected = ("journal", "journal.jsonl", "plan.json", "samples/beats.dms", "result.json")
    assert checks == dict.fromkeys(expected, "good")
    assert "the evidence is whole and unchanged" in drillmark("verify")


def test_a_copied_folder_is_verified_and_measured_without_its_workspace(stored, tmp_path, monkeypatch):
    copy = tmp_path / "elsewhere" / "run"
    shutil.copytree(stored.directory, copy)
    monkeypatch.chdir(copy.parent)
    assert drillmark_json("verify", "./run")["whole"] is True
    assert drillmark_json("measure", "./run")["equal"] is True
    assert drillmark_json("show", str(copy))["run"] == stored.run


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def change_entry(stored: Stored) -> None:
    import sqlite3

    with sqlite3.connect(stored.workspace / ".drillmark" / "journal.sqlite3") as connection:
        connection.execute(
            "update entries set data = replace(data, '\"good\":true', '\"good\":false') where sequence = 13"
        )
    connection.close()


def drop_entry(stored: Stored) -> None:
    path = stored.directory / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5] + lines[6:]))


def change_plan(stored: Stored) -> None:
    path = stored.directory / "plan.json"
    path.write_text(path.read_text().replace('"rto_seconds":60.0', '"rto_seconds":600.0'))


@pytest.mark.parametrize(("damage", "what"), [
    (lambda s: flip(s.directory / "samples/beats.dms", 5000), "samples/beats.dms"),
    (lambda s: (s.directory / "samples/beats.dms").unlink(), "samples/beats.dms"),
    (lambda s: flip(s.directory / "result.json", 100), "result.json"),
    (lambda s: (s.directory / "result.json").unlink(), "result.json"),
    (lambda s: (s.directory / "journal.jsonl").unlink(), "journal.jsonl"),
    (change_entry, "journal"),
    (drop_entry, "journal.jsonl"),
    (change_plan, "plan.json"),
], ids=["sample bit", "no sample", "result bit", "no result", "no export", "entry", "export", "plan"])  # fmt: skip
def test_verify_names_what_was_changed(stored, damage, what):
    damage(stored)
    found = drillmark_json("verify", code=1)
    assert what in {check["what"] for check in found["checks"] if check["found"] == "wrong"}
    assert "WRONG" in drillmark("verify", code=1)


def test_gaps_are_listed_open_ones_first(stored):
    shown = drillmark("gaps")
    assert "orders-db: recovery time (RTO) missed" in shown
    opened = drillmark_json("gaps")
    assert {gap["state"] for gap in opened} == {"open"}
    rto = next(gap for gap in opened if gap["objective"] == "rto")
    assert (stored.workspace / rto["file"]).is_file()
    closed = rto | {"state": "closed", "closed_by": "some-run"}
    path = stored.workspace / closed.pop("file")
    path.write_text(json.dumps(closed))
    assert "recovery time (RTO)" not in drillmark("gaps")
    assert "closed by some-run" in drillmark("gaps", "--all")


def test_a_broken_register_is_an_error_with_its_place(stored):
    (stored.workspace / "reports/gaps/GAP-00000000.yaml").write_text("a: [\n")
    result = CliRunner().invoke(main, ["gaps"])
    assert result.exit_code == 2
    assert "GAP-00000000.yaml:2:1: not readable as YAML" in result.stderr


def test_a_run_that_has_ended_cannot_be_aborted(stored):
    result = CliRunner().invoke(main, ["abort"])
    assert result.exit_code == 2
    assert "has ended already" in result.stderr
    assert not (stored.directory / "abort").exists()


def test_abort_all_asks_every_run_that_goes_on_and_no_other(stored):
    nothing = {"runs": [], "elsewhere": {}, "problems": {}, "reason": "stopped by hand"}
    assert drillmark_json("abort", "--all") == nothing
    going_on = [store_run(stored.workspace, renamed(build.RUN, number), finished=False) for number in (6, 7)]
    assert drillmark_json("abort", "--all", "--reason", "fire")["runs"] == [run.run for run in going_on]
    assert all("fire" in json.loads((run.directory / "abort").read_text())["reason"] for run in going_on)
    assert not (stored.directory / "abort").exists()
    both = CliRunner().invoke(main, ["abort", going_on[0].run, "--all"])
    assert both.exit_code == 2
    assert "contradict" in both.stderr


def test_abort_is_heard_although_the_journal_cannot_be_read(stored):
    unfinished = store_run(stored.workspace, renamed(build.RUN, 6), finished=False)
    journal = stored.workspace / ".drillmark/journal.sqlite3"
    for name in ("journal.sqlite3-wal", "journal.sqlite3-shm"):
        journal.with_name(name).unlink(missing_ok=True)
    journal.write_bytes(b"no database at all" * 1000)
    assert drillmark_json("abort", "--all")["runs"] == [unfinished.run]
    assert (unfinished.directory / "abort").exists()
    assert drillmark_json("abort", unfinished.run)["asked"] is True


def test_abort_leaves_its_reason_for_a_run_that_goes_on(stored):
    run = renamed(build.RUN, 6)
    unfinished = store_run(stored.workspace, run, finished=False)
    assert drillmark_json("abort", run, "--reason", "wrong target")["asked"] is True
    assert "wrong target" in json.loads((unfinished.directory / "abort").read_text())["reason"]
