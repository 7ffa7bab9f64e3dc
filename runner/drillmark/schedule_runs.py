"""What ran of what is due: for schedulers of others, and for the targets that nobody drilled this quarter.

A run that cannot be read has not passed. Must never start anything.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path

from drillmark import calendar, last_pass, runs, workspace_drills
from drillmark.calendar import Occurrence, explaining, undrilled
from drillmark.calendar.undrilled import Overdue
from drillmark.define import read_drill
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import EXIT_ABORTED, DrillmarkError, InvalidDefinitionError, Problem
from drillmark.fleet import asking
from drillmark.fleet.overdue import Late
from drillmark.gaps.filing import DRILLS
from drillmark.journal.entries import is_proven_pass, run_ended
from drillmark.journal.opening import open_if_there
from drillmark.journal.port import RunRow, Store
from drillmark.model.entry import Kind
from drillmark.model.stamp import NANOSECONDS
from drillmark.model.verdict import Outcome
from drillmark.periods import quarter_of
from drillmark.scheduled import Scheduled, decided, moment
from drillmark.workspace import Workspace

# So many of the newest runs are looked at.
_AMONG = 2000


def not_now(root: Path, scheduled: Scheduled, now: datetime, within: timedelta) -> str:
    """Why another scheduler must not start the drill now, in a sentence; empty where it is due and nobody began it."""
    found = last_due(scheduled, now, within)
    if found is None:
        return f"nothing to run: {calendar.explain(scheduled.schedule, scheduled.name, now, blackouts=scheduled.files)}"
    due = found.due
    there = explaining.when(due, scheduled.schedule)
    shut = calendar.shut_at(scheduled.schedule, now, blackouts=scheduled.files)
    if shut is not None:
        return f"nothing to run: {scheduled.name} was due at {there}, and now is {shut.words}"
    pause = decided(root, now).paused.get(scheduled.name)
    if pause is not None:
        return f"nothing to run: {scheduled.name} was due at {there}, but {pause.words}"
    since = [row for row in runs.every(root) if row.drill == scheduled.name and moment(row.started_wall_ns) >= due]
    began = next((row.run for row in reversed(since) if not _was_refused(root, row)), "")
    return f"nothing to run: {scheduled.name} was due at {there}, and run {began} began since" if began else ""


def last_due(scheduled: Scheduled, now: datetime, within: timedelta) -> Occurrence | None:
    """The newest time at which it was due within that time; by its jitter its start may be still to come."""
    schedule, name, files = scheduled.schedule, scheduled.name, scheduled.files
    found = list(calendar.occurrences(schedule, name, after=now - within, until=now, blackouts=files))
    return found[-1] if found else None


def missed(root: Path) -> list[Late]:
    """The drills whose last time was missed, and that nobody has run to a verdict since, by hand either.

    A drill that is gone is left out.
    """
    found = asking.missed(root)
    there = workspace_drills.standing(root, {one.drill: one.source for one in found})
    found = [one for one in found if one.drill in there]
    store = open_if_there(WorkspacePaths(root)) if found else None
    if store is None:
        return found
    try:
        since = _runs_since(store, found)
    finally:
        store.close()
    return [one for one in found if not any(_has_verdict(root, row) for row in since[one.drill])]


def _runs_since(store: Store, found: list[Late]) -> dict[str, list[RunRow]]:
    """Drill -> its runs since it was missed, whoever started them, as far back as is looked."""
    since: dict[str, list[RunRow]] = {one.drill: [] for one in found}
    missed_ns = {one.drill: one.due_at * NANOSECONDS for one in found}
    for row in store.newest(_AMONG):
        if row.drill in since and row.started_wall_ns >= missed_ns[row.drill]:
            since[row.drill].append(row)
    for one in found:
        known = {row.run for row in since[one.drill]}
        older = (run for run in one.failed_since if run not in known)
        since[one.drill] += [row for run in older for row in store.find(run) if row.run == run]
    return since


def overdue(root: Path, today: date) -> list[Overdue]:
    """The tier-1 targets without a passing drill this quarter, by the journal. Raises InvalidDefinitionError."""
    workspace = Workspace(root)
    targets = workspace.targets.value
    if targets is None:
        raise InvalidDefinitionError(workspace.targets.problems)
    drills: list[tuple[str, str, str]] = []
    for source in workspace.drills():
        data = workspace.files.read(source)
        drill = None if isinstance(data, Problem) else read_drill(data, source).value
        if drill is not None and drill.mode in DRILLS:
            drills.append((drill.id, drill.target, drill.owner))
    tiers = {name: target.tier for name, target in targets.targets.items()}
    return undrilled.overdue(tiers, drills, _passed(root, today), today)


def undrilled_soon(root: Path, today: date) -> dict[str, str]:
    """Of those whose quarter ends soon: each drill, or the target that no drill is for -> the reason."""
    found: dict[str, str] = {}
    for one in overdue(root, today):
        if one.ends_soon:
            reason = f"{one.target} has no passing drill in {one.quarter.name}, which ends on {one.quarter.last}"
            if not one.drills:
                reason += "; there is no drill for it"
            found |= dict.fromkeys(one.drills or (one.target,), reason)
    return found


def _has_verdict(root: Path, row: RunRow) -> bool:
    """Whether it was carried out and told something. One that was aborted may have failed all the same."""
    try:
        end = run_ended(runs.read_entries(root, row))
    except DrillmarkError:
        return False
    if end is None or end.data.get("exit_code") == EXIT_ABORTED:
        return False
    return end.data.get("verdict") in (Outcome.PASSED, Outcome.FAILED)


def _was_refused(root: Path, row: RunRow) -> bool:
    """Whether a rule, or a target that was taken, did not let the run begin: then its time is not used up."""
    with suppress(DrillmarkError):
        return any(each.kind is Kind.ABORT and each.data.get("refused") for each in runs.read_entries(root, row))
    return False


def _passed(root: Path, today: date) -> list[tuple[str, date]]:
    """Target and day of every drill of this quarter that passed. What cannot be read has not passed."""
    first = quarter_of(today).first
    found: list[tuple[str, date]] = []
    for row in runs.every(root):
        day = moment(row.started_wall_ns).date()
        if day < first or not row.drill:
            continue
        try:
            entries = runs.read_entries(root, row)
        except DrillmarkError:
            continue
        then = last_pass.outline_of(root, row, entries) if is_proven_pass(entries) else None
        if then is not None and then.mode in DRILLS:
            found.append((row.target, day))
    return found
