"""Asks whether the run may begin, and journals the answer: what it rests on, or why it is refused.

Asked before anything is touched, once more when the baseline is over, and when a run is taken up again in which nothing
had begun. Must never weigh anything itself: `safety` judges.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark import places, safety, users
from drillmark.engine.context import Context
from drillmark.engine.interruption import Interrupted
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import DrillmarkError
from drillmark.journal.opening import open_if_there
from drillmark.journal.port import Store
from drillmark.model.digest import digest
from drillmark.model.entry import Kind
from drillmark.model.plan import Plan
from drillmark.safety import facts, hits, refusing
from drillmark.safety.model import Judged, Refusal

if TYPE_CHECKING:
    from drillmark.define.settings import Settings


def who() -> str:
    """Who wants the run, where nobody says it: the user of this process."""
    return users.known() or "somebody"


def look(root: Path, plan: Plan, *, at: datetime | None = None, requester: str | None = None) -> tuple[Refusal, ...]:
    """What would forbid a run of this plan, as things stand, if the user of this process wanted it. Makes nothing.

    `at`: when it would begin, if that is to come: whether its window is open and its approval holds then.
    """
    store = open_if_there(WorkspacePaths(root))
    try:
        return _judged(root, plan, store, who() if requester is None else requester, at).refusals
    finally:
        if store is not None:
            store.close()


def ask(context: Context) -> Judged:
    """Everything that forbids the run to begin."""
    return _judged(context.workspace.root, context.plan, context.store, requester(context))


def _judged(root: Path, plan: Plan, store: Store | None, requester: str, at: datetime | None = None) -> Judged:
    """What cannot be looked up forbids it, too."""
    try:
        settings = _settings(root, plan)
        return safety.judge(plan, settings, facts.gather(root, plan, settings, store, requester, at))
    except DrillmarkError as error:
        return Judged((Refusal("settings", f"the rules cannot be read: {error}", error.hint),))


def may_begin(context: Context) -> bool:
    """Ask, and journal the answer. A refusal is an abort, after which the run winds up."""
    judged = ask(context)
    if judged.approval is not None:
        context.event("approved", **judged.approval.as_json())
    if judged.approval_wanted:
        context.event("approval_wanted", plan_hash=digest(context.plan), requester=requester(context))
    if judged.refusals:
        _journal(context, judged)
    return not judged.refusals


def must_still_hold(context: Context) -> None:
    """Raises Interrupted where the run may not begin any more: what it rests on may have ended meanwhile."""
    judged = ask(context)
    if judged.refusals:
        raise Interrupted("runner", f"it may not begin any more: {'; '.join(map(str, judged.refusals))}")


def refused_by_count(context: Context, output: Any) -> str:
    """Why the fault may not be injected into a target of so many instances; empty where it may."""
    try:
        settings = _settings(context.workspace.root, context.plan)
    except DrillmarkError as error:
        return f"the rules cannot be read: {error}"
    return "; ".join(map(str, refusing.counted(context.plan, settings, hits.counted(output))))


def requester(context: Context) -> str:
    """Who wanted the run, as its first entry says."""
    return str(context.entries[0].data.get("requester", "")) if context.entries else ""


def _journal(context: Context, judged: Judged) -> None:
    reason = "; ".join(map(str, judged.refusals))
    told = [{"rule": one.rule, "words": one.words, "hint": one.hint} for one in judged.refusals]
    context.journal(Kind.ABORT, {"by": "runner", "reason": reason, "refused": True, "refusals": told}, sentence=reason)


def _settings(root: Path, plan: Plan) -> Settings | None:
    """The workspace's settings, as they are now; None where there is no workspace."""
    if not (root / places.SETTINGS).is_file():
        return None
    from drillmark import workspace  # noqa: PLC0415 - whoever has none does not wait for it

    return workspace.load_settings(root, plan.target.environment)
