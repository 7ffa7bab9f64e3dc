"""Which folder is meant: the workspace around here, or a folder in which bare experiments were run.

Reads no file and makes none. Imports little: it stands at the beginning of every command.
"""

from __future__ import annotations

import os
from pathlib import Path

from drillmark.errors import UsageError

SETTINGS = "drillmark.yaml"
OWN = ".drillmark"


def workspace(start: Path | None = None) -> Path:
    """The root of the workspace: `DRILLMARK_WORKSPACE`, else the nearest folder upward that has `drillmark.yaml`.

    Raises UsageError where there is none.
    """
    named = os.environ.get("DRILLMARK_WORKSPACE")
    if named:
        root = Path(named).expanduser().resolve()
        if (root / SETTINGS).is_file():
            return root
        raise UsageError(f"DRILLMARK_WORKSPACE names {named}, which has no {SETTINGS}")
    here = (start or Path.cwd()).resolve()
    found = _nearest(here, SETTINGS)
    if found is None:
        raise UsageError(
            f"there is no workspace: no {SETTINGS} in {here} or above", hint="`drillmark init DIR` makes one"
        )
    return found


def for_an_experiment() -> Path:
    """Where a bare experiment is recorded: the workspace, or where there is none the current folder."""
    if os.environ.get("DRILLMARK_WORKSPACE"):
        return workspace()
    here = Path.cwd().resolve()
    return _nearest(here, SETTINGS) or here


def with_runs() -> Path:
    """Where stored runs are looked for: the workspace, else the nearest folder upward with runs of bare experiments.

    Raises UsageError where there is neither.
    """
    try:
        return workspace()
    except UsageError:
        found = None if os.environ.get("DRILLMARK_WORKSPACE") else _nearest(Path.cwd().resolve(), f"{OWN}/runs")
        if found is None:
            raise
        return found


def reports_of(root: Path) -> Path:
    """Where runs and gaps are: `reports` in a workspace, else the folder that Drillmark has for itself."""
    return root / "reports" if (root / SETTINGS).is_file() else root / OWN


def _nearest(here: Path, name: str) -> Path | None:
    return next((folder for folder in (here, *here.parents) if (folder / name).exists()), None)
