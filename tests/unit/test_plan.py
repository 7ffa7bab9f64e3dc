"""Drill to plan: references resolved, defaults filled in, and a hash that means the same everywhere."""

from __future__ import annotations

import hashlib
import json

import pytest

from define_builders import EXPERIMENT, FULL_DRILL, MINIMAL_DRILL, TARGETS, with_line
from drillmark import plan as planning
from drillmark.define import read_drill
from drillmark.errors import InvalidDefinitionError
from drillmark.model.plan import Plan
from drillmark.model.planned import PlannedActivity
from plan_builders import PATH, checked, make


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_no_plan_holds_a_number_that_json_does_not_know(number):
    read = PlannedActivity.model_validate_json(f'{{"name": "x", "activity": {{"arguments": [{{"limit": {number}}}]}}}}')
    with pytest.raises(ValueError, match="cannot stand in JSON"):
        read.model_dump(mode="json")
    fine = PlannedActivity(name="x", activity={"arguments": [{"limit": 0.5}]})
    assert fine.model_dump(mode="json")["activity"] == fine.activity


def test_the_minimal_drill_takes_everything_from_its_target():
    plan = make()
    assert (plan.drill, plan.source, plan.mode) == ("orders-db-lost", "drills/d.yaml", "drill")
    assert plan.target.environment == "lab"
    assert plan.target.touches == ["orders-api"]
    assert [item.name for item in plan.probes.activities] == ["order-read", "order-write"]
    assert (plan.probes.every_seconds, plan.probes.timeout_seconds) == (0.1, 2.0)
    assert [(one.secrets, one.every_seconds, one.writers) for one in plan.markers] == [("orders-db", 0.01, 4)]
    assert [item.name for item in plan.recover] == ["fence", "restore-latest", "switch-over"]
    assert [item.name for item in plan.verify] == ["rows-match-orders"]
    assert [item.name for item in plan.preflight] == ["restorable"]
    assert plan.identity.name == "same-cluster"
    assert plan.fault.effect.name == "db-was-restarted"
    assert (plan.fault.actions, plan.fault.undos) == (["lose-host"], ["bring-host-back"])
    assert plan.fault.lease_seconds == 30
    assert plan.fault.sha256 == "ab"
    assert plan.recovers
    assert (plan.gap_due_days.high, plan.gap_due_days.medium, plan.gap_due_days.low) == (7, 30, 90)
    assert plan.secrets == {"orders-db": {"dsn": {"type": "env", "key": "ORDERS_DSN"}}}


def test_defaults_of_objectives_and_phases():
    plan = make()
    assert (plan.objectives.rto_seconds, plan.objectives.rto_stated) == (14400, False)
    assert (plan.objectives.rpo_seconds, plan.objectives.rpo_stated) == (3600, False)
    assert plan.phases.recover_deadline_seconds == 28800
    assert plan.phases.verify_deadline_seconds == 1800


def test_what_the_drill_states_is_laid_over():
    plan = make(FULL_DRILL)
    assert (plan.objectives.rto_seconds, plan.objectives.rto_stated, plan.objectives.rpo_stated) == (14400, True, True)
    assert plan.objectives.slo.latency.p95_seconds == 0.2
    assert plan.objectives.slo.availability_ratio == 0.999
    assert plan.risk.impact == "high"
    assert plan.load.users == 20
    assert plan.recover[3].activity["provider"]["method"] == "POST"
    assert plan.guards[0].fails_for_seconds == 10
    assert plan.markers[0].writers == 4


def test_the_recovery_may_take_twice_its_objective():
    drill = with_line(MINIMAL_DRILL, "schedule: {every: quarter}", "objectives: {rto: 10s}")
    assert make(drill).phases.recover_deadline_seconds == 20


def test_stating_the_default_is_stating_it():
    drill = with_line(MINIMAL_DRILL, "schedule: {every: quarter}", "objectives: {rto: 4h, rpo: 0s}")
    objectives = make(drill).objectives
    assert objectives.rto_stated
    assert (objectives.rpo_seconds, objectives.rpo_stated) == (0, True)


def test_arguments_are_laid_over_the_targets_own():
    plan = make(FULL_DRILL)
    restore = plan.recover[1]
    assert restore.activity["provider"]["arguments"] == {"to": "latest", "jobs": 2}
    assert restore.repeatable
    # The target's own are as they were.
    assert make().recover[1].activity["provider"]["arguments"] == {"to": "latest", "jobs": 1}


def test_repeatable_comes_from_the_target_unless_the_drill_says_otherwise():
    assert make().recover[1].repeatable
    drill = with_line(MINIMAL_DRILL, "{ref: restore-latest}", "{ref: restore-latest, repeatable: false}")
    assert not make(drill).recover[1].repeatable


def test_repeatable_is_ours_and_not_chaos_toolkits():
    assert "repeatable" not in make().recover[1].activity


def test_timeouts_that_are_enforced_from_outside():
    plan = make(with_line(MINIMAL_DRILL, "{ref: restore-latest}", "{ref: restore-latest, timeout: 10m}"))
    fence, restore, switch_over = plan.recover
    assert fence.timeout_seconds == 30  # of a Python activity, which Chaos Toolkit does not enforce
    assert restore.timeout_seconds == 600
    assert switch_over.timeout_seconds == 15  # of a process: a little after Chaos Toolkit's own
    assert plan.probes.activities[0].timeout_seconds is None  # of a request: for each read only


def test_a_drill_of_its_own_verification_and_probes():
    drill = (
        MINIMAL_DRILL
        + "verify: [{ref: same-cluster}]\nobserve: {probes: {every: 1s, use: [{ref: order-read}]}, markers: {writers: 1}}\n"
    )
    plan = make(drill)
    assert [item.name for item in plan.verify] == ["same-cluster"]
    assert [item.name for item in plan.probes.activities] == ["order-read"]
    assert (plan.probes.every_seconds, plan.probes.timeout_seconds) == (1, 2)
    assert [(one.writers, one.every_seconds) for one in plan.markers] == [(1, 0.01)]


def test_settings_come_into_the_plan():
    plan = make(settings="gaps: {due: {high: 36h, low: 1h}}\nguard: {lease: 5s}\n")
    assert (plan.gap_due_days.high, plan.gap_due_days.low) == (2, 1)
    assert plan.fault.lease_seconds == 5


SIDE = """    side: [order-read]
    source: order-read
    discard: fence
"""
SIMULATED = with_line(MINIMAL_DRILL, PATH, "simulated")


def with_side(targets: str = TARGETS) -> str:
    before, after = targets.split("    probes: ", 1)
    before = before.replace("secrets: orders-db}", "secrets: orders-db, side: orders-db}")
    return before + SIDE + "    probes: " + after


def test_a_simulated_disaster_has_no_fault():
    plan = make(SIMULATED, with_side(), experiment="")
    assert plan.fault is None
    assert plan.simulated
    assert plan.undos == ["fence"]
    assert plan.verify == [], "the target's own verification looks at production"
    undone_by = plan.undone_by
    assert undone_by is not None
    assert [one["name"] for one in undone_by["rollbacks"]] == ["fence"]
    assert undone_by["secrets"] == plan.secrets, "references, so that the guard can take the copy away"
    assert [one.name for one in plan.simulation.probes.activities] == ["order-read"]


def test_whose_data_it_is_a_copy_is_asked_by_a_probe_of_its_own():
    own = with_side()
    assert make(targets=own).whose.name == make(targets=own).identity.name == "same-cluster"
    assert make(SIMULATED, own, experiment="").whose is None, "what asks production says nothing of a copy"
    copied = own.replace("    identity: ", "    side_identity: order-read\n    identity: ", 1)
    assert make(SIMULATED, copied, experiment="").whose.name == "order-read"


def test_what_a_simulated_disaster_needs_of_its_target():
    problems, warnings = checked(SIMULATED, experiment="")
    told = "\n".join(problems)
    for key in ("side", "source", "discard", "markers.side"):
        assert f"d.yaml:5:8: the target `orders-db` has no `{key}`" in told
    assert any("the drill has no `verify`" in warning for warning in warnings)
    detect = with_line(SIMULATED, "schedule: {every: quarter}", "phases: {detect: 5m}")
    assert "d.yaml:8:18: a simulated disaster is not detected" in str(read_drill(detect.encode(), "d.yaml").problems[0])
    problems, _ = checked(SIMULATED, with_side(), experiment="")
    assert problems == []


def test_positions_are_laid_over_the_targets_own():
    own = TARGETS.replace("    probes: ", "    positions: {secrets: orders-db, every: 1s}\n    probes: ", 1)
    assert make(targets=own).positions.every_seconds == 1
    faster = with_line(MINIMAL_DRILL, "schedule: {every: quarter}", "observe: {positions: {every: 50ms}}")
    assert make(faster, own).positions.every_seconds == 0.05
    problems, _ = checked(faster)
    assert "the target `orders-db` has no log positions" in problems[0]


def test_what_cannot_be_resolved_is_an_error():
    with pytest.raises(InvalidDefinitionError, match="the target has no activity `fnce`"):
        make(with_line(MINIMAL_DRILL, "{ref: fence}", "{ref: fnce}"))
    with pytest.raises(InvalidDefinitionError, match="could not be read"):
        make(experiment="")
    with pytest.raises(InvalidDefinitionError, match="there is no target `orders`"):
        make(with_line(MINIMAL_DRILL, "target: orders-db", "target: orders"))


def test_the_hash_is_that_of_the_canonical_json():
    plan = make(FULL_DRILL)
    text = planning.canonical_json(plan)
    assert planning.digest(plan) == hashlib.sha256(text).hexdigest()
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == text


def test_a_plan_read_back_from_its_file_has_the_same_hash():
    plan = make(FULL_DRILL)
    again = Plan.model_validate_json(planning.canonical_json(plan))
    assert again == plan
    assert planning.digest(again) == planning.digest(plan)


def test_the_hash_does_not_depend_on_the_order_of_keys():
    lines = MINIMAL_DRILL.splitlines()
    assert planning.digest(make("\n".join(reversed(lines)))) == planning.digest(make())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: The", "title: An"),
        ("owner: team-orders", "owner: us"),
        ("{ref: fence}, ", ""),
        ("{every: quarter}", "{every: year}\nphases: {soak: 61s}"),
    ],
)
def test_the_hash_changes_with_the_drill(old, new):
    assert planning.digest(make(with_line(MINIMAL_DRILL, old, new))) != planning.digest(make())


def test_the_hash_changes_with_the_experiment_and_the_target():
    assert planning.digest(make(experiment=with_line(EXPERIMENT, "Its host", "The host"))) != planning.digest(make())
    assert planning.digest(make(targets=with_line(TARGETS, "jobs: 1", "jobs: 3"))) != planning.digest(make())
