"""Writes down what a person decides: approve a plan, withdraw that, stop everything, lift the stop.

What counts and what does not is `safety.approving`'s to say; here definitions, runs and decisions are looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drillmark import decisions, runs, workspace
from drillmark.decisions import Approval, State
from drillmark.define.nearest import hint_for
from drillmark.engine import aborting
from drillmark.engine.aborting import Asked
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import DrillmarkError, InvalidDefinitionError, UsageError
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.digest import digest
from drillmark.model.entry import Entry, Kind
from drillmark.safety import approving
from drillmark.safety.facts import moment
from drillmark.safety.refusing import in_production

# So many of the newest runs are looked through for who asked.
_ASKED_AMONG = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be approved. `needed`: whether it reaches production; `environment`: where its target stands."""

    drill: str
    run: str
    plan_hash: str
    requester: str
    needed: bool
    environment: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop did. `problem`: why it does not stand in the journal store, where it does not.

    Every run hears a stop that stands there, wherever it is; those that are here are asked in their folders too.
    """

    asked: Asked
    problem: str = ""


def state(root: Path) -> State:
    """What people decided, and holds now."""
    store = open_store(WorkspacePaths(root))
    try:
        return decisions.state(decisions.read(store), moment())
    finally:
        store.close()


def wanted(root: Path, what: str, requester: str | None) -> Wanted:
    """The plan that is meant: of a drill as it stands in its file by now, or of a run as it wanted it."""
    source = _drill_source(root, what)
    if source is None:
        return _of_run(root, _run(root, what), requester)
    # What Chaos Toolkit says against it is told by `validate`, and when it is run; it makes no other plan.
    checked = workspace.Workspace(root, ask=lambda _experiments, _activities: ({}, {})).check(source)
    if checked.plan is None:
        raise InvalidDefinitionError(checked.problems)
    plan, hash_ = checked.plan, digest(checked.plan)
    run, asked = _who_asked(root, plan.drill, hash_)
    return Wanted(
        plan.drill, run, hash_, requester or asked or plan.owner, in_production(plan), plan.target.environment
    )


def approve(root: Path, meant: Wanted, *, by: str | None, reason: str | None, expires: str | None) -> Approval:
    """Approve a plan. Raises UsageError where that does not count; nothing is decided then."""
    name, why = approving.text(by, "--by"), approving.text(reason, "--reason")
    until = approving.expiry(expires, moment())
    # Whom the run itself will ask for: with the overlay of the environment in which the target stands.
    approvers = workspace.load_settings(root, meant.environment).approvers
    approver = approving.approver(name, approvers, meant.requester)
    data = approving.approval(
        drill=meant.drill, run=meant.run, plan_hash=meant.plan_hash, approver=approver, requester=meant.requester,
        reason=why, expires=until,
    )  # fmt: skip
    entry = _append(root, Kind.APPROVAL, data)
    found = next((one for one in state(root).approvals if one.entry == entry.sequence), None)
    if found is None:
        raise DrillmarkError("the approval was written, and does not hold: was it withdrawn at the same moment?")
    return found


def withdraw(root: Path, what: str, *, by: str | None, reason: str | None) -> list[Approval]:
    """Withdraw every approval of a drill, or of the plan of a run. Anybody may. Raises UsageError: there is none."""
    name, why = approving.text(by, "--by"), approving.text(reason, "--reason")
    held = state(root).approvals
    mine = [one for one in held if what in (one.drill, one.run)]
    if not mine:
        # A drill whose file is gone or wrong may be withdrawn all the same; so its id was looked for first.
        source = _drill_source(root, what)
        drill = _id_of(root, source) if source else ""
        hash_ = "" if source else _of_run(root, _run(root, what), "-").plan_hash
        mine = [one for one in held if one.drill == drill or one.plan_hash == hash_]
    if not mine:
        raise UsageError(f"nothing is approved of {what}", hint="`drillmark approve` lists what is")
    for one in mine:
        _append(root, Kind.APPROVAL_WITHDRAWN, {"entry": one.entry, "by": name, "reason": why})
    return mine


def stop(root: Path, *, by: str | None, reason: str | None) -> Stopped:
    """Stop everything: no run begins, and those that go on stop. Also where the journal cannot be written."""
    name, why = approving.text(by, "--by"), approving.text(reason, "--reason")
    problem = ""
    try:
        _append(root, Kind.STOP, {"by": name, "reason": why})
    except DrillmarkError as error:
        problem = str(error)
    words = f"everything was stopped by {name}: {why}"
    return Stopped(aborting.ask_all(root, by="stop", reason=words), problem)


def lift(root: Path, *, by: str | None, reason: str | None) -> None:
    """Lift the stop. Raises UsageError where nothing is stopped, or whoever wants it may not."""
    name, why = approving.text(by, "--by"), approving.text(reason, "--reason")
    settings = workspace.load_settings(root)
    found = approving.lifter(name, settings.lifters, settings.approvers)
    if state(root).stop is None:
        raise UsageError("nothing is stopped")
    _append(root, Kind.STOP_LIFTED, {"by": found, "reason": why})


def _append(root: Path, kind: Kind, data: dict[str, object]) -> Entry:
    store = open_store(WorkspacePaths(root))
    try:
        return decisions.append(store, kind, data)
    finally:
        store.close()


def _drill_source(root: Path, what: str) -> str | None:
    """The file of a drill, by its path or its id; None where there is none."""
    known = workspace.Workspace(root)
    try:
        return known.drill_source(what)
    except UsageError:
        return next((source for source in known.drills() if _id_of(root, source) == what), None)


def _id_of(root: Path, source: str) -> str:
    from drillmark.define import read_drill  # noqa: PLC0415

    raw = read_drill((root / source).read_bytes(), source).raw
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) else ""


def _run(root: Path, what: str) -> RunRow:
    try:
        return runs.find(root, what)
    except UsageError as error:
        known = [_id_of(root, source) for source in workspace.Workspace(root).drills()]
        raise UsageError(f"there is no drill {what}, and {error}", hint=hint_for(what, known, what="drills")) from error


def _of_run(root: Path, row: RunRow, requester: str | None) -> Wanted:
    plan = runs.read_plan(root / row.directory)
    asked = requester or _requester(root, row)
    if not asked:
        raise UsageError(f"nobody knows who wanted run {row.run}", hint="--requester NAME says it")
    return Wanted(plan.drill, row.run, digest(plan), asked, in_production(plan), plan.target.environment)


def _who_asked(root: Path, drill: str, plan_hash: str) -> tuple[str, str]:
    """The newest run that wanted this plan and did not get it, and who wanted it; empty where none did."""
    store = open_store(WorkspacePaths(root))
    try:
        for row in store.newest(_ASKED_AMONG):
            if row.drill == drill:
                started, *rest = store.read(row.run) or (None,)
                if started is not None and started.data.get("plan_hash") == plan_hash:
                    if any(entry.data.get("what") == "approval_wanted" for entry in rest):
                        return row.run, str(started.data.get("requester", ""))
                    return "", ""
    finally:
        store.close()
    return "", ""


def _requester(root: Path, row: RunRow) -> str:
    entries = runs.read_entries(root, row)
    return str(entries[0].data.get("requester", "")) if entries else ""
