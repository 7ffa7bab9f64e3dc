"""One drill for a worker: `python -m drillmark.cli.occurrence`, a child of `drillmark worker`. No command of its own.

Reads from stdin what to do, and goes on only as long as that stays open: where its worker is gone it undoes what may
be in effect, and stops. Prints one line of JSON: how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from drillmark.errors import DrillmarkError, JournalError, RefusedError, StaleEpochError, UndoFileError


def main() -> None:
    """Perform what stands in the first line of stdin."""
    body: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_worker, daemon=True).start()
    from drillmark import workspace

    root = workspace.find()
    try:
        told = _take_over(root, body) if body["taking_over"] else _run(root, body)
    except StaleEpochError as error:
        told = _told("unknown", f"{error}")
    except (JournalError, UndoFileError) as error:
        told = _told("unknown", f"{error}", again=True)
    except RefusedError as error:
        told = _told("refused", f"{error}")
    except DrillmarkError as error:
        told = _told("invalid" if error.exit_code == 2 else "unknown", f"{error}")  # noqa: PLR2004
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def _run(root: Path, body: dict[str, Any]) -> dict[str, object]:
    from drillmark import workspace
    from drillmark.cli.run import prepare_lab
    from drillmark.engine import start

    plan = workspace.load_plan(root / body["source"], root=root)
    prepare_lab(root, plan, quiet=True)
    ordered = {name: body[name] for name in ("occurrence", "worker", "attempt", "epoch")}
    ended = start.run(root, plan, run=str(body["run"]), ordered=ordered)
    return _told(ended.verdict, "; ".join(ended.reasons), again=ended.verdict == "unknown")


def _take_over(root: Path, body: dict[str, Any]) -> dict[str, object]:
    from drillmark import runs
    from drillmark.cli.run import use_lab
    from drillmark.engine import resume
    from drillmark.errors import UsageError

    lost = "the worker that ran it was lost"
    try:
        row = runs.find(root, str(body["run"]))
    except UsageError:
        return _told("unknown", f"{lost} before the run began", again=True)
    use_lab(root)
    try:
        ended = resume.resume(root, row)
    except UsageError as error:
        return _ended_before(root, row.run) or _told("unknown", f"{lost}: {error}", again=True)
    return _told(ended.verdict, "; ".join([lost, *ended.reasons]), again=ended.verdict == "unknown")


def _ended_before(root: Path, run: str) -> dict[str, object] | None:
    """How the run ended, where it had before its worker could say so."""
    from drillmark import runs
    from drillmark.model.entry import Kind

    try:
        entries = runs.read_entries(root, runs.find(root, run))
    except DrillmarkError:
        return None
    end = next((entry.data for entry in entries if entry.kind is Kind.RUN_ENDED), None)
    return None if end is None else _told(str(end.get("verdict", "unknown")), "it had ended when its worker was lost")


def _told(verdict: str, reason: str, *, again: bool = False) -> dict[str, object]:
    return {"verdict": verdict, "reason": reason, "again": again}


def _end_with_worker() -> None:
    """The worker holds the other end for as long as it lives."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
