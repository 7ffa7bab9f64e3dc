"""Ends a run whose machine is lost, on another one: from its journal and the copy of its undo file in the database.

Its samples, event log and ledger lie over there. So nothing is gone on with, a fault or a restore least of all: what
may be in effect is undone, and the run has ended unknown. Whoever drove it finds a higher epoch and touches nothing.
Must be called only when that machine's guard has had its time.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from drillmark import clock, undo
from drillmark.chaos.activities import ActivityOutcome
from drillmark.chaos.undo import perform_undoable
from drillmark.engine.early import make_directory
from drillmark.engine.paths import RunPaths
from drillmark.engine.start import RunEnded
from drillmark.engine.view import SilentView, View
from drillmark.errors import EXIT_ABORTED, UndoFileError
from drillmark.journal.entries import last
from drillmark.journal.port import RunRow, Store
from drillmark.model.entry import Effect, Entry, Kind, Status

# The epoch of a run that never began, and is kept from beginning.
_BARRED = 2
NO_COPY = "the database has no copy of what may be in effect: only the guard of the lost machine can have undone it"


def overtake(
    root: Path, store: Store, row: RunRow, *, worker: str, copy: str | None, view: View | None = None
) -> RunEnded | None:
    """Undo what may be in effect, and end the run. None where it had never begun, and now cannot any more.

    `worker` is who takes it over, `copy` the text of the run's undo file, `view` who hears of it. Raises UndoFileError
    where that cannot be undone: the run has not ended then, and this is to be called again. Raises JournalError, and
    StaleEpochError where somebody else was first.
    """
    entries = list(store.read(row.run))
    if not entries:
        store.forget(row.run)
        return None
    ended = next((entry for entry in entries if entry.kind is Kind.RUN_ENDED), None)
    if ended is not None:
        return _told(root, row, str(ended.data.get("verdict", "unknown")), "it had ended before its worker was lost")
    epoch = row.epoch + 1
    store.raise_epoch(row.run, epoch)
    # Whoever drove it may have written until this moment.
    journal = _Journal(store, row.run, epoch, list(store.read(row.run)), view or SilentView())
    absent_from = journal.entries[-1].stamp.as_json()
    reason = "the worker that ran it is lost; another took over"
    journal.add(
        Kind.RESUMED,
        {"epoch": epoch, "absent_from": absent_from, "absent_to": clock.now().as_json(), "taken_over_by": worker},
    )
    journal.add(Kind.ABORT, {"by": "fleet", "reason": reason})
    reasons = [reason]
    if copy is not None:
        _undo(root, row, journal, copy)
    elif last(journal.entries, Effect.INJECT) is not None and not _is_undone(journal.entries):
        reasons.append(NO_COPY)
    journal.add(Kind.RUN_ENDED, {"verdict": "unknown", "exit_code": EXIT_ABORTED, "reasons": reasons})
    return _told(root, row, "unknown", "; ".join(reasons))


def bar(store: Store, run: str, drill: str) -> None:
    """A run that was not registered when its worker was lost cannot be registered any more, however late that wakes up.

    Raises JournalError where it was registered in this very moment: then it is there to be overtaken.
    """
    store.create(RunRow(run, drill, "", f"reports/runs/{run}", _BARRED, clock.now().wall_ns))


class _Journal:
    """Appends to the run's journal, one entry after another."""

    def __init__(self, store: Store, run: str, epoch: int, entries: list[Entry], view: View) -> None:
        self._store, self._run, self._epoch, self._view = store, run, epoch, view
        self.entries = entries

    def add(self, kind: Kind, data: dict[str, object]) -> None:
        self.entries.append(
            self._store.append(
                self.entries[-1], run=self._run, epoch=self._epoch, kind=kind, stamp=clock.now(), data=data
            )
        )
        self._view.entry(self.entries[-1], "")

    def nothing_is_left(self) -> None:
        """For whoever comes back: what was in effect is undone."""
        self._store.keep_undo(self._run, self._epoch, undo.to_text(undo.UndoState(self._run)))


def _undo(root: Path, row: RunRow, journal: _Journal, copy: str) -> None:
    """Run every rollback of what stands in the copy. What it says of processes is true on another machine only."""
    state = replace(undo.from_text(copy), children=())
    if not state.undoables:
        return
    paths = RunPaths(root / ".drillmark" / "taken-over" / row.run)
    make_directory(paths)
    found = last(journal.entries, Effect.UNDO)
    attempt = 1 if found is None else found.attempt + 1
    started = clock.now()
    journal.add(Kind.INTENT, {"effect": Effect.UNDO, "key": "", "attempt": attempt})
    outcomes: list[ActivityOutcome] = []
    for undoable in reversed(state.undoables):
        outcomes += perform_undoable(undoable, set(), run_dir=paths.directory)
    bad = [f"{one.name}: {one.error or one.status}" for one in outcomes if one.status != Status.SUCCEEDED]
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


def _told(root: Path, row: RunRow, verdict: str, reason: str) -> RunEnded:
    return RunEnded(row.run, root / row.directory, verdict, EXIT_ABORTED if verdict == "unknown" else 0, (reason,))
