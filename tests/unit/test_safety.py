"""Whether a run may begin: blast radius, production, budgets, the stop. What cannot be told is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drillmark.decisions import Approval, State, Stop
from drillmark.define import read_settings, read_targets
from drillmark.errors import UsageError
from drillmark.model.digest import digest
from drillmark.model.plan import Plan, PlannedWindow
from drillmark.model.planned import PlannedActivity, PlannedFault, PlannedHits
from drillmark.model.target import BlastRadius, PlannedScope, PlannedTarget, PlannedTouch
from drillmark.safety import BudgetFact, Facts, approving, judge, refusals
from drillmark.safety.hits import Hit, counted, told_by
from drillmark.safety.reach import said
from drillmark.safety.refusing import counted as refused_by_count
from drillmark.safety.window import is_open

NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)  # a Tuesday
WINDOW = PlannedWindow(days="tue-thu", opens="02:00", closes="05:00")


def settings(text: str = ""):
    parsed = read_settings(text.encode(), "drillmark.yaml")
    assert parsed.problems == []
    return parsed.value


def python(func="lose", module="shutil", kind="action", **arguments):
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"name": func, "type": kind, "provider": provider}


def process(*words):
    return {
        "name": "run",
        "type": "action",
        "provider": {"type": "process", "path": words[0], "arguments": list(words[1:])},
    }


def plan(*method, environment="test", configuration=None, hits=None, **more) -> Plan:
    scope = more.pop("scope", {})
    touched = [PlannedTouch(**one) for one in more.pop("touched", [])]
    target = PlannedTarget(
        name="orders", environment=environment, labels=more.pop("labels", {}), scope=PlannedScope(**scope),
        touched=touched, touches=[one.name for one in touched],
    )  # fmt: skip
    experiment = {"title": "x", "method": list(method or [python()]), "configuration": configuration or {}}
    fault = PlannedFault(
        path="experiments/x.yaml", sha256="", experiment=experiment, actions=[], undos=[],
        hits=PlannedHits(**(hits or {})),
    )  # fmt: skip
    return Plan(drill="d", title="t", owner="o", source="drills/d.yaml", target=target, fault=fault, **more)


def approval(of: Plan, **more) -> Approval:
    fields = {
        "entry": 1, "hash": "h", "drill": of.drill, "run": "", "plan_hash": digest(of), "approver": "Ada",
        "requester": "Grace", "reason": "agreed", "expires": NOW + timedelta(hours=1), "at": NOW,
    }  # fmt: skip
    return Approval(**(fields | more))


def facts(requester="Grace", now=NOW, **more) -> Facts:
    return Facts(now=now, requester=requester, decisions=State(**more))


def refused(of: Plan, rules: str = "", found: Facts | None = None) -> list[str]:
    return [str(one) for one in refusals(of, settings(rules), found or facts())]


def radius(**rules) -> BlastRadius:
    return BlastRadius(**rules)


def test_nothing_is_refused_where_no_rule_is_stated():
    assert refused(plan()) == []


def test_a_plan_reaches_outside_by_its_environment_or_by_what_it_touches():
    rules = "blast_radius: {environments: [lab, staging]}"
    assert refused(plan(environment="lab"), rules) == []
    (found,) = refused(plan(environment="production-eu"), rules)
    assert found == (
        "blast_radius.environments: orders stands in environment production-eu, and drillmark.yaml allows lab, staging"
    )
    (found,) = refused(plan(environment="lab", touched=[{"name": "pay", "environment": "dev"}]), rules)
    assert "pay stands in environment dev" in found
    (found,) = refused(plan(environment="lab", touched=[{"name": "pay"}]), rules)
    assert "pay stands in an environment that nobody can tell" in found


@pytest.mark.parametrize(
    ("activity", "configuration", "reason"),
    [
        (python(ns="orders"), {}, ""),
        (python(ns="payments"), {}, "reaches namespace payments"),
        (python(spec={"metadata": [{"namespace": "payments"}]}), {}, "reaches namespace payments"),
        (python(ns="${ns}"), {"ns": "orders"}, ""),
        (python(ns="${ns}"), {"ns": "payments"}, "reaches namespace payments"),
        (python(ns="${ns}"), {"ns": {"type": "env", "key": "NS", "default": "orders"}}, "known only when it runs"),
        (python(ns="${ns}"), {}, "known only when it runs"),
        (python(ns=""), {}, "is empty"),
        (python(), {}, "what lose reaches cannot be told"),
        (python(module="chaosk8s.pod.actions"), {}, "reaches namespace default"),
        (python(module="chaosk8s.node.actions", name="n1"), {}, "every namespace"),
        (python(module="chaosk8s.chaosmesh.pod.faults", namespaces_selectors="orders,payments"), {}, "payments"),
        (process("kubectl", "-n", "orders", "delete", "pod/x"), {}, ""),
        (process("kubectl", "--namespace=payments", "delete", "pod/x"), {}, "reaches namespace payments"),
        (process("sh", "-c", "kubectl -n payments delete pod/x"), {}, "reaches namespace payments"),
        (process("/usr/bin/kubectl", "delete", "pod/x"), {}, "names no namespace"),
        (process("kubectl", "delete", "pods", "--all", "-A"), {}, "all namespaces"),
        (
            {"name": "r", "type": "action",
             "provider": {"type": "http", "url": "https://k8s/api/v1/namespaces/payments/pods/x"}},
            {}, "reaches namespace payments",
        ),
    ],
)  # fmt: skip
def test_namespaces_are_read_off_activities(activity, configuration, reason):
    found = refused(plan(activity, configuration=configuration), "blast_radius: {namespaces: [orders]}")
    assert bool(found) == bool(reason), found
    assert all(one.startswith("blast_radius.namespaces: ") for one in found)
    assert reason in " ".join(found)


def test_what_an_activity_does_not_say_the_target_does():
    rules = "blast_radius: {namespaces: [orders], accounts: ['1234']}"
    assert refused(plan(scope={"namespaces": ["orders"], "accounts": ["1234"]}), rules) == []
    assert refused(plan(scope={"namespaces": [], "accounts": []}), rules) == []
    found = refused(plan(scope={"namespaces": ["orders", "payments"], "accounts": []}), rules)
    assert found == ["blast_radius.namespaces: orders stands in namespace payments, and drillmark.yaml allows orders"]


def test_also_undo_and_recovery_must_stay_inside_and_probes_only_look():
    rules = "blast_radius: {namespaces: [orders]}"
    away = PlannedActivity(name="away", activity=python("away", ns="payments"))
    look = PlannedActivity(name="look", activity=python("look", kind="probe", ns="payments"))
    inside = python(ns="orders")
    assert "away (recover) reaches namespace payments" in refused(plan(inside, recover=[away]), rules)[0]
    assert refused(plan(inside, recover=[look]), rules) == []
    disguised = python("terminate_pods", "chaosk8s.pod.actions", "probe", ns="payments")
    assert "payments" in " ".join(refused(plan(inside, disguised), rules))


def test_a_reference_is_followed():
    method = [python("first", ns="payments", kind="probe", module="chaosk8s.pod.actions"), {"ref": "first"}]
    assert "payments" in " ".join(refused(plan(*method), "blast_radius: {namespaces: [orders]}"))


def test_accounts_are_read_off_arguments_names_of_resources_and_configuration():
    rules = "blast_radius: {accounts: ['111111111111']}"
    arn = "arn:aws:ec2:eu-west-1:{}:instance/i-1"
    assert refused(plan(python(target=arn.format("1" * 12))), rules) == []
    assert "account 222222222222" in refused(plan(python(target=arn.format("2" * 12))), rules)[0]
    role = {"aws_assume_role_arn": "arn:aws:iam::222222222222:role/chaos"}
    assert "account 222222222222" in refused(plan(configuration=role), rules)[0]
    dynamic = {"aws_assume_role_arn": {"type": "env", "key": "ROLE"}}
    assert "cannot be told" in refused(plan(configuration=dynamic), rules)[0]
    assert "account p" in refused(plan(python(project_id="p")), rules)[0]


@pytest.mark.parametrize(
    ("activity", "reason"),
    [
        (python(label_selector="app=x,team=orders"), ""),
        (python(label_selector="app=x"), "selects by app=x"),
        (python(label_selector="team!=orders"), "selects by no equality"),
        (python(label_selectors={"team": "pay"}, target_label_selectors={"team": "orders"}), "selects by team=pay"),
        (python(label_selectors={"team": "orders"}, target_label_selectors={"team": "pay"}), "selects by team=pay"),
        (python(label_selector="team in (orders)"), "selects by no equality"),
        (python(label_selector="team=${team}"), "known only when it runs"),
        (python(filters=[{"Name": "tag:team", "Values": ["orders"]}]), ""),
        (python(filters=[{"Name": "tag:team", "Values": ["orders", "pay"]}]), "selects by no equality"),
        (python(module="chaosk8s.pod.actions", name_pattern="x.*"), "selects by no label"),
        (python(), ""),
    ],
)
def test_whatever_is_selected_by_labels_is_selected_by_those_too(activity, reason):
    found = refused(plan(activity, labels={"team": "orders"}), "blast_radius: {labels: {team: orders}}")
    assert bool(found) == bool(reason), found
    assert reason in " ".join(found)


def test_targets_must_carry_the_labels():
    rules = "blast_radius: {labels: {team: orders}}"
    assert refused(plan(), rules) == [
        "blast_radius.labels: orders has no label team, and drillmark.yaml allows team=orders"
    ]
    assert "has team=pay" in refused(plan(labels={"team": "pay"}), rules)[0]


PODS = "chaosk8s.pod.actions"


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        (python(module=PODS), Hit(1)),
        (python(module=PODS, qty=3), Hit(3)),
        (python(module=PODS, qty=50, mode="percentage"), Hit(shares=(0.5,))),
        (python(module=PODS, all=True), Hit(shares=(1.0,))),
        (python(module=PODS, qty="${n}"), None),
        (python(module="chaosk8s.chaosmesh.pod.faults", mode="all"), Hit(shares=(1.0,))),
        (python(module="chaosk8s.chaosmesh.pod.faults", mode="fixed", mode_value="2"), Hit(2)),
        (python(instance_ids=["a", "b"]), Hit(2)),
        (python(instance_percent=25), Hit(shares=(0.25,))),
        (python(), None),
        (process("kill"), None),
    ],
)
def test_how_many_instances_an_activity_says_it_hits(activity, expected):
    assert told_by(activity) == expected


@pytest.mark.parametrize(
    ("method", "more", "rules", "reason"),
    [
        ([python(instance_ids=["a"])], {"scope": {"instances": 3}}, "at_once: 1", ""),
        ([python(instance_ids=["a", "b"])], {"scope": {"instances": 3}}, "at_once: 1", "hits 2 of 3 instances at once"),
        ([python("x", instance_id="a"), python("y", instance_id="b")], {}, "at_once: 1", "hits 2 instances at once"),
        ([python(instance_ids=["a"])], {"scope": {"instances": 3}}, "share: 34%", ""),
        ([python(instance_ids=["a"])], {"scope": {"instances": 3}}, "share: 33.33%", ""),
        ([python(instance_ids=["a"])], {"scope": {"instances": 2}}, "share: 34%", "hits 1 of 2 instances (50%)"),
        ([python(instance_ids=["a"])], {}, "share: 34%", "cannot be told"),
        # A tenth of five is half an instance, and half an instance is one.
        ([python(instance_percent=10)], {"scope": {"instances": 5}}, "share: 10%", "hits 1 of 5"),
        ([python()], {}, "at_once: 1", "cannot be told"),
        ([python()], {"scope": {"instances": 1}}, "at_once: 1", ""),
        ([python()], {"scope": {"instances": 4}}, "at_once: 1", "hits 4 of 4"),
        ([python()], {"scope": {"instances": 4}, "hits": {"instances": 1}}, "at_once: 1", ""),
        ([python()], {"scope": {"instances": 4}, "hits": {"share_ratio": 0.5}}, "at_once: 1", "hits 2 of 4"),
    ],
)
def test_share_and_number_of_instances(method, more, rules, reason):
    found = refused(plan(*method, **more), f"blast_radius: {{{rules}}}")
    assert bool(found) == bool(reason), found
    assert reason in " ".join(found)


@pytest.mark.parametrize(
    ("output", "reason"),
    [(3, ""), (["a", "b", "c"], ""), (2, "50%"), (0, "is empty"), ([], "is empty"), ("three", "gave no number"), (None, "gave no number"), (True, "gave no number")],
)  # fmt: skip
def test_instances_that_a_probe_counts(output, reason):
    of = plan(python(instance_ids=["a"]), scope={"counted_by": "count"})
    assert refused(of, "blast_radius: {share: 34%}") == []
    found = refused_by_count(of, settings("blast_radius: {share: 34%}"), counted(output))
    assert bool(found) == bool(reason), found
    assert reason in " ".join(map(str, found))


def test_an_empty_target_is_an_error_without_any_rule():
    (found,) = refused(plan(python(instance_ids=[])))
    assert found == "target: lose selects nothing: its `instance_ids` is empty"
    parsed = read_settings(b"blast_radius: {namespaces: []}", "f")
    assert "a rule that allows nothing" in str(parsed.problems[0])


def test_rules_of_the_drill_hold_beside_those_of_the_workspace():
    of = plan(environment="lab", blast_radius=radius(environments=["staging"]))
    (found,) = refused(of, "blast_radius: {environments: [lab]}")
    assert "and the drill allows staging" in found


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


def test_what_is_said_is_told_apart_from_what_is_not():
    told = said(python(ns="a", account_id="1"), {})
    assert (told.namespaces, told.accounts, told.selectors, told.unclear) == ({"a"}, {"1"}, [], {})


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("{counted_by: cuont}", "`cuont` is none of this target's activities"),
        ("{counted_by: kill}", "`kill` is an action, a probe is needed here"),
        ("{instances: 0}", "a target of 0 instances is empty"),
        ("{instances: 2, counted_by: count}", "contradict each other"),
        ("{counted_by: count}", ""),
    ],
)
def test_the_scope_of_a_target_is_checked(scope, words):
    provider = "provider: {type: python, module: os, func: getcwd}"
    activities = f"[{{name: count, type: probe, {provider}}}, {{name: kill, type: action, {provider}}}]"
    text = f"targets: {{t: {{environment: lab, scope: {scope}, activities: {activities}}}}}"
    problems = read_targets(text.encode(), "targets.yaml").problems
    assert bool(problems) == bool(words)
    assert words in " ".join(map(str, problems))
