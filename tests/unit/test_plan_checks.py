"""What is wrong with a drill that reads well: names that do not exist, what is missing, what cannot be meant."""

from __future__ import annotations

import pytest

from define_builders import EXPERIMENT, FULL_DRILL, MINIMAL_DRILL, TARGETS, with_line
from plan_builders import PATH, checked, make, refused


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


def test_an_effect_must_be_able_to_say_that_the_fault_is_gone():
    old = "      - name: db-was-restarted\n        type: probe\n        tolerance: true\n"
    targets = with_line(TARGETS, old, old.replace("        tolerance: true\n", ""))
    said = (
        "the effect `db-was-restarted` has no tolerance: it could not say that the fault is gone\n"
        "  HINT: give it one that is met until the undo, and not after it"
    )
    assert checked(targets=targets)[0] == [f"d.yaml:4:9: {said}"]
    own = with_line(
        MINIMAL_DRILL, f"fault: {PATH}", f"fault: {{experiment: {PATH}, effect: {{ref: db-was-restarted}}}}"
    )
    problems, warnings = checked(own, targets)
    assert [problem.split(": ", 1)[1] for problem in problems] == [said]
    assert not any("tolerance" in warning for warning in warnings)


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
