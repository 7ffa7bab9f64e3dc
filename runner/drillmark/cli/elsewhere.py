"""Ends a run whose folder is on a machine that is lost, for a worker's child and for `drillmark resume`. Wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from drillmark.errors import DrillmarkError, UsageError

if TYPE_CHECKING:
    from drillmark.engine.start import RunEnded
    from drillmark.engine.view import View
    from drillmark.journal.port import RunRow, Store
    from drillmark.model.entry import Entry
    from drillmark.model.plan import Plan


def take_over(root: Path, run: str, *, quiet: bool, by_hand: str = "") -> RunEnded | None:
    """Undo and end a run that still holds its targets, as a worker would; None where it holds none.

    `by_hand` is who undid what an ended run left: nothing is run or asked then.

    Raises RefusedError where somebody has it in hand, UsageError where it had never begun: now it cannot any more.
    """
    from drillmark.cli import everywhere, views
    from drillmark.engine import overtaking
    from drillmark.engine.paths import WorkspacePaths
    from drillmark.journal.opening import open_store

    with everywhere.locked(root, undoes=True) as locks:
        claim = locks.take_up(run) if locks is not None else None
        if claim is None:
            return None
        store = open_store(WorkspacePaths(root))
        try:
            row = next((row for row in store.find(run) if row.run == run), None)
            if row is None:
                overtaking.bar(store, run, claim.drill)
            else:
                entries = store.read(run)
                with views.lines(root, quiet=quiet, before=entries) as view:
                    source, worker = claim.source, claim.worker
                    ended = overtake(
                        root, store, row, entries, source=source, worker=worker, view=view, by_hand=by_hand
                    )
                if ended is not None:
                    return ended
        finally:
            store.close()
    raise UsageError(
        f"run {run} had never begun, and cannot any more; the targets that it held are free",
        hint="start it again: nothing was touched",
    )


def overtake(
    root: Path,
    store: Store,
    row: RunRow,
    entries: Sequence[Entry],
    *,
    source: str,
    worker: str,
    view: View,
    by_hand: str = "",
) -> RunEnded | None:
    """As `overtaking.overtake`, with the run's result where this machine's files make the same plan, else with a gap.

    `source` is the drill's file, `worker` who takes over.
    """
    from drillmark.engine import overtaking
    from drillmark.journal.entries import run_ended

    plan = _same_plan(root, source, entries)
    copy = store.kept_undo(row.run)
    ended = overtaking.overtake(root, store, row, worker=worker, copy=copy, view=view, plan=plan, by_hand=by_hand)
    if ended is None or plan is not None or run_ended(entries) is not None:  # it has a result, elsewhere
        return ended
    return replace(ended, reasons=(*ended.reasons, _gap_without_result(root, source, ended)))


def _same_plan(root: Path, source: str, entries: Sequence[Entry]) -> Plan | None:
    """The run's plan, where this machine's files still make the same one."""
    from drillmark import workspace
    from drillmark.model.digest import digest

    try:
        plan = workspace.load_plan(root / source, root=root)
    except DrillmarkError:
        return None
    return plan if entries and entries[0].data.get("plan_hash") == digest(plan) else None


def _gap_without_result(root: Path, source: str, ended: RunEnded) -> str:
    from drillmark.fleet import gaps

    try:
        reason = f"run {ended.run} has no result: {'; '.join(ended.reasons)}"
        filed = gaps.file_unmeasured(root, source, ended.run, reason)
    except DrillmarkError as error:
        return f"its drill cannot be read here, so it has neither result nor gap: {error}"
    return f"its plan is another here, so it has no result; filed {', '.join(filed)}"
