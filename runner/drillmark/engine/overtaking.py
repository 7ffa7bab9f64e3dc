"""Ends a run whose machine is lost, on another one: from its journal and the copy of its undo file in the database.

Its samples, event log and ledger lie over there. So nothing is gone on with, a fault or a restore least of all: what
may be in effect is undone, and the run has ended unknown, with its result and its gap. Whoever drove it finds a higher
epoch and touches nothing. Returns only when that machine's guard cannot act any more.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from drillmark import clock, files, processes, runs, undo
from drillmark.chaos.undo import failures, undo_all
from drillmark.engine import concluding, late_guard
from drillmark.engine.early import make_directory
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.start import RunEnded, read_end
from drillmark.engine.view import SilentView, View
from drillmark.errors import EXIT_ABORTED, DrillmarkError, RefusedError, UndoFileError
from drillmark.journal.entries import concluded, last, run_ended
from drillmark.journal.port import RunRow, Store
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.plan import Plan
from drillmark.model.stamp import NANOSECONDS
from drillmark.undo import UndoState

# The epoch of a run that never began, and is kept from beginning.
_BARRED = 2
NO_COPY = "the database has no copy of what may be in effect: only the guard of the lost machine can have undone it"


def overtake(
    root: Path,
    store: Store,
    row: RunRow,
    *,
    worker: str,
    copy: str | None,
    view: View | None = None,
    plan: Plan | None = None,
    by_hand: str = "",
) -> RunEnded | None:
    """Undo what may be in effect, and end the run. None where it had never begun, and now cannot any more.

    `worker` is who takes it over, `copy` the text of the run's undo file, `view` who hears of it; `plan` is the run's,
    None where it is not known here: then there is no result; `by_hand` is who undid what an ended run left, which is
    believed. Raises RefusedError where that one has not ended, and UndoFileError where that cannot be undone: the run
    has not ended then, and this is to be called again. Raises JournalError, and StaleEpochError where somebody else was
    first.
    """
    entries = list(store.read(row.run))
    if not entries:
        store.forget(row.run)
        return None
    state = undo.from_text(copy) if copy is not None else None
    if run_ended(entries) is not None:
        left = state if state is not None and state.undoables else None
        if left is not None:
            _undo_what_was_left(root, store, row, entries, left, view, by_hand)
        reason = "it had ended before its worker was lost"
        return _told(root, row, entries, f"{reason}, and what it left is undone" if left else reason)
    if by_hand:
        raise RefusedError(f"run {row.run} has not ended", hint=f"`drillmark resume {row.run}` undoes and ends it")
    journal = _take(store, row, view)
    epoch = row.epoch + 1
    paths = RunPaths(root / row.directory)
    if plan is not None:
        _show_that_it_is_driven(paths, epoch)
    absent_from = journal.entries[-1].stamp.as_json()
    reason = "the worker that ran it is lost; another took over"
    journal.add(
        Kind.RESUMED,
        {"epoch": epoch, "absent_from": absent_from, "absent_to": clock.now().as_json(), "taken_over_by": worker},
    )
    journal.add(Kind.ABORT, {"by": "fleet", "reason": reason})
    reasons = [reason]
    _announce_hold(journal, state)
    if state is not None:
        _undo(root, row, journal, state)
    elif last(journal.entries, Effect.INJECT) is not None and not _is_undone(journal.entries):
        reasons.append(NO_COPY)
    late_guard.wait(journal.entries, state)
    end: dict[str, object] = {"verdict": "unknown", "exit_code": EXIT_ABORTED}
    if plan is not None:
        end |= _conclude(WorkspacePaths(root), paths, journal, plan, reasons)
    end["reasons"] = reasons
    journal.add(Kind.RUN_ENDED, end)
    if plan is not None:
        concluding.make_up_for_export(paths, journal.entries)
    return _told(root, row, journal.entries, "; ".join(reasons))


def _take(store: Store, row: RunRow, view: View | None) -> _Journal:
    """From now on the run is this one's. Whoever drove it may have written until this moment."""
    store.raise_epoch(row.run, row.epoch + 1)
    return _Journal(store, row.run, row.epoch + 1, list(store.read(row.run)), view or SilentView())


def bar(store: Store, run: str, drill: str) -> None:
    """A run that was not registered when its worker was lost cannot be registered any more, however late that wakes up.

    Raises JournalError where it was registered in this very moment: then it is there to be overtaken.
    """
    store.create(RunRow(run, drill, "", f"reports/runs/{run}", _BARRED, clock.now().wall_ns))


class _Journal:
    """Appends to the run's journal, one entry after another."""

    def __init__(self, store: Store, run: str, epoch: int, entries: list[Entry], view: View) -> None:
        self._store, self.run, self._epoch, self._view = store, run, epoch, view
        self.entries = entries

    def add(self, kind: Kind, data: dict[str, object]) -> None:
        self.entries.append(
            self._store.append(
                self.entries[-1], run=self.run, epoch=self._epoch, kind=kind, stamp=clock.now(), data=data
            )
        )
        self._view.entry(self.entries[-1], "")

    def nothing_is_left(self) -> None:
        """For whoever comes back: what was in effect is undone."""
        self._store.keep_undo(self.run, self._epoch, undo.to_text(UndoState(self.run)))


def _show_that_it_is_driven(paths: RunPaths, epoch: int) -> None:
    """Before anybody hears of the run: what has no directory leaves nothing, what nobody drives has left it all."""
    me = processes.identify(os.getpid())
    body = {"renewed_ns": clock.monotonic_ns(), "boot": clock.boot_id(), "epoch": epoch,
            "runner": me.as_json() if me else None}  # fmt: skip
    with suppress(OSError):  # told with the result, which cannot be written then either
        make_directory(paths)
        files.write_whole(paths.lease, json.dumps(body))


def _announce_hold(journal: _Journal, state: UndoState | None) -> None:
    """Before anything is undone: whoever takes over from here must know of that guard, too."""
    now = clock.now()
    seconds = late_guard.may_act_for_seconds(journal.entries, state, now)
    if seconds and late_guard.held_until_ns(journal.entries) is None:
        until_ns = now.wall_ns + round(seconds * NANOSECONDS)
        journal.add(Kind.EVENT, {"what": late_guard.WHAT, "seconds": seconds, "until_wall_ns": until_ns})


def _conclude(
    workspace: WorkspacePaths, paths: RunPaths, journal: _Journal, plan: Plan, reasons: list[str]
) -> dict[str, object]:
    """Result, reports and gap, as far as the journal tells; returns verdict and exit code. What fails is a reason."""
    begun: dict[str, object] = {"effect": Effect.CONCLUDE, "key": "", "attempt": 1}
    journal.add(Kind.INTENT, begun)
    told: dict[str, Any]
    try:
        make_directory(paths)
        files.write_durably(paths.plan, json.dumps(plan.model_dump(mode="json"), sort_keys=True, indent=1))
        evidence = runs.read_evidence(paths.directory, plan, concluded(journal.entries))
        told = concluding.settle(workspace, paths, journal.run, evidence)
    except (DrillmarkError, OSError) as error:
        reasons.append(f"its result could not be written: {error}")
        told = {"status": Status.FAILED, "error": str(error)}
    journal.add(Kind.OUTCOME, begun | {"started": None, "ended": None, "error": ""} | told)
    reasons += [text for text in told.get("reasons", ()) if text not in reasons]
    return {name: told[name] for name in ("verdict", "exit_code") if name in told}


def _refuse_what_needs_proof(row: RunRow, entries: list[Entry]) -> None:
    """Where its rollbacks had succeeded and the fault was there all the same, they would prove nothing now."""
    proof = last(entries, Effect.PROVE_UNDONE)
    if proof is not None and proof.outcome is not None and proof.outcome.data.get("status") == Status.FAILED:
        error = proof.outcome.data.get("error")
        raise UndoFileError(
            f"the fault of run {row.run} was not proved gone, and cannot be from here: {error}",
            hint=f"undo it by hand, then `drillmark resume {row.run} --undone-by-hand NAME`",
        )


def _undo_what_was_left(
    root: Path, store: Store, row: RunRow, entries: list[Entry], state: UndoState, view: View | None, by_hand: str
) -> None:
    """Of a run that had ended with its undo failed: nobody is to have its targets before they are whole."""
    if not by_hand:
        _refuse_what_needs_proof(row, entries)
    journal = _take(store, row, view)
    if by_hand:
        journal.add(Kind.UNDONE, {"experiment": "all", "after_end": True, "proved": False, "by_hand": by_hand})
        journal.nothing_is_left()
        return
    _announce_hold(journal, state)
    _undo(root, row, journal, state)
    late_guard.wait(journal.entries, state)


def _undo(root: Path, row: RunRow, journal: _Journal, state: UndoState) -> None:
    """Run every rollback of what may be in effect. What it says of processes is true on another machine only."""
    if not state.undoables:
        return
    paths = RunPaths(root / ".drillmark" / "taken-over" / row.run)
    make_directory(paths)
    found = last(journal.entries, Effect.UNDO)
    attempt = 1 if found is None else found.attempt + 1
    started = clock.now()
    journal.add(Kind.INTENT, {"effect": Effect.UNDO, "key": "", "attempt": attempt})
    outcomes = undo_all(state.undoables, run_dir=paths.directory)
    bad = failures(outcomes)
    journal.add(
        Kind.OUTCOME,
        {
            "effect": Effect.UNDO, "key": "", "attempt": attempt,
            "status": Status.FAILED if bad else Status.SUCCEEDED, "error": "; ".join(bad),
            "started": started.as_json(), "ended": clock.now().as_json(), "outside": True,
            "rollbacks": [
                {"index": index, "name": one.name, "status": one.status, "error": one.error}
                for index, one in enumerate(outcomes)
            ],
        },
    )  # fmt: skip
    if bad:
        raise UndoFileError(f"the fault of run {row.run} cannot be undone from here: {'; '.join(bad)}")
    journal.add(Kind.UNDONE, {"experiment": "all", "proved": False})
    journal.nothing_is_left()


def _is_undone(entries: list[Entry]) -> bool:
    return any(entry.kind is Kind.UNDONE for entry in entries)


def _told(root: Path, row: RunRow, entries: list[Entry], reason: str) -> RunEnded:
    return replace(read_end(row.run, root / row.directory, entries), reasons=(reason,))
