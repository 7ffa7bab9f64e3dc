"""Whether a run may begin: production, budgets, the stop. What cannot be told is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drillmark.decisions import State, Stop
from drillmark.define import read_settings
from drillmark.errors import UsageError
from drillmark.model.plan import Plan, PlannedWindow
from drillmark.model.planned import PlannedActivity
from drillmark.safety import BudgetFact, Facts, approving, judge, refusals
from drillmark.safety.window import is_open
from safety_builders import NOW, WINDOW, approval, facts, plan, python, refused, settings


def test_nothing_is_refused_where_no_rule_is_stated():
    assert refused(plan()) == []


def test_a_stop_refuses_and_names_who_and_why():
    stop = Stop(1, "Ada", "incident 7", NOW)
    (found,) = refused(plan(), "", facts(stop=stop))
    assert found == "stop: everything was stopped by Ada: incident 7"


def test_decisions_that_cannot_be_read_refuse():
    assert refused(plan(), "", Facts(now=NOW, requester="x", undecided="it is torn")) != []


# --- production ----------------------------------------------------------------------------------------------------

APPROVERS = "approvers: [Ada, Grace]"


def production(**more) -> Plan:
    return plan(environment="production", window=WINDOW, **more)


def test_production_with_window_and_approval_may_begin_and_cites_it():
    of = production()
    held = facts(approvals=(approval(of),))
    assert refused(of, APPROVERS, held) == []
    judged = judge(of, settings(APPROVERS), held)
    assert judged.approval is not None
    assert (judged.approval.entry, judged.approval_wanted) == (1, False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"approvals": ()}, "nobody has approved plan"),
        ({"plan_hash": "f" * 64}, "its plan changed since it was approved by Ada"),
        ({"approver": "Eve"}, "Eve approved it, and is none of the approvers"),
        ({"approver": "grace"}, "grace approved it and wants to run it"),
        ({"drill": "another"}, "nobody has approved plan"),
        ({"expired": True}, "its approval has expired"),
    ],
)
def test_an_approval_that_does_not_fit_is_none(change, reason):
    of = production()
    one = approval(of, **{key: value for key, value in change.items() if key not in ("approvals", "expired")})
    held = facts(approvals=(one,))
    if "approvals" in change:
        held = facts()
    elif "expired" in change:
        held = facts(expired=(one,))
    (found,) = refused(of, APPROVERS, held)
    assert found.startswith("production.approval: ")
    assert reason in found
    assert judge(of, settings(APPROVERS), held).approval is None


def test_nobody_is_an_approver_unless_named():
    of = production()
    assert "none of the approvers" in refused(of, "", facts(approvals=(approval(of),)))[0]


def test_a_run_that_nobody_wants_is_not_approved():
    of = production()
    assert refused(of, APPROVERS, facts(requester="", approvals=(approval(of),))) != []


def test_any_change_of_the_plan_needs_a_new_approval():
    held = facts(approvals=(approval(production()),))
    for changed in (
        production(sources={"scripts/kill.sh": "0" * 64}),
        production(recover=[PlannedActivity(name="r", activity=python())]),
        plan(python(instance_ids=["a"]), environment="production", window=WINDOW),
        plan(environment="production", window=PlannedWindow(opens="00:00", closes="23:59")),
    ):
        assert "its plan changed" in " ".join(refused(changed, APPROVERS, held))


def test_production_needs_a_window_that_is_open():
    of = plan(environment="production")
    assert "has no window" in refused(of, APPROVERS, facts(approvals=(approval(of),)))[0]
    of = production()
    late = facts(now=NOW + timedelta(hours=3), approvals=(approval(of, expires=NOW + timedelta(days=1)),))
    (found,) = refused(of, APPROVERS, late)
    assert found.startswith("production.window: it is Tue 2026-12-01 06:00 UTC, and the window is tue-thu")


def test_touching_production_is_reaching_it():
    of = plan(environment="staging", touched=[{"name": "pay", "environment": "production"}])
    rules = {one.rule for one in refusals(of, settings(APPROVERS), facts())}
    assert rules == {"production.window", "production.approval"}


def test_a_file_that_changed_after_the_plan_was_made_refuses_in_production():
    of = production()
    held = Facts(now=NOW, requester="Grace", decisions=State(approvals=(approval(of),)), changed=("load.py",))
    assert refused(of, APPROVERS, held) == ["plan: load.py was changed after the plan was made"]


@pytest.mark.parametrize(
    ("window", "moment", "expected"),
    [
        (WINDOW, "2026-12-01T02:00", True),
        (WINDOW, "2026-12-01T01:59", False),
        (WINDOW, "2026-12-01T05:00", False),
        (WINDOW, "2026-11-30T03:00", False),
        (PlannedWindow(days="fri", opens="22:00", closes="02:00"), "2026-12-05T01:59", True),
        (PlannedWindow(days="fri", opens="22:00", closes="02:00"), "2026-12-04T01:59", False),
        (PlannedWindow(days="sat-mon", opens="00:00", closes="12:00"), "2026-11-30T11:00", True),
        (PlannedWindow(opens="02:00", closes="05:00", time_zone="Europe/Berlin"), "2026-12-01T01:30", True),
        (PlannedWindow(opens="02:00", closes="05:00", time_zone="Europe/Berlin"), "2026-12-01T04:30", False),
    ],
)
def test_when_a_window_is_open(window, moment, expected):
    assert is_open(window, datetime.fromisoformat(moment).replace(tzinfo=UTC)) is expected


# --- budgets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spent", "problem", "reason"),
    [(0.99, "", ""), (1.0, "", "is spent: 100%"), (3.0, "", "is spent: 300%"), (None, "no data", "cannot be told: no data")],
)  # fmt: skip
def test_a_budget_that_is_spent_or_unknown_refuses(spent, problem, reason):
    fact = BudgetFact("orders", 0.999, 30 * 86400.0, "http://p", spent, problem)
    found = refused(plan(), "", Facts(now=NOW, requester="x", budgets=(fact,)))
    assert bool(found) == bool(reason)
    assert reason in " ".join(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{target: t, slo: 100%}", "between 0% and 100%"),
        ("{target: t, slo: 99.9%, prometheus: {url: 'http://p', query: up}}", "has no range of 30 days"),
        ("{target: t, slo: 99.9%, over: 7d, prometheus: {url: 'http://p', query: 'rate(x[30d])'}}", "no range of 7 days"),
        ("{target: t, slo: 99.9%, too_fast: {rate: 0}}", "more than 0"),
    ],
)  # fmt: skip
def test_a_budget_that_means_nothing_is_told(text, words):
    (found,) = read_settings(f"budgets: [{text}]".encode(), "f").problems
    assert words in str(found)


# --- what counts as a decision -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "approvers", "requester", "words"),
    [
        ("Grace", ["Ada", "Grace"], "grace", "the requester Grace cannot approve it too"),
        ("Eve", ["Ada"], "Grace", "names no approver Eve"),
        ("Ada", [], "Grace", "names no approvers"),
    ],
)
def test_who_may_not_approve(by, approvers, requester, words):
    with pytest.raises(UsageError, match=words) as found:
        approving.approver(by, approvers, requester)
    assert found.value.exit_code == 2
    assert found.value.hint


@pytest.mark.parametrize("text", ["", "soon", "2026-12-01", "2026-12-02T03:00", "2026-12-01T02:59Z", "0s", "99999999d"])
def test_an_expiry_must_be_a_time_to_come(text):
    with pytest.raises(UsageError):
        approving.expiry(text, NOW)


@pytest.mark.parametrize(("text", "hours"), [("2h", 2), ("2026-12-01T06:00+01:00", 2), ("1d", 24)])
def test_an_expiry_is_a_duration_or_a_time(text, hours):
    assert approving.expiry(text, NOW) == NOW + timedelta(hours=hours)


def test_only_who_is_named_lifts_a_stop():
    assert approving.lifter("ada", [], ["Ada"]) == "Ada"
    assert approving.lifter("Lin", ["Lin"], ["Ada"]) == "Lin"
    for lifters, approvers in (([], []), (["Lin"], ["Ada"])):
        with pytest.raises(UsageError):
            approving.lifter("Ada", lifters, approvers)
