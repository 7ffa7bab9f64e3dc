"""The command that is to be typed next, as this shell can run it; and who the user is."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

import pytest

from drillmark import users
from drillmark.cli import called
from drillmark.report import words


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A clone with its environment, started as `make` does: nothing of it on the path."""
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setattr(sys, "argv", ["/x/drillmark/__main__.py", "run"])
    monkeypatch.setenv("PATH", str(tmp_path))
    return programs


def _program(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_a_command_is_printed_as_it_can_be_typed_here(place, monkeypatch):
    assert called.command() == ".venv/bin/python -m drillmark"
    _program(place / "drillmark")
    assert called.command() == ".venv/bin/drillmark"
    assert called.command(anywhere=True) == str(place / "drillmark")
    monkeypatch.setattr(sys, "argv", [str(place / "drillmark"), "run"])
    assert called.command() == ".venv/bin/drillmark"
    monkeypatch.setenv("PATH", str(place))
    assert called.command() == "drillmark"


def test_only_commands_are_written_anew():
    text = "look at /srv/drillmark run, then `drillmark resume last`; drillmark show r1 --why rto"
    wanted = "look at /srv/drillmark run, then `v/drillmark resume last`; v/drillmark show r1 --why rto"
    assert words.started_as(text, "v/drillmark") == wanted
    assert words.started_as("drillmark show r", r"a\1 -m drillmark") == r"a\1 -m drillmark show r"


def test_what_init_prints_runs_where_drillmark_is_not_on_the_path(tmp_path):
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    command = [sys.executable, "-m", "drillmark", "init", "ws"]
    said = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, timeout=240, check=True)
    steps = [line.strip() for line in said.stdout.splitlines() if line.startswith("  ")]
    typed = f"{steps[0]} && {steps[1]} --help"
    done = subprocess.run(
        ["/bin/sh", "-c", typed], cwd=tmp_path, env=bare, capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.returncode, "Check definitions" in done.stdout) == (0, True), (typed, done.stderr)


def test_the_user_is_named_without_a_variable_and_numbered_without_an_entry(monkeypatch):
    import pwd

    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    assert users.name() == pwd.getpwuid(os.getuid()).pw_name

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert (users.known(), users.name()) == ("", str(os.getuid()))
