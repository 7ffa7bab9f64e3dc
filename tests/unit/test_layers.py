"""Settings in layers: which one wins, where each came from, and where a mistake is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from drillmark.define import layers
from drillmark.define.settings import Settings
from drillmark.define.units import duration_seconds, duration_text

BASE = b"gaps:\n  due: {high: 3d}\nguard:\n  lease: 20s\napprovers: [ada]\n"
DEV = b"guard:\n  lease: 10s\napprovers: [bob, eve]\n"


def stack(*given: str, variables=None, overlay=DEV):
    return [
        layers.of_file(BASE, "drillmark.yaml"),
        layers.of_file(overlay, "environments/dev.yaml"),
        *layers.of_variables(variables or {}),
        *layers.of_flags(given),
    ]


def told(found):
    return {each.key: (each.value, each.source) for each in layers.explain(found)}


def test_the_later_layer_wins_and_each_value_knows_where_it_is_from():
    parsed = layers.combine(stack())
    assert parsed.problems == []
    assert parsed.value.guard.lease == 10.0
    assert parsed.value.gaps.due.high == 3 * 86400.0
    assert parsed.value.approvers == ["bob", "eve"]
    found = told(stack())
    assert found["guard.lease"] == ("10s", "environments/dev.yaml:2")
    assert found["gaps.due.high"] == ("3d", "drillmark.yaml:2")
    assert found["gaps.due.low"] == ("90d", "default")
    variables = {"DRILLMARK__GUARD__LEASE": "7s", "DRILLMARK_WORKSPACE": "x", "PATH": "y"}
    assert told(stack(variables=variables))["guard.lease"] == ("7s", "DRILLMARK__GUARD__LEASE")
    found = stack("guard.lease=5s", variables=variables)
    assert told(found)["guard.lease"] == ("5s", "--set guard.lease")


def test_each_value_of_a_group_that_may_be_missing_knows_where_it_is_from():
    base = layers.of_file(b"limits: {runs_at_once: 2}\n", "drillmark.yaml")
    found = told([base, layers.of_file(b"limits: {run_time: 1h}\n", "environments/dev.yaml")])
    assert found["limits.runs_at_once"] == (2, "drillmark.yaml:1")
    assert found["limits.run_time"] == ("1h", "environments/dev.yaml:1")
    assert told([base])["blast_radius"] == (None, "default")


@pytest.mark.parametrize("name", ["approvers", "lifters"])
def test_who_may_decide_is_said_in_files_alone(name):
    for found in (stack(f"{name}=[eve]"), stack(variables={f"DRILLMARK__{name.upper()}": "[eve]"})):
        parsed = layers.combine(found)
        assert parsed.value is None
        assert "is read from files only" in " ".join(map(str, parsed.problems))


def test_what_is_written_as_the_default_is_no_change_however_it_is_written():
    base = layers.of_file(b"gaps: {due: {high: 168h, medium: 31d}}\nguard: {lease: 30s}\n", "drillmark.yaml")
    written = {each.key for each in layers.explain([base]) if each.source != "default"}
    assert written == {"gaps.due.high", "gaps.due.medium", "guard.lease"}
    assert [each.key for each in layers.explain([base]) if not each.as_default] == ["gaps.due.medium"]


def test_every_setting_is_told_once():
    keys = [each.key for each in layers.explain(stack())]
    assert len(keys) == len(set(keys))
    top = {key.partition(".")[0] for key in keys}
    assert top == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("found", "place"),
    [
        (stack(overlay=b"guard:\n  lease: soon\n"), "environments/dev.yaml:2:10"),
        (stack(overlay=b"guard:\n  leese: 3s\n"), "environments/dev.yaml:2:3"),
        (stack(overlay=b"- a list\n"), "environments/dev.yaml"),
        (stack(overlay=b"guard: [\n"), "environments/dev.yaml:2:1"),
        (stack(variables={"DRILLMARK__GUARD__LEASE": "soon"}), "DRILLMARK__GUARD__LEASE"),
        (stack(variables={"DRILLMARK__NOTHING": "1"}), "DRILLMARK__NOTHING"),
        (stack("guard.lease=-1s"), "--set guard.lease=-1s"),
        (stack("guard..lease=1s"), "--set guard..lease=1s"),
        (stack("guard.lease="), "--set guard.lease="),
    ],
)
def test_a_mistake_is_told_at_the_layer_that_holds_it(found, place):
    parsed = layers.combine(found)
    assert parsed.value is None
    assert any(str(problem).startswith(f"{place}:") for problem in parsed.problems), parsed.problems


@pytest.mark.parametrize("text", ["30s", "7d", "1500ms", "90m", "1h", "2500ms"])
def test_a_duration_is_written_as_it_is_read(text):
    assert duration_seconds(duration_text(duration_seconds(text))) == duration_seconds(text)


def test_config_shows_values_and_sources_and_no_password(tmp_path):
    (tmp_path / "drillmark.yaml").write_bytes(BASE)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/dev.yaml").write_bytes(DEV)

    def config(*arguments, **variables):
        command = [sys.executable, "-m", "drillmark", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=os.environ | variables, capture_output=True, text=True, timeout=240, check=False
        )

    url = "postgresql://user:hunter2@127.0.0.1:5432/drills?password=hunter2"
    done = config("--environment", "dev", "--set", "gaps.due.low=5d", "config", "--json", DRILLMARK_DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout
    found = {each["key"]: (each["value"], each["source"]) for each in json.loads(done.stdout)}
    assert found["guard.lease"] == ("10s", "environments/dev.yaml:2")
    assert found["gaps.due.low"] == ("5d", "--set gaps.due.low")
    assert found["environment"] == ("dev", "DRILLMARK_ENVIRONMENT")
    assert found["database"] == ("postgresql://user@127.0.0.1:5432/drills", "DRILLMARK_DATABASE_URL")
    plain = config("--set", "fleet.lease=30000ms", "config", "--changed")
    assert "guard.lease" in plain.stdout
    assert "gaps.due.low" not in plain.stdout
    assert "fleet.lease" not in plain.stdout
    budget = (
        '[{target: x, slo: "99%", prometheus: {url: "http://u:hunter2@p:1?token=hunter2", query: "rate(up[30d])"}}]'
    )
    secret = config("--set", f"budgets={budget}", "config", "--json")
    assert "http://p:1/***" in secret.stdout
    assert "hunter2" not in secret.stdout
    bad = config("--set", "guard.lease=soon", "config")
    assert bad.returncode == 2
    assert "--set guard.lease=soon" in bad.stderr
    assert config("--environment", "prod", "config").returncode == 2
