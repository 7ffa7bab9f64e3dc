"""What is offered to experiments: everything that the shipped definitions use, with its arguments and its words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chaoslib.discovery.package import get_discover_function

import drillmark
from drillmark import discovery

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], dict[str, Any]]:
    told = discovery.discover()
    assert told["unavailable"] == []
    return {(one["mod"], one["name"]): one for one in told["activities"]}


def _used(value: Any) -> Iterator[dict[str, Any]]:
    """Every activity within a definition that is one of ours."""
    if isinstance(value, dict):
        provider = value.get("provider")
        if isinstance(provider, dict) and str(provider.get("module", "")).startswith("drillmark."):
            yield value
        for item in value.values():
            yield from _used(item)
    elif isinstance(value, list):
        for item in value:
            yield from _used(item)


def test_everything_that_the_shipped_definitions_use_is_listed(found):
    files = [ROOT / "targets.yaml", *(ROOT / "experiments").glob("*.yaml"), *(ROOT / "drills").rglob("*.yaml")]
    used = [one for path in files for one in _used(yaml.safe_load(path.read_text(encoding="utf-8")))]
    assert len(used) >= 10
    for one in used:
        provider = one["provider"]
        listed = found[provider["module"], provider["func"]]
        assert set(provider.get("arguments", {})) <= {argument["name"] for argument in listed["arguments"]}
        assert listed["type"] == one["type"], provider


def test_arguments_and_words(found):
    lost = found["drillmark.faults.postgres_host", "is_lost"]
    assert lost["type"] == "probe"
    assert lost["return_type"] == "boolean"
    assert {"name": "data_directory", "default": None, "type": "string"} in lost["arguments"]
    assert found["drillmark.faults.postgres_host", "lose_host"]["type"] == "action"
    assert {"name": "query", "type": "string"} in found["drillmark.observe.probes", "sql"]["arguments"]
    assert all(one["doc"] for one in found.values())
    assert not [name for _, name in found if name.startswith("_")]


def test_chaos_toolkit_finds_it():
    discover = get_discover_function(drillmark)
    told = discover(discover_system=True)
    assert told["extension"] == {"name": "drillmark", "version": drillmark.__version__}
    json.dumps(told, allow_nan=False)


def test_the_command_lists_the_same(found):
    command = [sys.executable, "-m", "drillmark", "discover"]
    plain = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    for module, name in found:
        assert module in plain
        assert f" {name}(" in plain
    assert "configuration=" not in plain
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True, timeout=120).stdout
    assert {(one["mod"], one["name"]) for one in json.loads(told)["activities"]} == set(found)
