"""One drill for a worker: `python -m drillmark.cli.occurrence`, a child of `drillmark worker`. No command of its own.

Reads from stdin what to do, and goes on only as long as that stays open: where its worker is gone it undoes what may
be in effect, and stops. Prints lines of JSON: how each message to a channel went, and last how the drill ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark.errors import (
    EXIT_INVALID,
    DrillmarkError,
    JournalError,
    RefusedError,
    StaleEpochError,
    UndoFileError,
    UsageError,
)

if TYPE_CHECKING:
    from drillmark.engine.start import RunEnded
    from drillmark.journal.port import RunRow, Store
    from drillmark.model.entry import Entry
    from drillmark.telling.news import Message

_PRINTING = threading.Lock()


def main() -> None:
    """Perform what stands in the first line of stdin."""
    body: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_worker, daemon=True).start()
    from drillmark import workspace

    root = workspace.find()
    taking_over = bool(body["taking_over"])
    try:
        told = _take_over(root, body) if taking_over else _run(root, body)
    except (StaleEpochError, JournalError, UndoFileError) as error:
        # The guard, or another machine, has it in hand; or what may be in effect is not known to be undone.
        told = _told("unknown", f"{error}", settled=False)
    except RefusedError as error:
        told = _told("refused", f"{error}", settled=not taking_over)
    except DrillmarkError as error:
        told = _told("invalid" if error.exit_code == EXIT_INVALID else "unknown", f"{error}", settled=not taking_over)
    _print(told)


def _print(body: dict[str, Any]) -> None:
    """One line, whole: threads of channels print, too."""
    with _PRINTING:
        sys.stdout.write(json.dumps(body) + "\n")
        sys.stdout.flush()


def _notified(channel: str, message: Message, outcome: str, _reason: str) -> None:
    """The worker counts what its runs tell."""
    _print({"notified": [channel, message.event, outcome]})


def _run(root: Path, body: dict[str, Any]) -> dict[str, object]:
    from drillmark import decisions, workspace
    from drillmark.cli import views
    from drillmark.cli.run import prepare_lab, time_limit_seconds
    from drillmark.engine import start

    plan = workspace.load_plan(root / body["source"], root=root)
    prepare_lab(root, plan, quiet=True)
    ordered = {name: body[name] for name in ("occurrence", "worker", "attempt", "epoch")}
    requester = str(body.get("requester") or decisions.SCHEDULE)
    with views.unwatched(root, on_outcome=_notified) as view:
        ended = start.run(
            root, plan, view=view, timeout_seconds=time_limit_seconds(root, plan), run=str(body["run"]),
            ordered=ordered, requester=requester,
        )  # fmt: skip
    return _told_end(ended)


def _take_over(root: Path, body: dict[str, Any]) -> dict[str, object]:
    """Where the run's folder is here, as `resume` does; else from the journal and the copy of its undo file."""
    from drillmark.cli import views
    from drillmark.cli.run import use_lab
    from drillmark.engine import overtaking, resume
    from drillmark.engine.paths import RunPaths, WorkspacePaths
    from drillmark.journal.opening import open_store

    lost = "the worker that ran it is lost"
    workspace = WorkspacePaths(root)
    store = open_store(workspace)
    try:
        row = next((row for row in store.find(str(body["run"])) if row.run == body["run"]), None)
        if row is None:
            overtaking.bar(store, str(body["run"]), str(body["drill"]))
            return _told("unknown", f"{lost}, and the run had not begun", again=True)
        use_lab(root)
        if not RunPaths(root / row.directory).epoch.exists():
            return _overtake(root, store, row, body)
        try:
            with views.unwatched(root, store.read(row.run), _notified) as view:
                ended = resume.resume(root, row, view=view)
        except UsageError as error:
            told = _ended_before(root, row, store.read(row.run))
            return told or _told("unknown", f"{lost}: {error}", again=True)
        return _told_end(ended, lost)
    finally:
        store.close()


def _overtake(root: Path, store: Store, row: RunRow, body: dict[str, Any]) -> dict[str, object]:
    from drillmark.cli import elsewhere, views

    entries = store.read(row.run)
    with views.unwatched(root, entries, _notified) as view:
        source, worker = str(body["source"]), str(body["worker"])
        ended = elsewhere.overtake(root, store, row, entries, source=source, worker=worker, view=view)
    if ended is None:
        return _told("unknown", "the worker that ran it is lost, and the run had not begun", again=True)
    return _told_end(ended)


def _ended_before(root: Path, row: RunRow, entries: Sequence[Entry]) -> dict[str, object] | None:
    """How the run ended, where it had before its worker could say so."""
    from drillmark.engine import start
    from drillmark.journal.entries import run_ended

    if run_ended(entries) is None:
        return None
    ended = start.read_end(row.run, root / row.directory, entries)
    return _told_end(ended, "it had ended when its worker was lost")


def _told_end(ended: RunEnded, *before: str) -> dict[str, object]:
    from drillmark.fleet import endings

    return asdict(endings.of_run(ended, *before))


def _told(verdict: str, reason: str, *, again: bool = False, settled: bool = True) -> dict[str, object]:
    from drillmark.fleet.endings import Ending

    return asdict(Ending(verdict, reason, again=again, settled=settled))


def _end_with_worker() -> None:
    """The worker holds the other end for as long as it lives."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
