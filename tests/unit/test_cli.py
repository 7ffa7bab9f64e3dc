"""The command line's frame: help, one way to fail, no secrets, no trouble with pipes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from drillmark import cli, errors
from drillmark.cli import failures, main
from stored_runs import workspace


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_list_says_what_each_commands_own_help_says(name):
    command = main.get_command(click.Context(main), name)
    assert command is not None
    own = command.get_short_help_str(limit=1000)
    said = cli.COMMANDS[name][1]
    assert own.rstrip(".").startswith(said.rstrip(".")), f"{name}: {own!r} against {said!r}"


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in cli.COMMANDS:
        command = main.get_command(click.Context(main), name)
        found += [(name, sub) for sub in command.commands] if isinstance(command, click.Group) else [(name,)]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_has_help_and_json_where_it_reports(words):
    result = CliRunner().invoke(main, [*words, "--help"])
    assert result.exit_code == 0
    # A worker elsewhere reports nothing: the drill that it works for does.
    assert ("--json" in result.stdout) != (words == ("join",))


def test_no_command_at_all_is_help():
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 0
    assert "Commands:" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["lsit"], "error: no such command: lsit", "HINT: did you mean `list`?"),
        (["show", "--wy"], "error: no such option", "HINT: `drillmark show --help` says how"),
        (["run"], "error: missing argument 'DRILL'", "HINT: `drillmark run --help` says how"),
        (["run", "x", "--timeout", "5"], "error: invalid value for '--timeout': a duration needs a unit", "HINT:"),
    ],
)
def test_a_wrong_call_is_two_lines_and_exit_2(arguments, error, hint):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first.startswith(error)
    assert second.startswith(hint)
    assert result.stdout == ""


def failing(monkeypatch, error: BaseException) -> None:
    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(cli.Drillmark, "get_command", lambda *_: command)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (errors.UsageError("No such run", hint="look closer"), 2, "error: no such run\nHINT: look closer\n"),
        (errors.RefusedError("target is busy"), 3, "error: target is busy\n"),
        (errors.JournalError("RTO of \x1b[31mred"), 5, "error: RTO of \N{REPLACEMENT CHARACTER}[31mred\n"),
        (KeyboardInterrupt(), 3, "error: interrupted\n"),
        (
            errors.InvalidDefinitionError([errors.Problem("a.yaml", 1, 2, "wrong", "do this"), errors.Problem("b.yaml", 0, 0, "bad")]),
            2,
            "error: a.yaml:1:2: wrong\n  HINT: do this\nb.yaml: bad\n",
        ),
    ],
)  # fmt: skip
def test_every_error_has_its_code_and_its_line(monkeypatch, error, code, said):
    failing(monkeypatch, error)
    result = CliRunner().invoke(main, ["list"])
    assert (result.exit_code, result.stderr.lstrip("\n"), result.stdout) == (code, said, "")


def test_an_unexpected_error_is_one_line_exit_5_and_a_private_traceback_without_secrets(monkeypatch, tmp_path):
    monkeypatch.chdir(workspace(tmp_path / "a w"))
    monkeypatch.setenv("ORDERS_PASSWORD", "hunter-two")
    secret = "cannot connect to postgres://ada:s3cr3t-pw@db/orders as hunter-two, password=x9x9x9, token: 'abc def'"
    failing(monkeypatch, ValueError(secret + "\nsecond line"))
    result = CliRunner().invoke(main, ["list"])
    assert result.exit_code == 5
    first, second = result.stderr.splitlines()
    assert first.startswith(
        "error: drillmark itself failed: ValueError: cannot connect to postgres://ada:[redacted]@db/orders"
    )
    path = Path(second.removeprefix("HINT: the traceback is in ").removesuffix("; please report it"))
    assert path.parent == tmp_path / "a w" / ".drillmark" / "crashes"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_text()
    assert "Traceback" in kept
    for text in (kept, result.stderr):
        assert not any(word in text for word in ("hunter-two", "s3cr3t-pw", "x9x9x9", "abc def"))


def test_without_a_workspace_the_traceback_is_kept_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = failures.keep("text")
    assert path is not None
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("text", 0o600)
    path.unlink()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs pipes as POSIX has them")
@pytest.mark.parametrize("arguments", [["--help"], ["schema", "drill"]])
def test_a_reader_that_goes_away_is_no_crash(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "drillmark", *arguments], stdout=stdout, stderr=subprocess.PIPE, check=False
        )
    assert done.stderr == b""
    assert done.returncode == cli.EXIT_BROKEN_PIPE


def test_python_m_drillmark_and_the_command_are_the_same():
    done = subprocess.run([sys.executable, "-m", "drillmark", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("drillmark, version ")
