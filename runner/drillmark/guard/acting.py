"""What the guard does when it must: take the run over, undo, and leave a log. Needs neither runner nor journal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from drillmark import clock, files, processes, undo
from drillmark.chaos.activities import ActivityOutcome
from drillmark.chaos.events import read_events
from drillmark.chaos.undo import perform as perform_undo
from drillmark.engine.locks import FileLock
from drillmark.engine.paths import RunPaths
from drillmark.errors import UndoFileError
from drillmark.journal.entries import canonical
from drillmark.model.entry import Status

_LOCK_SECONDS = 1.0
_LOCK_AFTER_KILL_SECONDS = 10.0
_ROLLBACK_SECONDS = 60.0
_ATTEMPTS = 2


def act(paths: RunPaths, run: str, reason: str) -> bool:
    """Take the run over and undo what may be in effect; returns whether all is undone."""
    epoch = undo.read_epoch(paths.epoch) + 1
    undo.write_epoch(paths.epoch, epoch)
    lock = FileLock(paths.lock)
    try:
        if not lock.acquire(exclusive=True, wait_seconds=_LOCK_SECONDS):
            # A stopped process keeps its locks; ending it frees them.
            _end_runner(paths)
            lock.acquire(exclusive=True, wait_seconds=_LOCK_AFTER_KILL_SECONDS)
        if paths.guard_stop.exists():
            return True
        _log(paths.guard_log, "acting", run=run, reason=reason, epoch=epoch)
        return _undo(paths)
    finally:
        lock.close()


def tidy_up(paths: RunPaths, hold_seconds: float) -> None:
    """Let observers and load go on for a hold window, so that the service's return is recorded; then end them."""
    deadline = clock.monotonic_ns() + round(hold_seconds * 1e9)
    while clock.monotonic_ns() < deadline:
        if undo.read_epoch(paths.epoch) > _own_epoch(paths):
            return  # a resumed runner has adopted them
        time.sleep(_LOCK_SECONDS / 4)
    try:
        state = undo.read(paths.undo)
    except UndoFileError:
        return
    for role in ("prober", "markers", "load", "read_back"):
        child = state.child(role) if state else None
        if child is not None:
            processes.end(child.identity, group=True, grace_seconds=10.0)


def _undo(paths: RunPaths) -> bool:
    try:
        state = undo.read(paths.undo)
    except UndoFileError as error:
        _log(paths.guard_log, "undo_failed", error=str(error))
        return False
    if state is None:
        _log(paths.guard_log, "undone", rollbacks=[])
        return True
    for role in ("chaos", "worker"):
        child = state.child(role)
        if child is not None:
            processes.end(child.identity, group=True, grace_seconds=0.0)
    done = {
        event.index
        for event in read_events(paths.events)
        if event.event == "activity_ended" and event.phase == "rollbacks" and event.status == Status.SUCCEEDED
    }
    bad: list[str] = []
    for _attempt in range(_ATTEMPTS):
        bad = []
        for undoable in reversed(state.undoables):
            bad += _perform(paths, undoable, done)
        if not bad:
            break
    if bad:
        _log(paths.guard_log, "undo_failed", error="; ".join(bad))
        return False
    undo.write(paths.undo, undo.UndoState(state.run, (), state.children))
    _log(paths.guard_log, "undone")
    return True


def _perform(paths: RunPaths, undoable: undo.Undoable, done: set[int]) -> list[str]:
    bad: list[str] = []

    def note(index: int, outcome: ActivityOutcome) -> None:
        _log(paths.guard_log, "rollback", index=index, name=outcome.name, status=outcome.status, error=outcome.error)
        if outcome.status == Status.SUCCEEDED:
            done.add(index)
        else:
            bad.append(f"{outcome.name}: {outcome.error or outcome.status}")

    perform_undo(
        undoable.experiment,
        set(done),
        run_dir=paths.directory,
        timeout_seconds_each=_ROLLBACK_SECONDS,
        on_outcome=note,
    )
    return bad


def _end_runner(paths: RunPaths) -> None:
    lease = files.read_json(paths.lease) or {}
    runner = lease.get("runner")
    if runner:
        identity = processes.ProcessIdentity(int(runner["pid"]), str(runner["start"]))
        processes.end(identity, group=False, grace_seconds=0.0)


def _own_epoch(paths: RunPaths) -> int:
    lines = files.read_json_lines(paths.guard_log)
    return max((int(line.get("epoch", 0)) for line in lines), default=0)


def _log(path: Path, what: str, **more: Any) -> None:
    files.append_line_durably(path, canonical({"what": what, "stamp": clock.now().as_json()} | more))
