"""The drill file: what is right, and what is said where something is wrong."""

from __future__ import annotations

import pytest

from define_builders import FULL_DRILL, MINIMAL_DRILL, with_line
from drillmark.define import read_drill
from drillmark.define.drill import Drill


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read_drill(text.encode(), "d.yaml").problems]


def changed(old: str, new: str, text: str = FULL_DRILL) -> str:
    (found,) = problems(with_line(text, old, new))
    return found


def test_the_minimal_drill_of_the_format():
    drill = read_drill(MINIMAL_DRILL.encode(), "d.yaml").value
    assert isinstance(drill, Drill)
    assert drill.fault.experiment == "experiments/orders-db-lost.yaml"
    assert drill.load.locustfile == "experiments/load/orders.py"
    assert [use.ref for use in drill.recover] == ["fence", "restore-latest", "switch-over"]
    assert drill.mode == "drill"


def test_the_full_drill_of_the_format():
    parsed = read_drill(FULL_DRILL.encode(), "d.yaml")
    assert parsed.problems == []
    assert parsed.warnings == []
    drill = parsed.value
    assert drill.objectives.rto == 14400
    assert drill.objectives.slo.availability == 0.999
    assert drill.objectives.slo.latency.p99 == 0.5
    assert drill.load.spawn_rate == 20
    assert drill.schedule.window.from_ == "02:00"
    assert drill.schedule.blackouts == ["2026-12-20/2027-01-06", "calendars/freeze.ics"]
    assert drill.schedule.missed.run_within == 21600
    assert drill.recover[3].as_chaos() == {
        "name": "tell-the-service",
        "type": "action",
        "provider": {"type": "http", "method": "POST", "url": "${orders_url}/admin/reconnect", "timeout": 5},
    }


def test_a_simulated_disaster_and_a_tabletop_are_read():
    assert (
        read_drill(with_line(MINIMAL_DRILL, "experiments/orders-db-lost.yaml", "simulated").encode(), "d").value.fault
        == "simulated"
    )
    text = "id: talk\ntitle: We talk it through\nowner: us\nmode: tabletop\ntarget: orders-db\n"
    assert read_drill(text.encode(), "d").value.mode == "tabletop"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "owner: team-orders\n",
            "",
            "d.yaml:1:1: `owner` is missing\n  HINT: who answers for the drill and gets its gaps.",
        ),
        (
            "owner: team-orders",
            "ownr: team-orders\nowner: x",
            "d.yaml:3:1: unknown key `ownr`\n  HINT: did you mean `owner`? allowed: ",
        ),
        (
            "mode: drill ",
            "mode: dril ",
            'd.yaml:4:7: `mode`: "dril" is not allowed\n  HINT: did you mean `drill`? allowed: drill, check, gameday, tabletop',
        ),
        ("  rto: 4h", "  rto: -4h", 'd.yaml:10:8: `objectives.rto`: a duration cannot be negative, found "-4h"'),
        (
            "  rpo: 1h",
            "  rpo: 3600",
            "d.yaml:11:8: `objectives.rpo`: a duration needs a unit, found 3600\n  HINT: write 3600s if seconds are meant",
        ),
        (
            "  rpo: 1h",
            "  rpo:",
            "d.yaml:11:7: `objectives.rpo`: this key has no value\n  HINT: give it one, or take the key away",
        ),
        ("impact: high", "impact: hihg", "did you mean `high`? allowed: low, medium, high"),
        (
            "p95: 200ms",
            "p95x: 200ms",
            "unknown key `p95x` in `objectives.slo.latency`\n  HINT: did you mean `p95`? allowed: p50, p95, p99",
        ),
        ("availability: 99.9%", "availability: 99.9", "expected a percentage, found 99.9"),
        ("throughput: 100/s", "throughput: 100", "expected a rate, found 100"),
        (
            "  recover: {deadline: 8h}",
            "  recover: 8h",
            'd.yaml:25:12: `phases.recover`: expected a mapping, found "8h"',
        ),
        ("users: 20", 'users: "20"', 'expected a whole number, found "20"'),
        ("users: 20", "users: 0", "expected at least 1, found 0"),
        ("users: 20", "users: 1.5", "`load.users`: expected a whole number, found 1.5"),
        ("processes: 1}", "processes: 1, master: a:1}", "`load.master` and `load.workers` belong together"),
        ("processes: 1}", "processes: -1}", "expected at least 1, found -1"),
        ("processes: 1}", "processes: 21}", "there are fewer `load.users` (20) than `load.processes` (21)"),
        ("processes: 1}", "processes: 2, master: a:1, workers: 2}", "`load.processes` and `load.master` exclude each"),
        ("processes: 1}", "master: a:70000, workers: 2}", "`load.master`: expected host:port"),
        ("processes: 1}", "master: a:1, workers: 21}", "there are fewer `load.users` (20) than `load.workers` (21)"),
        ("  detect: 0s", "  detect: 1m", "`phases.detect` (1m) is shorter than `objectives.time_to_detect`"),
        ("  detect: 0s", "  detect: 9h", "`phases.recover.deadline` is not longer than `phases.detect` (9h)"),
        ("webhook: /alerts", "webhook: /a$b", "`observe.alerts[0].webhook`: expected a route that begins with /"),
        ("locustfile: experiments", "locustfile: ../experiments", "expected a path inside the workspace"),
        (
            "experiment: experiments",
            "experiment: /experiments",
            "`fault.experiment`: expected a path inside the workspace",
        ),
        (
            "runner_lost: undo",
            "runner_lost: keep",
            '`fault.runner_lost`: "keep" is not allowed\n  HINT: allowed: undo, hold',
        ),
        ("effect: {ref: db-was-restarted}", "effect: db-was-restarted", "write {ref: db-was-restarted}"),
        (
            "  - ref: fence\n",
            "  - fence\n",
            'd.yaml:43:5: `recover[0]`: expected a reference or an activity, found "fence"\n  HINT: write {ref: fence}',
        ),
        (
            "  - ref: fence\n",
            "  - rfe: fence\n    ref: fence\n",
            "unknown key `rfe` in `recover[0]`\n  HINT: did you mean `ref`?",
        ),
        ("    type: action", "    type: actoin", "did you mean `action`? allowed: probe, action"),
        (
            "type: http,",
            "type: htp,",
            'd.yaml:50:22: `recover[3].provider.type`: "htp" is not allowed\n  HINT: did you mean `http`? allowed: python, process, http',
        ),
        ('url: "${orders_url}/admin/reconnect", ', "", "`recover[3].provider.url` is missing"),
        (
            "verify: [{ref: rows-match-orders}]",
            "verify: []",
            "`verify` is empty\n  HINT: list something, or take the key away",
        ),
        ("fails_for: 10s", "fails_for: 10", "`guards[0].fails_for`: a duration needs a unit"),
        ("then: abort", "then: undo", '`guards[0].then`: "undo" is not allowed\n  HINT: allowed: abort'),
        ('cron: "0 3 * 1,4,7,10 tue#1"', 'cron: "0 25 * 1,4,7,10 tue#1"', '"25" is no hour of a cron line'),
        ('cron: "0 3 * 1,4,7,10 tue#1"', 'cron: "0 3 * *"', "expected five fields, found 4"),
        ("time_zone: Europe/Berlin", "time_zone: 5", "expected a time zone, found 5"),
        ("days: tue-thu", "days: tuesday", "expected days of the week"),
        ('from: "02:00"', "from: 25:00", 'expected a time of day, found "25:00"'),
        ("{run_within: 6h}", "no", '`schedule.missed`: "no" is not allowed\n  HINT: allowed: skip, once'),
        ("2026-12-20/2027-01-06", "2026-13-20", "expected a date, two dates, or a calendar file"),
        ("  jitter: 10m", "  every: quarter", "`schedule` needs one of `every` and `cron`"),
        ("  priority: 5", "  priority: -1", "expected at least 0, found -1"),
        ("id: orders-db-lost", "id: 2026", "`id`: expected an id, found 2026\n  HINT: quote it"),
        ("  mtd: 12h", "  mtd: 1h", "`objectives.mtd` is shorter than the rto"),
        ("webhook: /alerts", "webhook: alerts", "expected a route that begins with /"),
        ("match: {alertname: OrdersDown}", "match: {}", "`observe.alerts[0].match`"),
        (", match: {alertname: OrdersDown}", "", "`observe.alerts[0].match` is missing"),
        ("match: {alertname: OrdersDown}", "match: {alertname: 5}", "expected text, found 5"),
    ],
)
def test_one_thing_wrong_is_one_problem(old, new, expected):
    found = changed(old, new)
    assert expected in found
    assert found.startswith("d.yaml:")


def test_two_guards_of_one_name_are_a_problem():
    guards = "guards: [{name: g, probe: {ref: a}, fails_for: 1s}, {name: g, probe: {ref: b}, fails_for: 1s}]"
    found = changed("schedule: {every: quarter}", guards, MINIMAL_DRILL)
    assert found.startswith("d.yaml:8:60: there are two guards `g`\n  HINT: ")


def test_everything_at_once_in_the_order_of_the_file():
    text = "id: orders\ntitel: Lost\nowner: us\ntarget: orders-db\nowner: them\nphases: {baseline: 10s, hold: 20s, soak: -1s}\nfault: {experiment: a.yaml, runner_lost: never}\nrecover: [{ref: 5}]"
    found = problems(text)
    assert [problem.split(": ")[0] for problem in found] == [
        "d.yaml:1:1",
        "d.yaml:2:1",
        "d.yaml:5:1",
        "d.yaml:6:31",
        "d.yaml:6:42",
        "d.yaml:7:42",
        "d.yaml:8:17",
    ]
    assert "`title` is missing" in found[0]
    assert "did you mean `title`?" in found[1]
    assert "duplicate key `owner`, first in line 3" in found[2]
    assert "`phases.hold` (20s) is longer than `phases.baseline` (10s)" in found[3]


def test_a_hold_longer_than_the_default_baseline():
    found = changed("schedule: {every: quarter}", "phases: {hold: 45s}", MINIMAL_DRILL)
    assert found.startswith("d.yaml:8:16: `phases.hold` (45s) is longer than `phases.baseline` (30s, the default)")


def test_a_baseline_shorter_than_the_default_hold():
    found = changed("schedule: {every: quarter}", "phases: {baseline: 10s}", MINIMAL_DRILL)
    assert found.startswith("d.yaml:8:20: `phases.hold` (30s, the default) is longer than `phases.baseline` (10s)")


def test_a_fault_that_stays_must_outlast_the_hold_window():
    without_recovery = with_line(
        MINIMAL_DRILL, "recover: [{ref: fence}, {ref: restore-latest}, {ref: switch-over}]\n", ""
    )
    assert problems(without_recovery) == []
    found = changed("schedule: {every: quarter}", "phases: {fault: 30s}", without_recovery)
    assert found.startswith("d.yaml:7:17: `phases.fault` (30s) is not longer than `phases.hold` (30s, the default)")
    # With a recovery the fault stays until it is over.
    assert problems(with_line(MINIMAL_DRILL, "schedule: {every: quarter}", "phases: {fault: 30s}")) == []


def test_a_drill_needs_a_fault():
    assert changed("fault: experiments/orders-db-lost.yaml\n", "", MINIMAL_DRILL).startswith(
        "d.yaml:1:1: `fault` is missing"
    )


def test_a_check_has_no_recovery():
    assert changed("target: orders-db", "target: orders-db\nmode: check", MINIMAL_DRILL).startswith(
        "d.yaml:8:1: a check has no `recover`"
    )


@pytest.mark.parametrize("text", ["[]", "just text", "5"])
def test_a_file_that_is_no_mapping(text):
    (found,) = problems(text)
    assert "the file: expected a mapping" in found


def test_unknown_keys_of_an_activity_are_warnings():
    parsed = read_drill(
        with_line(FULL_DRILL, "    type: action", "    type: action\n    tolerence: 5").encode(), "d.yaml"
    )
    assert parsed.problems == []
    assert [str(warning) for warning in parsed.warnings] == [
        "d.yaml:50:5: Chaos Toolkit does not know the key `tolerence` and ignores it\n  HINT: did you mean `tolerance`? without one, Chaos Toolkit takes any answer as good"
    ]


def test_objectives_that_need_what_is_not_there_are_warnings():
    text = with_line(
        MINIMAL_DRILL, "load: experiments/load/orders.py", "objectives: {time_to_detect: 5m, slo: {error_rate: 1%}}"
    )
    assert [warning.message for warning in read_drill(text.encode(), "d.yaml").warnings] == [
        "`objectives.slo.error_rate` needs `load`, without it it is unknown",
        "`time_to_detect` is judged only where `observe.alerts` are",
    ]


@pytest.mark.parametrize(
    "cron",
    [
        "0 3 * 1,4,7,10 tue#1",
        "*/5 * * * *",
        "0 0 1-7 jan-mar mon,fri",
        "0 3 L * *",
        "0 3 * * 7",
        "15,45 8-18/2 * * sat-mon",
    ],
)
def test_cron_lines(cron):
    assert problems(with_line(FULL_DRILL, "0 3 * 1,4,7,10 tue#1", cron)) == []


@pytest.mark.parametrize(
    "cron",
    [
        "60 3 * * *",
        "0 3 0 * *",
        "0 3 * 13 *",
        "0 3 * * 8",
        "0 3 * * foo",
        "0 3 * * tue#6",
        "0 3 2#1 * *",
        "5-1 3 * * *",
        "*/0 * * * *",
        "*/90 * * * *",
        "0 */24 * * *",
        ", 3 * * *",
    ],
)
def test_cron_lines_that_are_none(cron):
    assert "of a cron line" in changed("0 3 * 1,4,7,10 tue#1", cron)
