"""Bare experiments by the real command line, and what is left of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from chaos_helpers import FUNCTIONS, PATIENCE_SECONDS, experiment, shell


def breaks_and_mends(folder: Path, *more: dict, **others: Any) -> dict:
    """The fault is a file that is there."""
    return experiment(
        [shell("break", f"touch {folder}/broken"), *more], [shell("mend", f"rm -f {folder}/broken")], **others
    )


def begin(folder: Path, what: dict, *options: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    (folder / "x.json").write_text(json.dumps(what))
    return drillmark_starts(folder, "experiment", "x.json", *options, before=before)


def drillmark_starts(folder: Path, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """`before`: a program, with its arguments, that starts the command line which follows."""
    environment = {name: value for name, value in os.environ.items() if name != "DRILLMARK_WORKSPACE"} | FUNCTIONS
    return subprocess.Popen(
        [*before, sys.executable, "-m", "drillmark", *arguments],
        cwd=folder,
        env=environment | {"HOME": str(folder), "USER": "tester"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        said, _ = process.communicate(timeout=4 * PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, said


def drillmark(folder: Path, *arguments: str) -> tuple[int, str]:
    return ended(drillmark_starts(folder, *arguments))


def play(folder: Path, what: dict, *options: str, before: tuple[str, ...] = ()) -> tuple[int, str]:
    return ended(begin(folder, what, *options, before=before))


def result(folder: Path) -> dict[str, Any]:
    code, said = drillmark(folder, "show", "--json")
    assert code == 0, said
    return json.loads(said)


def journal(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "journal.json").read_text())


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["verdict"] for item in found["objectives"]}
