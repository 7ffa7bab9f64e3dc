"""Looks up what is judged when a run is about to begin: decisions, budgets, files that changed. Judges nothing.

What cannot be looked up is told as such in the facts: it is a refusal then, never a pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drillmark import clock, decisions
from drillmark.errors import DrillmarkError
from drillmark.journal.port import Store
from drillmark.model.plan import Plan
from drillmark.model.stamp import NANOSECONDS
from drillmark.safety.model import BudgetFact, Facts

if TYPE_CHECKING:
    from drillmark.define.settings import Settings


def gather(
    root: Path,
    plan: Plan,
    settings: Settings | None,
    store: Store | None,
    requester: str,
    at: datetime | None = None,
) -> Facts:
    """Everything that is judged, at this moment unless `at` is given. `store` None: no journal, so nobody decided."""
    now = at or moment()
    state, undecided = decisions.State(), ""
    try:
        state = decisions.state(() if store is None else decisions.read(store), now)
    except DrillmarkError as error:
        undecided = str(error)
    return Facts(
        now=now,
        requester=requester,
        decisions=state,
        undecided=undecided,
        budgets=_budgets(plan, settings, store),
        changed=tuple(_changed(root, plan)),
    )


def moment() -> datetime:
    """Now, with its zone."""
    return datetime.fromtimestamp(clock.now().wall_ns / NANOSECONDS, tz=UTC)


def _budgets(plan: Plan, settings: Settings | None, store: Store | None) -> tuple[BudgetFact, ...]:
    mine = [one for one in settings.budgets if one.target == plan.target.name] if settings and not plan.bare else []
    if not mine:
        return ()
    from drillmark.safety import budgets  # noqa: PLC0415 - only where there are any

    return tuple(budgets.look(store, budget) for budget in mine)


def _changed(root: Path, plan: Plan) -> Iterator[str]:
    """Files that the plan was made of, and that are not what they were."""
    for path, planned in plan.sources.items():
        try:
            found = hashlib.sha256((root / path).read_bytes()).hexdigest()
        except OSError:
            found = ""
        if found != planned:
            yield path
