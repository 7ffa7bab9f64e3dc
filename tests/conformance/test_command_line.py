"""The two real command lines side by side: `chaos run` and `drillmark experiment`, their journals and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from comparing import DEVIATIONS, differences, seen

from chaos_helpers import FUNCTIONS

EXPERIMENTS = Path(__file__).parent / "experiments"
PATIENCE_SECONDS = 240

# Experiment, options of both, exit code of `chaos run`, exit code of `drillmark experiment`.
CASES: list[tuple[str, list[str], int, int]] = [
    ("steady-state-met", [], 0, 0),
    ("deviated", [], 1, 1),
    ("rollback-fails", [], 0, 1),
    ("not-valid", [], 1, 2),
    ("strategy-fail-fast", ["--fail-fast", "--hypothesis-frequency", "0.1"], 1, 1),
    ("configuration-changed", ["--var", "size:int=7"], 0, 0),
    ("steady-state-met", ["--dry", "actions"], 0, 4),
]


@pytest.mark.parametrize(("name", "options", "theirs", "ours"), CASES, ids=str)
def test_the_command_lines_agree(
    tmp_path: Path, name: str, options: list[str], theirs: int, ours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRILLMARK_WORKSPACE", raising=False)
    common = [
        "--rollback-strategy=always",
        "--journal-path",
        "journal.json",
        *options,
        str(EXPERIMENTS / f"{name}.yaml"),
    ]
    quiet = ["--no-version-check", "--no-log-file", "--settings", "none"]
    started = {
        "theirs": _start(tmp_path / "theirs", "chaostoolkit", *quiet, "run", *common),
        "ours": _start(tmp_path / "ours", "drillmark", "experiment", "--settings", "none", *common),
    }
    said = {side: process.communicate(timeout=PATIENCE_SECONDS)[0] for side, process in started.items()}
    codes = {side: process.returncode for side, process in started.items()}
    assert codes == {"theirs": theirs, "ours": ours}, said
    one, other = (seen(_read(tmp_path / side / "journal.json"), tmp_path / side) for side in ("theirs", "ours"))
    # The event log is compared elsewhere.
    assert differences(one, other, []) <= {"events"}, (one, other, said["ours"])


def test_exit_codes_that_differ_are_told() -> None:
    page = DEVIATIONS.read_text(encoding="utf-8")
    for words in ("make exit code 1", "makes exit code 2", "exit code 4"):
        assert words in page


def _start(place: Path, module: str, *arguments: str) -> subprocess.Popen[str]:
    place.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=place,
        env={**os.environ, **FUNCTIONS, "CONFORMANCE_PLACE": str(place)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _read(journal: Path) -> dict[str, Any] | None:
    return json.loads(journal.read_text()) if journal.exists() else None
