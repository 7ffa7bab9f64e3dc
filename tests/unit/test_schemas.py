"""The JSON Schemas: those in `schemas/` are what the models give, and they say what the models say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from define_builders import FULL_DRILL, MINIMAL_DRILL, TARGETS, with_line
from drillmark.cli import schema as schema_command
from drillmark.define import read_drill, read_settings, read_targets, schema, yaml_core

ROOT = Path(__file__).resolve().parents[2]
READERS = {"drill": read_drill, "targets": read_targets, "settings": read_settings}


def accepts(name: str, text: str) -> bool:
    document = yaml_core.read(text.encode(), "f").value
    return jsonschema.Draft202012Validator(schema.schema(name)).is_valid(document)


@pytest.mark.parametrize("name", list(schema.MODELS))
def test_the_files_are_what_the_models_give(name):
    assert (ROOT / f"schemas/{name}.json").read_text(encoding="utf-8") == schema.text(name), (
        "run `drillmark schema --write`"
    )


@pytest.mark.parametrize("name", list(schema.MODELS))
def test_the_schemas_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(schema.schema(name))


def objects(value: Any) -> list[dict[str, Any]]:
    found = [value] if isinstance(value, dict) and "properties" in value else []
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found += objects(item)
    return found


@pytest.mark.parametrize("name", list(schema.MODELS))
def test_every_field_has_a_description(name):
    bare = [
        key
        for each in objects({key: value for key, value in schema.schema(name).items() if key != "if"})
        for key, field in each["properties"].items()
        if not field.get("description")
    ]
    assert bare == []


@pytest.mark.parametrize("name", list(schema.MODELS))
def test_no_key_may_be_null(name):
    assert '"null"' not in schema.text(name)


@pytest.mark.parametrize(
    ("name", "text"), [("drill", MINIMAL_DRILL), ("drill", FULL_DRILL), ("targets", TARGETS), ("settings", "{}")]
)
def test_what_is_right_is_right_for_both(name, text):
    assert accepts(name, text)
    assert READERS[name](text.encode(), "f").problems == []


def test_the_shipped_files_are_right():
    for path in sorted((ROOT / "drills").rglob("*.yaml")):
        assert accepts("drill", path.read_text(encoding="utf-8")), path
    assert accepts("targets", (ROOT / "targets.yaml").read_text(encoding="utf-8"))
    assert accepts("settings", (ROOT / "drillmark.yaml").read_text(encoding="utf-8"))


def test_drills_that_are_right_in_other_ways():
    for text in (
        with_line(MINIMAL_DRILL, "fault: experiments/orders-db-lost.yaml", "fault: simulated"),
        with_line(MINIMAL_DRILL, "fault: experiments/orders-db-lost.yaml\n", "mode: tabletop\n"),
        with_line(MINIMAL_DRILL, "{every: quarter}", "{every: night, missed: skip, blackouts: [2026-12-24]}"),
        with_line(MINIMAL_DRILL, "{every: quarter}", "{every: night, missed: {run_within: 1h}}"),
        with_line(FULL_DRILL, "processes: 1}", "master: host:5557, workers: 3}"),
        with_line(
            FULL_DRILL, "https" if "https" in FULL_DRILL else "docs/how-to/restore-orders-db.md", "https://wiki/x"
        ),
        with_line(FULL_DRILL, "    type: action", "    type: action\n    unknown_to_chaos_toolkit: 1"),
    ):
        assert accepts("drill", text), text
        assert read_drill(text.encode(), "f").problems == [], text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("owner: team-orders\n", ""),
        ("owner: team-orders", "ownr: team-orders"),
        ("owner: team-orders", "owner:"),
        ("id: orders-db-lost", "id: Orders"),
        ("id: orders-db-lost", "id: 5"),
        ("mode: drill ", "mode: dril "),
        ("  rto: 4h", "  rto: 4"),
        ("  rto: 4h", "  rto: -4h"),
        ("  rto: 4h", "  rto: 0s"),
        ("  rpo: 1h", "  rpo: 1hour"),
        ("availability: 99.9%", "availability: 0.999"),
        ("availability: 99.9%", "availability: 101%"),
        ("p95: 200ms", "p96: 200ms"),
        ("throughput: 100/s", "throughput: 100"),
        ("{deadline: 8h}", "8h"),
        ("experiment: experiments", "experiment: /experiments"),
        ("  experiment: experiments/orders-db-lost.yaml\n", ""),
        ("locustfile: experiments", "locustfile: ../experiments"),
        ("spawn_rate: 20/s", "spawn_rate: 0/s"),
        ("users: 20", "users: 0"),
        ("users: 20", 'users: "20"'),
        ("processes: 1}", "master: a:1}"),
        ("effect: {ref: db-was-restarted}", "effect: db-was-restarted"),
        ("runner_lost: undo", "runner_lost: keep"),
        ("webhook: /alerts", "webhook: alerts"),
        ("match: {alertname: OrdersDown}", "match: {}"),
        (", match: {alertname: OrdersDown}", ""),
        ("writers: 4", "writers: 0"),
        ("use: [{ref: order-read}, {ref: order-write}]", "use: []"),
        ("  - ref: fence\n", "  - fence\n"),
        ("    repeatable: true", "    repeatabel: true"),
        ("    type: action", "    type: act"),
        ("type: http,", "type: ftp,"),
        ('url: "${orders_url}/admin/reconnect", ', ""),
        ("fails_for: 10s", "fails_for: 10"),
        ("then: abort", "then: undo"),
        ('cron: "0 3 * 1,4,7,10 tue#1"', 'cron: "0 3 * *"'),
        ('  cron: "0 3 * 1,4,7,10 tue#1"\n', ""),
        ("  jitter: 10m", "  every: week"),
        ("days: tue-thu", "days: tuesday"),
        ('from: "02:00"', "from: 24:00"),
        ('from: "02:00"', "from_: 02:00"),
        ("{run_within: 6h}", "later"),
        ("2026-12-20/2027-01-06", "2026-12-20/tomorrow"),
        ("  priority: 5", "  priority: high"),
    ],
)
def test_what_is_wrong_is_wrong_for_both(old, new):
    text = with_line(FULL_DRILL, old, new)
    assert read_drill(text.encode(), "f").problems
    assert not accepts("drill", text)


def test_a_drill_without_a_fault_is_wrong_for_both():
    text = with_line(MINIMAL_DRILL, "fault: experiments/orders-db-lost.yaml\n", "")
    assert read_drill(text.encode(), "f").problems
    assert not accepts("drill", text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    environment: lab\n", ""),
        ("    tier: 1", "    teir: 1"),
        ("    tier: 1", "    disposable: yes"),
        ("probes: [order-read, order-write]", "probes: order-read"),
        ("store: postgres", "store: oracle"),
        ("- name: fence\n", "- nam: fence\n"),
        ("  orders-db:\n    env", "  Orders:\n    env"),
    ],
)
def test_targets_that_are_wrong_for_both(old, new):
    text = with_line(TARGETS, old, new)
    assert read_targets(text.encode(), "f").problems
    assert not accepts("targets", text)


@pytest.mark.parametrize(
    "text", ["guard: {lease: 5}", "gaps: {due: {urgent: 1d}}", "approvers: ada", "limits: {runs_at_once: 0}"]
)
def test_settings_that_are_wrong_for_both(text):
    assert read_settings(text.encode(), "f").problems
    assert not accepts("settings", text)


def test_the_command_prints_a_schema():
    result = CliRunner().invoke(schema_command.command, ["drill"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == schema.schema("drill")


def test_the_command_writes_all_schemas(tmp_path, monkeypatch):
    (tmp_path / "drillmark.yaml").write_text("")
    monkeypatch.setenv("DRILLMARK_WORKSPACE", str(tmp_path))
    result = CliRunner().invoke(schema_command.command, ["--write"])
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == [
        "drill.json",
        "settings.json",
        "targets.json",
    ]
    assert (tmp_path / "schemas/drill.json").read_text() == schema.text("drill")
