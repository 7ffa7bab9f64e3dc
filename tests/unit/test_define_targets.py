"""The targets file and the settings: what is right, and what is said where something is wrong."""

from __future__ import annotations

import pytest

from define_builders import TARGETS, with_line
from drillmark.define import read_settings, read_targets


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read_targets(text.encode(), "t.yaml").problems]


def changed(old: str, new: str) -> str:
    (found,) = problems(with_line(TARGETS, old, new))
    return found


def warnings(old: str, new: str) -> list[str]:
    parsed = read_targets(with_line(TARGETS, old, new).encode(), "t.yaml")
    assert parsed.problems == []
    return [str(warning) for warning in parsed.warnings]


def test_a_target_that_is_right():
    parsed = read_targets(TARGETS.encode(), "t.yaml")
    assert (parsed.problems, parsed.warnings) == ([], [])
    target = parsed.value.targets["orders-db"]
    assert target.markers.secrets == "orders-db"
    assert target.probes == ["order-read", "order-write"]
    assert target.disposable is False
    assert target.activities[0].as_chaos()["tolerance"]["expect"] == ["database"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("    environment: lab\n", "", "t.yaml:6:3: `targets.orders-db.environment` is missing"),
        ("    tier: 1", "    tier: 10", "t.yaml:8:11: `targets.orders-db.tier`: expected at most 9, found 10"),
        ("    tier: 1", "    teir: 1", "unknown key `teir` in `targets.orders-db`\n  HINT: did you mean `tier`?"),
        ("    tier: 1", "    disposable: yes", 'expected true or false, found "yes"'),
        ("  orders-db:\n    env", "  Orders_DB:\n    env", "expected an id"),
        (
            "probes: [order-read,",
            "probes: [order-raed,",
            "t.yaml:11:14: `order-raed` is none of this target's activities\n  HINT: did you mean `order-read`?",
        ),
        ("effect: db-was-restarted", "effect: db-was-restart", "did you mean `db-was-restarted`?"),
        ("identity: same-cluster", "identity: fence", "`fence` is an action, a probe is needed here"),
        (
            "preflight: [restorable]",
            "preflight: [restore-latest]",
            "`restore-latest` is an action, a probe is needed here",
        ),
        ("- name: switch-over", "- name: restorable", "the activity `restorable` is there twice"),
        (
            "secrets: orders-db}",
            "secrets: order-db}",
            "the secrets have no block `order-db`\n  HINT: did you mean `orders-db`?",
        ),
        ("dsn: {type: env, key: ORDERS_DSN}", "url: {type: env, key: ORDERS_DSN}", "`secrets.orders-db` has no `dsn`"),
        (
            "dsn: {type: env, key: ORDERS_DSN}",
            "dsn: postgres://u:hunter2@h/d",
            "t.yaml:4:20: `secrets.orders-db.dsn` holds a value, not a reference",
        ),
        (
            "{path: /fence}, timeout: 30",
            "{path: /fence}, secrets: [order-db]",
            "the secrets have no block `order-db`\n  HINT: did you mean `orders-db`?",
        ),
        ("key: ORDERS_URL, ", "", "t.yaml:2:15: `configuration.orders_url` has no `key`"),
        ("dsn: {type: env, key: ORDERS_DSN}", "dsn: {type: env}", "`secrets.orders-db.dsn` has no `key`"),
        ('type: process, path: "true"', "type: process", "`targets.orders-db.activities[9].provider.path` is missing"),
    ],
)
def test_one_thing_wrong_is_one_problem(old, new, expected):
    assert expected in changed(old, new)


def test_the_value_of_a_secret_is_not_repeated():
    assert "hunter2" not in changed("dsn: {type: env, key: ORDERS_DSN}", "dsn: postgres://u:hunter2@h/d")


def test_a_file_without_targets():
    assert problems("targets: {}\n") == [
        "t.yaml:1:10: `targets` is empty\n  HINT: list something, or take the key away"
    ]


def test_variables_that_nothing_fills_in_are_warnings():
    assert warnings("${orders_url}/orders/latest", "${order_url}/orders/latest") == [
        (
            "t.yaml:20:37: nothing fills in `${order_url}`\n"
            "  HINT: did you mean `orders_url`? allowed: drillmark_run, drillmark_fault_begin, drillmark_fault_position, "
            "drillmark_source, drillmark_alerts_url, orders_url, dsn"
        )
    ]
    assert warnings("${orders_url}/orders/latest", "${drillmark_fault_begin}") == []


def test_a_secret_on_a_command_line_is_a_warning():
    (found,) = warnings('path: "true"', 'path: "true", arguments: ["--dsn", "${dsn}"]')
    assert "the secret `dsn` would stand on a command line" in found


def test_settings_have_defaults():
    for text in ("", "# nothing\n", "{}"):
        settings = read_settings(text.encode(), "drillmark.yaml").value
        assert settings.guard.lease == 30
        assert settings.gaps.due.high == 7 * 86400


def test_settings_are_checked():
    text = "gaps: {due: {high: 3d}}\nguard: {lease: 10s}\napprovers: [ada]\nnotifications: {channels: [{name: ops, url: json://x/y, on: [end]}]}\nlimits: {runs_at_once: 1}\nbudgets: [{target: orders-db, slo: 99.9%}]\n"
    parsed = read_settings(text.encode(), "drillmark.yaml")
    assert parsed.value.gaps.due.high == 3 * 86400
    assert parsed.value.notifications.channels[0].on == ["end"]
    assert parsed.value.limits.runs_at_once == 1
    assert parsed.warnings == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gaps: {due: {hihg: 3d}}", "unknown key `hihg` in `gaps.due`\n  HINT: did you mean `high`?"),
        ("guard: {lease: 0s}", "expected a duration longer than zero"),
        ("guards: {}", "unknown key `guards`\n  HINT: did you mean `guard`?"),
    ],
)
def test_settings_that_are_wrong(text, expected):
    (found,) = read_settings(text.encode(), "drillmark.yaml").problems
    assert expected in str(found)
