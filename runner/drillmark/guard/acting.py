"""What the guard does when it must: take the run over, undo, and leave a log.

Needs neither runner nor journal, and no disk that can be written: what cannot be logged is undone all the same.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from drillmark import clock, files, processes, undo
from drillmark.chaos.activities import ActivityOutcome
from drillmark.chaos.events import read_events
from drillmark.chaos.undo import begun, done, perform_undoable, waived
from drillmark.engine.locks import FileLock
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import UndoFileError
from drillmark.journal.entries import canonical
from drillmark.model.entry import Status

_LOCK_SECONDS = 1.0
_LOCK_AFTER_KILL_SECONDS = 10.0
_ATTEMPTS = 2


def longest_seconds(undo_seconds: float) -> float:
    """How long the guard acts at most, once there is a reason, where one undo of all takes so long at most."""
    return _LOCK_SECONDS + _LOCK_AFTER_KILL_SECONDS + _ATTEMPTS * undo_seconds


def act(paths: RunPaths, run: str, still_needed: Callable[[], str]) -> bool:
    """Take the run over and undo what may be in effect.

    `still_needed` gives the reason, or an empty string where a runner has come back meanwhile. Returns whether the
    guard has done its work; if not, it goes on watching.
    """
    _raise_epoch(paths)
    lock = FileLock(paths.lock)
    try:
        if not lock.acquire(exclusive=True, wait_seconds=_LOCK_SECONDS):
            if not still_needed():
                return False
            # A stopped process keeps its locks; ending it frees them.
            _end_runner(paths)
            if not lock.acquire(exclusive=True, wait_seconds=_LOCK_AFTER_KILL_SECONDS):
                return False
        reason = still_needed()
        if not reason:
            return False
        # Once more, under the lock: a resumed runner may have raised it to the same number at the same moment.
        epoch = _raise_epoch(paths)
        _take_over(paths, run, reason, epoch)
    finally:
        lock.close()
    return True


def _take_over(paths: RunPaths, run: str, reason: str, epoch: int) -> None:
    state: undo.UndoState | None = None
    problem = ""
    try:
        state = undo.read(paths.undo)
    except UndoFileError as error:
        problem = str(error)
    for role in ("chaos", "worker"):
        child = state.child(role) if state else None
        if child is not None:
            processes.end(child.identity, group=True, grace_seconds=0.0)
    events = read_events(paths.events)
    unlogged = state is not None and any(one.unlogged for one in state.undoables)
    if state is not None and not unlogged and not (state.undoables and begun(events) and not waived(events)):
        _log(paths, "nothing_in_effect", run=run, reason=reason, epoch=epoch)
    else:
        _log(paths, "acting", run=run, reason=reason, epoch=epoch)
        if problem:
            _log(paths, "undo_failed", error=problem)
            return
        if state is not None and not _undo(paths, state, done(events)):
            return
    if state is not None and not _is_to_be_proved(paths):
        with contextlib.suppress(UndoFileError):
            undo.write(paths.undo, undo.UndoState(state.run, (), state.children))
    _free_the_journal(paths)


def _is_to_be_proved(paths: RunPaths) -> bool:
    """The run has ended, its undo failed, and it has a probe that tells: `resume` asks that, and empties U by it."""
    plan = files.read_object(paths.plan)
    fault = plan.get("fault")
    effect = cast("dict[str, Any]", fault).get("effect") if isinstance(fault, dict) else None
    return bool(effect or plan.get("simulation")) and paths.result.exists()


def tidy_up(paths: RunPaths, hold_seconds: float) -> None:
    """Let observers and load go on for a hold window, so that the service's return is recorded; then end them."""
    own = _own_epoch(paths)
    deadline = clock.monotonic_ns() + round(hold_seconds * 1e9)
    while clock.monotonic_ns() < deadline:
        if undo.read_epoch(paths.epoch) > own:
            return  # a resumed runner has adopted them
        time.sleep(_LOCK_SECONDS / 4)
    try:
        state = undo.read(paths.undo)
    except UndoFileError:
        return
    for child in state.of(undo.OBSERVERS) if state else ():
        processes.end(child.identity, group=True, grace_seconds=10.0)


def _undo(paths: RunPaths, state: undo.UndoState, finished: set[int]) -> bool:
    bad: list[str] = []
    for _attempt in range(_ATTEMPTS):
        bad = []
        for undoable in reversed(state.undoables):
            bad += _perform(paths, undoable, finished)
        if not bad:
            _log(paths, "undone")
            return True
    _log(paths, "undo_failed", error="; ".join(bad))
    return False


def _perform(paths: RunPaths, undoable: undo.Undoable, finished: set[int]) -> list[str]:
    bad: list[str] = []

    def note(index: int, outcome: ActivityOutcome) -> None:
        _log(paths, "rollback", index=index, name=outcome.name, status=outcome.status, error=outcome.error)
        if outcome.status == Status.SUCCEEDED:
            finished.add(index)
        else:
            bad.append(f"{outcome.name}: {outcome.error or outcome.status}")

    perform_undoable(undoable, set(finished), run_dir=paths.directory, on_outcome=note)
    return bad


def _raise_epoch(paths: RunPaths) -> int:
    """From now on no runner may begin an effect. On a full disk that cannot be said, so the runner is ended."""
    try:
        epoch = undo.read_epoch(paths.epoch) + 1
        undo.write_epoch(paths.epoch, epoch)
    except UndoFileError:
        _end_runner(paths)
        return 0
    return epoch


def _free_the_journal(paths: RunPaths) -> None:
    """A runner that was stopped in the middle of an append keeps the journal of the whole workspace locked."""
    journal = _journal_of(paths)
    if journal is None:
        return
    try:
        connection = sqlite3.connect(journal, timeout=_LOCK_SECONDS, isolation_level=None)
        try:
            connection.execute("begin immediate")
            connection.execute("rollback")
        finally:
            connection.close()
    except sqlite3.OperationalError:
        _end_runner(paths)
    except sqlite3.Error:
        return  # damaged: `resume` says so


def _journal_of(paths: RunPaths) -> Path | None:
    config = files.read_object(paths.guard_config)
    path = WorkspacePaths(Path(str(config.get("workspace", "")))).journal
    return path if path.exists() else None


def _end_runner(paths: RunPaths) -> None:
    lease = files.read_object(paths.lease)
    identity = processes.told(lease.get("runner"))
    if identity is not None:
        processes.end(identity, group=False, grace_seconds=0.0)


def _own_epoch(paths: RunPaths) -> int:
    lines = files.read_json_lines(paths.guard_log)
    epochs = [line.get("epoch") for line in lines]
    return max((epoch for epoch in epochs if type(epoch) is int), default=0)


def _log(paths: RunPaths, what: str, **more: Any) -> None:
    line = canonical({"what": what, "stamp": clock.now().as_json()} | more)
    try:
        files.append_line_durably(paths.guard_log, line)
    except OSError:
        # The undo matters more than its record.
        with contextlib.suppress(OSError):
            sys.stderr.write(line + "\n")
