"""Workspaces for tests: as `drillmark init` makes them, with the shipped drills cut short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import yaml

# Long enough for some beats, short enough for many drills.
SHORT = {"baseline": "3s", "soak": "3s", "hold": "2s", "fault": "6s", "recover": {"deadline": "90s"}}


def drillmark(workspace: Path, *arguments: str, seconds: float = 240, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a workspace."""
    return subprocess.run(
        [sys.executable, "-m", "drillmark", *arguments],
        cwd=workspace, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        env=os.environ | {"NO_COLOR": "1"} | more.pop("env", {}), **more,
    )  # fmt: skip


def run(workspace: Path, drill: str, *, must_be_known: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a drill, and show what it said.

    Where a machine that is too busy let beats fall silent before anything was begun, nothing is known: then once more,
    at most twice. So too where the result is unknown and `must_be_known`.
    """
    for _ in range(3):
        done = drillmark(workspace, "run", drill, seconds=600, **more)
        print(done.stdout, done.stderr)
        if not too_busy(done.stdout) and not (must_be_known and done.returncode == 4):
            break
    return done


def too_busy(said: str) -> bool:
    """Whether a run says that its baseline was not seen whole: of the machine, not of the system under test."""
    return any(
        words in said for words in ("silent in the baseline", "absent in the baseline", "when the baseline ended")
    )


def make(place: Path) -> Path:
    """A fresh workspace."""
    done = drillmark(place.parent, "init", str(place))
    assert done.returncode == 0, done.stderr
    return place


def shorten(workspace: Path, drill: str, *, lease: str | None = None, **fields: Any) -> str:
    """Write a short variant of a shipped drill; returns its path from the workspace root.

    `fields` are laid over the drill's own, those in `without` are left out; `targets` (a function on the parsed targets.yaml) may change targets.
    """
    source = yaml.safe_load((workspace / drill).read_text())
    for name in fields.pop("without", ()):
        source.pop(name, None)
    change = fields.pop("targets", None)
    if change is not None:
        targets = yaml.safe_load((workspace / "targets.yaml").read_text())
        change(targets)
        (workspace / "targets.yaml").write_text(yaml.safe_dump(targets, sort_keys=False))
    phases = {key: value for key, value in SHORT.items() if key != "recover" or "recover" in source}
    if "recover" in source or "recover" in fields:
        phases.pop("fault")
    source["phases"] = phases | fields.pop("phases", {})
    if lease is not None:
        settings = workspace / "drillmark.yaml"
        body = yaml.safe_load(settings.read_text()) or {}
        body["guard"] = {"lease": lease}
        settings.write_text(yaml.safe_dump(body))
    path = f"drills/short-{Path(drill).name}"
    (workspace / path).write_text(yaml.safe_dump(source | fields, sort_keys=False))
    return path


def result(workspace: Path, run: str | None = None) -> dict[str, Any]:
    """The result of a run; the newest without a name."""
    runs = sorted((workspace / "reports" / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
    directory = runs[-1] if run is None else workspace / "reports" / "runs" / run
    return json.loads((directory / "result.json").read_text())


def newest(workspace: Path) -> Path:
    """The directory of the newest run."""
    # Not by name: of two that began in the same second, it sorts by chance.
    return max((workspace / "reports" / "runs").iterdir(), key=lambda path: (path / "plan.json").stat().st_mtime_ns)


def processes_of(text: str) -> list[str]:
    """Command lines of all processes that name `text`."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if text in line and process.pid != os.getpid():
            found.append(f"{process.pid} {line}")
    return found
