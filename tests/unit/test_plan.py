"""Drill to plan: references resolved, defaults filled in, and a hash that means the same everywhere."""

from __future__ import annotations

import hashlib
import json

import pytest

from define_builders import EXPERIMENT, FULL_DRILL, MINIMAL_DRILL, TARGETS, with_line
from drillmark import plan as planning
from drillmark.define import read_drill, read_experiment, read_settings, read_targets
from drillmark.errors import InvalidDefinitionError
from drillmark.model.plan import Plan

PATH = "experiments/orders-db-lost.yaml"


def parts(drill: str = MINIMAL_DRILL, targets: str = TARGETS, experiment: str = EXPERIMENT):
    return (
        read_drill(drill.encode(), "d.yaml"),
        read_targets(targets.encode(), "t.yaml"),
        read_experiment(experiment.encode(), PATH),
    )


def make(
    drill: str = MINIMAL_DRILL, targets: str = TARGETS, settings: str = "", experiment: str = EXPERIMENT, **changes
) -> Plan:
    read, of, its = parts(drill, targets, experiment)
    assert read.value is not None, read.problems
    assert of.value is not None, of.problems
    given = {"source": "drills/d.yaml", "experiment": its, "sources": {PATH: "ab"}} | changes
    return planning.make(read.value, of.value, read_settings(settings.encode(), "s.yaml").value, **given)


def checked(
    drill: str = MINIMAL_DRILL, targets: str = TARGETS, experiment: str = EXPERIMENT
) -> tuple[list[str], list[str]]:
    problems, warnings = planning.check(*parts(drill, targets, experiment))
    return [str(problem) for problem in problems], [str(warning) for warning in warnings]


def refused(drill: str, targets: str = TARGETS) -> list[str]:
    read, _, _ = parts(drill, targets)
    assert read.problems == []
    return [str(problem) for problem in planning.unsupported(read)]


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


def test_nothing_is_said_of_a_drill_that_is_right():
    assert checked() == ([], [])
    assert checked(FULL_DRILL)[0] == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "target: orders-db",
            "target: order-db",
            "d.yaml:4:9: t.yaml has no target `order-db`\n  HINT: did you mean `orders-db`? there are: orders-db",
        ),
        (
            "{ref: fence}",
            "{ref: fenc}",
            "d.yaml:7:17: the target `orders-db` has no activity `fenc`\n  HINT: did you mean `fence`?",
        ),
        (
            "{every: quarter}",
            "{every: quarter}\nverify: [{ref: rows}]",
            "d.yaml:9:16: the target `orders-db` has no activity `rows`",
        ),
        (
            f"fault: {PATH}",
            f"fault: {{experiment: {PATH}, effect: {{ref: fence}}}}",
            "`fence` is an action, a probe is needed here",
        ),
        (f"fault: {PATH}", f"fault: {{experiment: {PATH}, effect: {{ref: nothing}}}}", "has no activity `nothing`"),
        (
            "{every: quarter}",
            "{every: quarter}\nobserve: {probes: {use: [{ref: switch-over}]}}",
            "`switch-over` is an action, a probe is needed here",
        ),
    ],
)
def test_names_that_do_not_exist(old, new, expected):
    problems, _ = checked(with_line(MINIMAL_DRILL, old, new))
    assert len(problems) == 1
    assert expected in problems[0]


def test_names_are_checked_although_the_drill_is_wrong_elsewhere():
    problems, _ = checked(
        with_line(MINIMAL_DRILL, "{ref: fence}", "{ref: fenc}").replace("owner: team-orders", "owner: 5")
    )
    assert "has no activity `fenc`" in problems[0]


def without_undo(text: str = EXPERIMENT) -> str:
    return text[: text.index("rollbacks:")]


def test_a_fault_without_undo_needs_a_disposable_target():
    problems, _ = checked(experiment=without_undo())
    assert problems == [
        (
            f"d.yaml:5:8: {PATH} has no undo (`rollbacks`), and the target is not disposable\n"
            "  HINT: write rollbacks that take the fault away, or set `disposable: true` on the target"
        )
    ]
    assert checked(experiment=without_undo() + "rollbacks: []\n")[0] == problems
    disposable = with_line(TARGETS, "    tier: 1", "    disposable: true")
    assert checked(targets=disposable, experiment=without_undo())[0] == []
    assert make(targets=disposable, experiment=without_undo()).fault.undos == []


def test_an_experiment_that_injects_nothing():
    problems, _ = checked(
        experiment=with_line(
            EXPERIMENT, "  - name: lose-host\n    type: action", "  - name: lose-host\n    type: probe"
        )
    )
    assert "has no action: nothing would be injected" in problems[0]


def test_a_drill_that_nothing_observes():
    problems, _ = checked(targets=with_line(TARGETS, "    probes: [order-read, order-write]\n", ""))
    assert "nothing observes this drill" in problems[0]


def test_markers_need_a_store():
    targets = with_line(TARGETS, "    markers: {store: postgres, secrets: orders-db}\n", "")
    problems, _ = checked(
        with_line(MINIMAL_DRILL, "schedule: {every: quarter}", "observe: {markers: {writers: 1}}"), targets
    )
    assert "d.yaml:8:20: the target `orders-db` has no store for markers" in problems[0]
    assert make(targets=targets).markers == ()


def test_secrets_that_do_not_exist():
    markers = "observe: {markers: {secrets: order-db}}"
    problems, _ = checked(with_line(MINIMAL_DRILL, "schedule: {every: quarter}", markers))
    assert "d.yaml:8:30: the secrets have no block `order-db`" in problems[0]
    positions = "observe: {positions: {secrets: order-db}}"
    problems, _ = checked(with_line(MINIMAL_DRILL, "schedule: {every: quarter}", positions))
    assert "d.yaml:8:32: the secrets have no block `order-db`" in problems[0]
    action = "{name: n, type: action, provider: {type: process, path: ls, secrets: [nope]}}"
    problems, _ = checked(with_line(MINIMAL_DRILL, "{ref: fence}", action))
    assert "the secrets have no block `nope`" in problems[0]


def test_arguments_for_what_takes_none_by_name():
    targets = with_line(TARGETS, 'path: "true"', 'path: "true", arguments: ["-x"]')
    problems, _ = checked(
        with_line(MINIMAL_DRILL, "{ref: switch-over}", "{ref: switch-over, arguments: {a: 1}}"), targets
    )
    assert "arguments cannot be laid over" in problems[0]


def test_what_is_probably_not_meant():
    targets = with_line(TARGETS, "    markers: {store: postgres, secrets: orders-db}\n", "")
    targets = with_line(targets, "    preflight: [restorable]\n", "")
    drill = with_line(
        MINIMAL_DRILL,
        "schedule: {every: quarter}",
        "objectives: {rpo: 1h}\nverify: [{name: looks, type: probe, provider: {type: process, path: ls}}]",
    )
    _, warnings = checked(drill, targets)
    assert [warning.split("\n")[0] for warning in warnings] == [
        "d.yaml:8:19: `rpo` cannot be measured without markers: it will be unknown",
        "d.yaml:7:1: the target `orders-db` has no `preflight`",
        "d.yaml:9:10: `looks` has no tolerance: any answer counts as good",
    ]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("target: orders-db", "target: orders-db\nmode: gameday", "d.yaml:5:7: mode gameday is not supported yet"),
        ("target: orders-db", "target: orders-db\nmode: tabletop", "d.yaml:5:7: mode tabletop is not supported yet"),
    ],
)
def test_what_run_refuses_for_now(old, new, word):
    (found,) = refused(with_line(MINIMAL_DRILL, old, new))
    assert word in found
    assert "HINT: " in found


def test_a_drill_with_a_schedule_may_be_run_by_hand():
    assert refused(MINIMAL_DRILL) == []
    assert refused(with_line(MINIMAL_DRILL, "schedule: {every: quarter}", "phases: {detect: 0s}")) == []


TWO_WRITERS = """    markers:
      - {store: postgres, secrets: orders-db}
      - {name: second, secrets: orders-db, every: 50ms}
"""


def with_two_writers() -> str:
    return with_line(TARGETS, "    markers: {store: postgres, secrets: orders-db}\n", TWO_WRITERS)


def test_several_marker_writers_each_have_a_name_and_files_of_their_own():
    made = make(targets=with_two_writers())
    assert [(one.name, one.role, one.ledger, one.read_back_role) for one in made.markers] == [
        ("", "markers", "ledger", "read_back"),  # the first that nobody gave a name has plain files
        ("second", "markers-second", "ledger-second", "read_back-second"),
    ]
    assert [one.every_seconds for one in made.markers] == [0.01, 0.05]
    (only,) = make().markers
    assert (only.name, only.label, only.role, only.ledger) == ("", "postgres", "markers", "ledger")


def test_a_drill_lays_over_a_writer_by_its_name_and_may_add_one():
    observe = "observe: {markers: [{name: second, writers: 1}, {name: third, secrets: orders-db}]}"
    made = make(with_line(MINIMAL_DRILL, "schedule: {every: quarter}", observe), targets=with_two_writers())
    told = [(one.name, one.writers, one.every_seconds) for one in made.markers]
    assert told == [("", 4, 0.01), ("second", 1, 0.05), ("third", 4, 0.01)]


@pytest.mark.parametrize(
    ("observe", "word"),
    [
        ("{writers: 1}", "the target `orders-db` has 2 marker writers\n  HINT: name one of postgres, second"),
        ("[{name: third, writers: 1}]", "the target `orders-db` has no store for markers `third`"),
        ("[{name: second, secrets: nope}]", "the secrets have no block `nope`"),
    ],
)
def test_which_writer_is_meant_must_be_clear(observe, word):
    drill = with_line(MINIMAL_DRILL, "schedule: {every: quarter}", f"observe: {{markers: {observe}}}")
    problems, _ = checked(drill, with_two_writers())
    assert word in problems[0]


def test_two_writers_of_one_name_are_refused():
    parsed = read_targets(with_two_writers().replace("name: second", "name: postgres").encode(), "t.yaml")
    assert "there are two marker writers called `postgres`" in str(parsed.problems[0])


def test_plans_from_before_there_could_be_several_are_read():
    made = make()
    old = made.model_dump(mode="json") | {
        "markers": {"store": "postgres", "secrets": "x", "every_seconds": 0.02, "writers": 2}
    }
    (only,) = Plan.model_validate(old).markers
    assert (only.role, only.ledger, only.every_seconds) == ("markers", "ledger", 0.02)
    assert Plan.model_validate(old | {"markers": None}).markers == ()


SERVICE = """    markers:
      name: service
      store: http
      insert: {url: "${orders_url}/markers", arguments: {id: "${marker_row}"}}
      update: {url: "${orders_url}/markers/${marker_row}", method: PATCH}
      read: {url: "${orders_url}/markers", write: "$.write"}
"""


def with_a_service(*changes: tuple[str, str]) -> str:
    targets = with_line(TARGETS, "    markers: {store: postgres, secrets: orders-db}\n", SERVICE)
    for old, new in changes:
        targets = with_line(targets, old, new)
    return targets


def test_a_marker_writer_over_http_has_its_requests_in_the_plan():
    (one,) = make(targets=with_a_service()).markers
    assert (one.name, one.store, one.secrets, one.every_seconds) == ("service", "http", None, 0.05)
    assert {name: request["method"] for name, request in one.requests.items()} == {
        "insert": "POST",
        "update": "PATCH",
        "read": "GET",
    }
    assert one.requests["insert"]["arguments"] == {"id": "${marker_row}"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (('      read: {url: "${orders_url}/markers", write: "$.write"}\n', ""), "markers.read` is missing"),
        ((', write: "$.write"', ""), "markers.read.write` is missing"),
        (("    identity: same-cluster\n", ""), "a marker writer over HTTP needs the target's `identity`"),
        (("store: http", "store: postgres"), "`insert` needs `store: http`"),
        (("method: PATCH", "refused: [99]"), "expected at least 100"),
    ],
)
def test_what_a_marker_writer_over_http_needs(change, word):
    parsed = read_targets(with_a_service(change).encode(), "t.yaml")
    assert any(word in str(problem) for problem in parsed.problems), [str(problem) for problem in parsed.problems]
