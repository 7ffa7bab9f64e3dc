"""How far a plan reaches, and whether that lies within its blast radius. What cannot be told is refused."""

from __future__ import annotations

import pytest

from drillmark.define import read_settings, read_targets
from drillmark.model.planned import PlannedActivity
from drillmark.safety.hits import Hit, counted, told_by
from drillmark.safety.reach import said
from drillmark.safety.refusing import counted as refused_by_count
from safety_builders import plan, process, python, radius, refused, settings


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
