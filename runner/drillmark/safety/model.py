"""What is judged and what comes of it: facts that were looked up, and refusals. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from drillmark.decisions.state import Approval, State


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a run may not begin. `rule` names what forbids it, for machines and for searching."""

    rule: str
    words: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.words}"


@dataclass(frozen=True, slots=True)
class BudgetFact:
    """One error budget at this moment.

    Attributes:
        target: whose budget it is.
        spent_ratio: how much of it is spent, 1 is all; None where nobody could tell.
        problem: why nobody could.
    """

    target: str
    slo_ratio: float
    over_seconds: float
    source: str
    spent_ratio: float | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when a run is about to begin.

    Attributes:
        now: with a time zone.
        requester: who wants the run.
        decisions: what people decided, and holds.
        undecided: why the decisions could not be read; empty where they could.
        budgets: every budget that the plan's target has.
        changed: files that the plan was made of and that are not as they were.
    """

    now: datetime
    requester: str
    decisions: State = field(default_factory=State)
    undecided: str = ""
    budgets: tuple[BudgetFact, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of it: nothing may begin while there are refusals. `approval` is what the run rests on, if on one."""

    refusals: tuple[Refusal, ...]
    approval: Approval | None = None
    approval_wanted: bool = False
