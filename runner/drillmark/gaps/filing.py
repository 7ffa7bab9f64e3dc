"""Which gaps a run opens, updates and closes. Pure: the register's gaps and a verdict in, gaps out.

Must never read a clock or a file: the day is handed in. A fingerprint stands for one gap whatever run sees it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from drillmark.errors import UsageError
from drillmark.gaps import advice
from drillmark.model.gap import Gap, Occurrence
from drillmark.model.plan import Plan
from drillmark.model.verdict import Judged, Outcome, Verdict
from drillmark.report import words

KindOfGap = Literal["missed", "unmeasured", "failed", "undetected"]
Severity = Literal["high", "medium", "low"]

DRILLS = frozenset({"drill", "gameday"})
_LEVEL = {"low": 1, "medium": 2, "high": 3}
_SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high")
_HIGH_FROM = 6
_MEDIUM_FROM = 3
# What is worse than a number missed: data that cannot be trusted, and a fault that stays.
_GRAVE = frozenset({"undo", "integrity"})
_RUN_STARTED = re.compile(r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-")
# Conditions that every passing run has met, whether or not its verdict lists them.
_CONDITIONS = frozenset({"undo", "actions", "verification", "steady_state", "preflight", "integrity", "fault", "run"})


@dataclass(frozen=True, slots=True)
class Filing:
    """What one run changes in the register: the new text of each gap it touches."""

    opened: tuple[Gap, ...] = ()
    updated: tuple[Gap, ...] = ()
    closed: tuple[Gap, ...] = ()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All gaps touched: those that stand open first."""
        return (*self.opened, *self.updated, *self.closed)


def fingerprint(drill: str, target: str, objective: str, kind: str) -> str:
    """SHA-256 (hex) of what makes a gap the same gap in every run."""
    text = json.dumps([drill, target, objective, kind], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def decide(plan: Plan, run: str, verdict: Verdict, known: list[Gap], today: date) -> Filing:
    """What this run does to the register. The same run again gives the same register."""
    if verdict.refused:
        return Filing()  # nothing ran: nothing is known, better or worse
    by_fingerprint = {gap.fingerprint: gap for gap in known}
    opened: list[Gap] = []
    updated: list[Gap] = []
    for judged in verdict.judged:
        kind = kind_of(judged)
        if kind is None:
            continue
        old = by_fingerprint.get(fingerprint(plan.drill, plan.target.name, judged.name, kind))
        gap = _opened(plan, run, judged, kind, today) if old is None else _updated(old, plan, run, judged, kind, today)
        (opened if old is None else updated).append(gap)
    return Filing(tuple(opened), tuple(updated), _closed(plan, run, verdict, known))


def amended(known: list[Gap], name: str, change: dict[str, str]) -> Gap:
    """The open gap of that id, with another `owner`, `due` or both. Raises UsageError where it is not one gap."""
    found = [gap for gap in known if gap.id == name and gap.state == "open"]
    if not found:
        closed = any(gap.id == name for gap in known)
        raise UsageError(
            f"{name} is closed" if closed else f"there is no gap {name}", hint="see `drillmark gaps --all`"
        )
    if len(found) > 1:
        raise UsageError(f"{len(found)} gaps are called {name}", hint="edit the file that is meant")
    return found[0].model_copy(update=change)


def kind_of(judged: Judged) -> KindOfGap | None:
    """The kind of gap that a verdict on one objective is, or None."""
    if judged.outcome is Outcome.UNKNOWN:
        return "unmeasured"
    if judged.outcome is Outcome.FAILED:
        if judged.name == "time_to_detect" and (judged.observed is None or judged.observed.hi is None):
            return "undetected"
        return "failed" if judged.objective is None else "missed"
    return None


def severity_of(plan: Plan, judged: Judged, kind: KindOfGap) -> Severity:
    """Likelihood times impact; one step up for what is grave, one step down for what is only not known."""
    product = _LEVEL[plan.risk.likelihood] * _LEVEL[plan.risk.impact]
    step = 2 if product >= _HIGH_FROM else 1 if product >= _MEDIUM_FROM else 0
    if kind == "unmeasured":
        step -= 1
    elif judged.name in _GRAVE:
        step += 1
    return _SEVERITIES[min(2, max(0, step))]


def due(plan: Plan, severity: Severity, today: date) -> str:
    """The day by which the gap is to be closed, ISO."""
    return (today + timedelta(days=getattr(plan.gap_due_days, severity))).isoformat()


def _opened(plan: Plan, run: str, judged: Judged, kind: KindOfGap, today: date) -> Gap:
    mark = fingerprint(plan.drill, plan.target.name, judged.name, kind)
    severity = severity_of(plan, judged, kind)
    return Gap(
        id=f"GAP-{mark[:8]}",
        fingerprint=mark,
        drill=plan.drill,
        target=plan.target.name,
        objective=judged.name,
        kind=kind,
        severity=severity,
        title=_title(plan, judged, kind),
        objective_value=_objective(judged),
        observed=_observed(judged),
        recommendation=advice.recommend(judged, kind),
        owner=plan.owner,
        due=due(plan, severity, today),
        state="open",
        opened_by=run,
        risk=plan.risk.model_dump(mode="json", exclude_none=True),
        occurrences=[_occurrence(run, judged, today)],
    )


def _updated(old: Gap, plan: Plan, run: str, judged: Judged, kind: KindOfGap, today: date) -> Gap:
    fresh = _opened(plan, run, judged, kind, today)
    others = [seen for seen in old.occurrences if seen.run != run]
    # Filing the same run again must not reopen what a later retest closed since.
    seen_before = len(others) < len(old.occurrences)
    reopened = old.state == "closed" and not seen_before
    return fresh.model_copy(
        update={
            "id": old.id,
            "owner": old.owner,  # may have been set by hand, as may the day it is due
            "due": fresh.due if reopened else old.due,
            "state": "open" if reopened else old.state,
            "closed_by": None if reopened else old.closed_by,
            "opened_by": old.opened_by,
            "occurrences": sorted([*others, *fresh.occurrences], key=lambda seen: (seen.at, seen.run)),
        }
    )


def _closed(plan: Plan, run: str, verdict: Verdict, known: list[Gap]) -> tuple[Gap, ...]:
    # Only a run that passed as a whole is a passing retest: the auditor who looks it up reads "passed".
    if verdict.aborted or verdict.outcome is not Outcome.PASSED:
        return ()
    return tuple(
        gap.model_copy(update={"state": "closed", "closed_by": run})
        for gap in known
        if (gap.state == "open" or gap.closed_by == run)
        and (
            _is_drilled(plan, gap)
            or ((gap.drill, gap.target) == (plan.drill, plan.target.name) and _met(verdict, gap.objective))
        )
    )


def _is_drilled(plan: Plan, gap: Gap) -> bool:
    """Whether any passing drill of that target closes the gap: it says that there was none. A check is no drill."""
    return gap.kind == "overdue" and gap.target == plan.target.name and plan.mode in DRILLS


def _met(verdict: Verdict, objective: str) -> bool:
    judged = verdict.of(objective)
    return objective in _CONDITIONS if judged is None else judged.outcome is Outcome.PASSED


def _occurrence(run: str, judged: Judged, today: date) -> Occurrence:
    started = _RUN_STARTED.match(run)
    year, month, day, hour, minute, second = started.groups() if started else ("",) * 6
    at = f"{year}-{month}-{day}T{hour}:{minute}:{second}Z" if started else today.isoformat()
    evidence = [f"journal entry {number}" for number in judged.cited.entries] + list(judged.cited.samples)
    return Occurrence(run=run, at=at, observed=_observed(judged), evidence=evidence)


def _title(plan: Plan, judged: Judged, kind: KindOfGap) -> str:
    name = words.objective(judged.name)
    if kind == "unmeasured":
        return f"{plan.target.name}: {name} could not be measured"
    if kind == "missed":
        return f"{plan.target.name}: {name} missed"
    if kind == "undetected":
        return f"{plan.target.name}: the disaster was not detected"
    return f"{plan.target.name}: {name} failed"


def _objective(judged: Judged) -> str:
    return "must hold" if judged.objective is None else words.quantity(judged.objective, judged.unit)


def _observed(judged: Judged) -> str:
    if judged.observed is None:
        return words.harmless(judged.reason) or "not measured"
    text = words.observed(judged.observed, judged.unit)
    return f"{text}; {words.harmless(judged.reason)}" if judged.reason else text
