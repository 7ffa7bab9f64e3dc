"""`validate`, `plan` and `init` as people and machines meet them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from define_builders import EXPERIMENT, FULL_DRILL, MINIMAL_DRILL, TARGETS, with_line, workspace
from drillmark.cli import calls, init, main, plan, validate

ROOT = Path(__file__).resolve().parents[2]

REFUSED = FULL_DRILL.replace("mode: drill", "mode: gameday")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command in a workspace; returns its result. Chaos Toolkit is asked by the last test of this file."""
    monkeypatch.setattr("drillmark.workspace_chaos.objections", lambda _experiments, _activities: ({}, {}))

    def invoke(command, *arguments: str, **texts):
        root = workspace(tmp_path / "ws", **texts)
        monkeypatch.setenv("DRILLMARK_WORKSPACE", str(root))
        return CliRunner().invoke(command, list(arguments))

    return invoke


def test_validate_says_that_all_is_good(run):
    result = run(validate.command)
    assert (result.exit_code, result.stdout) == (0, "1 drill good\n")


def test_validate_names_every_problem_and_exits_with_2(run):
    result = run(validate.command, drill=MINIMAL_DRILL.replace("owner:", "ownr:"), settings="guard: {lease: 30}\n")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        "drillmark.yaml:1:16: `guard.lease`: a duration needs a unit, found 30",
        "  HINT: write 30s if seconds are meant",
        "drills/lost.yaml:1:1: `owner` is missing",
        "  HINT: who answers for the drill and gets its gaps.",
        "drills/lost.yaml:3:1: unknown key `ownr`",
        result.stdout.splitlines()[5],
        "0 drills good, 1 drill wrong: 3 problems",
    ]
    assert result.stdout.splitlines()[5].startswith("  HINT: did you mean `owner`? allowed: ")


def test_validate_for_machines(run):
    result = run(validate.command, "--json", drill=MINIMAL_DRILL.replace("owner:", "ownr:"))
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["valid"] is False
    nothing = {"id": None, "plan_hash": None, "valid": False, "last_pass": None, "needs_new_run": False}
    assert document["drills"] == [{"source": "drills/lost.yaml"} | nothing]
    assert [(item["file"], item["line"], item["column"]) for item in document["problems"]] == [
        ("drills/lost.yaml", 1, 1),
        ("drills/lost.yaml", 3, 1),
    ]


def test_validate_warns_and_tells_what_run_refuses(run):
    result = run(validate.command, "--json", drill=REFUSED, experiment=EXPERIMENT + "sevrity: high\n")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["valid"] is True
    assert len(document["drills"][0]["plan_hash"]) == 64
    assert [item["file"] for item in document["warnings"]] == ["experiments/orders-db-lost.yaml"]
    assert [item["message"] for item in document["refusals"]] == [
        "mode gameday is not supported yet",
    ]


def test_validate_some_files(run):
    assert run(validate.command, "drills/lost.yaml").exit_code == 0
    result = run(validate.command, "targets.yaml", targets=TARGETS.replace("tier:", "teir:"))
    assert result.exit_code == 2
    assert "targets.yaml:8:5: unknown key `teir`" in result.stdout


def test_plan_tells_what_would_happen(run):
    result = run(plan.command, "drills/lost.yaml")
    assert result.exit_code == 0
    for text in (
        "orders-db-lost: The orders database is lost and comes back from backup",
        "target orders-db in environment lab, tier 1, locks too: orders-api",
        "preflight     restorable: os.path.exists(path=/), must be true",
        "order-read: GET ${orders_url}/orders/latest",
        "100 marker writes a second from 4 connections (postgres, secrets orders-db)",
        "experiments/load/orders.py: 10 users, 10 more each second",
        "experiments/orders-db-lost.yaml: lose-host",
        "proved by db-was-restarted: os.path.exists(path=/) within 10 s",
        "undone by bring-host-back",
        "if the runner is lost, the guard undoes it after 30 s",
        "recover       fence: os.path.exists(path=/fence)",
        "all within 8 h",
        "undo          bring-host-back",
        "RTO                4 h (the default)",
        "Nothing was touched.",
    ):
        assert text in result.stdout, text


def test_plan_shows_what_each_activity_and_the_undo_would_run(run):
    process = """{type: process, path: mv, arguments: {--from: /a b, --token: abc123, --key: "${key}"}}"""
    experiment = EXPERIMENT.replace(
        "bring-host-back\n    type: action\n    provider: {type: python, module: os.path, func: exists, arguments: {path: /}}",
        f"bring-host-back\n    type: action\n    provider: {process}",
    )
    assert process in experiment
    targets = with_line(TARGETS, 'path: "true"', 'path: sh, arguments: ["-c", "cp /a /b", "--password", "hunter2"]')
    told = run(plan.command, "drills/lost.yaml", experiment=experiment, targets=targets).stdout
    assert "lose-host: os.path.exists(path=/)" in told
    assert "bring-host-back: mv --from '/a b' --token [redacted] --key ${key}" in told
    assert "switch-over: sh -c 'cp /a /b' --password [redacted]" in told
    assert "restore-latest: POST ${orders_url}/restore" not in told
    assert "restore-latest: GET ${orders_url}/restore" in told


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        ({"path": "psql", "arguments": {"password": "hunter22", "host": "h"}}, "psql password [redacted] host h"),
        ({"path": "x", "arguments": ["--api-key=abc", "--n=1"]}, "x --api-key=[redacted] --n=1"),
        ({"path": "x", "arguments": ["--password=hun,ter22"]}, "x --password=[redacted]"),
        ({"path": "x", "arguments": ["--password=${pw}", "--key", "${k}"]}, "x --password=${pw} --key ${k}"),
        ({"path": "sh", "arguments": ["-c", "PGPASSWORD='hunter 22' psql"]}, "sh -c PGPASSWORD=[redacted]"),
        ({"path": "sh", "arguments": ["-c", "curl -H 'Authorization: Bearer abc'"]}, "sh -c [redacted]"),
        ({"path": "sh", "arguments": ["-c", "mv '/a b' /c"]}, """sh -c 'mv '"'"'/a b'"'"' /c'"""),
        ({"path": "curl", "arguments": "-u me:hunter22 http://h/x"}, "curl -u [redacted] http://h/x"),
        ({"path": "/usr/bin/mysql", "arguments": "-phunter22 -e x"}, "/usr/bin/mysql -p[redacted] -e x"),
        ({"type": "http", "url": "http://me:pw12@h/x?access_token=abcd"}, "GET http://me:[redacted]@h/x?..."),
        (
            {"type": "python", "module": "m", "func": "f", "arguments": {
                "headers": {"Authorization": "abc"}, "config": {"db_token": "z1", "port": 1}, "command": "x --secret y",
                "hosts": ["a", "b"], "to": "${to}"}},
            (
                "m.f(headers={'Authorization': '[redacted]'}, config={'db_token': '[redacted]', 'port': 1},"
                " command=[redacted], hosts=['a', 'b'], to=${to})"
            ),
        ),
    ],
)  # fmt: skip
def test_what_anything_names_a_secret_is_not_shown(provider, told):
    assert calls.called({"provider": {"type": "process"} | provider}) == told


def test_plan_tells_the_guards(run):
    result = run(plan.command, "drills/lost.yaml", drill=FULL_DRILL)
    assert "guards        payments-healthy: " in result.stdout, result.stdout
    assert ", aborts when it fails for 10 s" in result.stdout


def test_plan_of_a_drill_without_recovery(run):
    drill = with_line(MINIMAL_DRILL, "recover: [{ref: fence}, {ref: restore-latest}, {ref: switch-over}]\n", "")
    result = run(plan.command, "drills/lost.yaml", drill=drill)
    assert "the fault stays for 60 s" in result.stdout
    assert "recover " not in result.stdout


def test_plan_for_machines_has_the_hash_that_validate_tells(run):
    document = json.loads(run(plan.command, "drills/lost.yaml", "--json").stdout)
    assert document["hash"] == json.loads(run(validate.command, "--json").stdout)["drills"][0]["plan_hash"]
    assert document["plan"]["fault"]["undos"] == ["bring-host-back"]
    assert document["refusals"] == []


def test_plan_tells_what_run_would_refuse(run):
    result = run(plan.command, "drills/lost.yaml", drill=REFUSED)
    assert result.exit_code == 0
    assert "`run` refuses this, for now" in result.stdout
    assert "drills/lost.yaml:4:7: mode gameday is not supported yet" in result.stdout


def test_plan_of_a_drill_that_is_wrong(run, capsys):
    drill = MINIMAL_DRILL.replace("owner:", "ownr:")
    result = run(plan.command, "drills/lost.yaml", "--json", drill=drill)
    assert result.exit_code == 2
    assert len(json.loads(result.stdout)["problems"]) == 2
    result = run(main, "plan", "drills/lost.yaml", drill=drill)
    assert result.exit_code == 2
    assert "drills/lost.yaml:3:1: unknown key `ownr`" in result.stderr


def test_plan_never_prints_what_a_terminal_obeys(run):
    result = run(
        plan.command,
        "drills/lost.yaml",
        drill=with_line(MINIMAL_DRILL, "title: The", 'title: "\\u202e\\u009bThe').replace(
            "from backup\n", 'from backup"\n'
        ),
    )
    assert result.exit_code == 0
    assert "\u009b" not in result.stdout
    assert "\u202e" not in result.stdout


def test_init_makes_a_workspace_of_the_same_shape(tmp_path):
    directory = tmp_path / "my ws"
    result = CliRunner().invoke(init.command, [str(directory)])
    assert result.exit_code == 0, result.output
    for name in (
        "drillmark.yaml",
        "targets.yaml",
        ".gitignore",
        "drills/quarterly/orders-db-lost.yaml",
        "experiments/orders-db-lost.yaml",
        "schemas/drill.json",
    ):
        assert (directory / name).is_file(), name
    assert (directory / "environments").is_dir()
    assert (directory / "targets.yaml").read_bytes() == (ROOT / "targets.yaml").read_bytes()
    assert not list(directory.rglob("__pycache__"))
    assert not list(directory.rglob("*.pyc"))


def test_init_refuses_to_overwrite_anything(tmp_path):
    directory = tmp_path / "ws"
    (directory / "drills").mkdir(parents=True)
    (directory / "targets.yaml").write_text("mine")
    result = CliRunner().invoke(main, ["init", str(directory)])
    assert result.exit_code == 2
    assert "already has targets.yaml" in result.stderr
    assert (directory / "targets.yaml").read_text() == "mine"
    assert sorted(path.name for path in directory.iterdir()) == ["drills", "targets.yaml"]


def test_init_into_a_file(tmp_path):
    (tmp_path / "x").write_text("")
    result = CliRunner().invoke(main, ["init", str(tmp_path / "x")])
    assert result.exit_code == 2
    assert "is not a directory" in result.stderr


def test_init_for_machines(tmp_path):
    document = json.loads(CliRunner().invoke(init.command, [str(tmp_path / "ws"), "--json"]).stdout)
    assert document["directory"] == str((tmp_path / "ws").resolve())
    assert "drillmark.yaml" in document["files"]


def test_a_fresh_workspace_is_valid(tmp_path):
    """As a user would: a process of its own, in the new folder."""
    directory = tmp_path / "a b"
    environment = {key: value for key, value in os.environ.items() if key != "DRILLMARK_WORKSPACE"}

    def drillmark(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "drillmark", *arguments],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert drillmark("init", str(directory), cwd=tmp_path).returncode == 0
    result = drillmark("validate", cwd=directory)
    assert (result.returncode, result.stderr) == (0, "")
    shipped = len(list((ROOT / "drills").rglob("*.yaml")))
    assert result.stdout == f"{shipped} drills good\n"
