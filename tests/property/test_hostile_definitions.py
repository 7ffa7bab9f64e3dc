"""Drills, targets, settings and experiments that somebody wrote to hurt: told what is wrong, never obeyed, never a hang."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from define_builders import FULL_DRILL
from drillmark import workspace as workspaces
from drillmark.chaos import layout, undo
from drillmark.cli.failures import error_text
from drillmark.define import read_drill, read_experiment, read_settings, read_targets, yaml_core
from drillmark.errors import InvalidDefinitionError
from exhaustive import how_many
from hostile import harmful, mangled, spoiled

ROOT = Path(__file__).parents[2]
SEEDS = st.integers(0, 2**40)
READERS = {
    "drill.yaml": (read_drill, FULL_DRILL.encode()),
    "crash.yaml": (read_drill, (ROOT / "drills/nightly/orders-db-crash.yaml").read_bytes()),
    "targets.yaml": (read_targets, (ROOT / "targets.yaml").read_bytes()),
    "drillmark.yaml": (read_settings, (ROOT / "drillmark.yaml").read_bytes()),
    "lost.yaml": (read_experiment, (ROOT / "experiments/orders-db-lost.yaml").read_bytes()),
    "migration.json": (
        read_experiment,
        __import__("json").dumps(yaml.safe_load((ROOT / "experiments/orders-bad-migration.yaml").read_text())).encode(),
    ),
}
VALUES = {name: yaml.safe_load(data) for name, (_read, data) in READERS.items()}


def many(examples: int, exhaustive: int = 20_000):
    return settings(
        max_examples=how_many(examples, exhaustive), deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip


def assert_told_harmlessly(parsed) -> None:
    """Either it is right, or every problem has a place and a text that no terminal obeys."""
    if parsed.value is None:
        assert parsed.problems
    if parsed.problems:
        text = error_text(str(InvalidDefinitionError(parsed.problems)), "")
        assert not harmful(text), harmful(text)


@many(4130)
@given(st.sampled_from(sorted(READERS)), SEEDS)
def test_bytes_of_a_definition(name, seed):
    read, data = READERS[name]
    assert_told_harmlessly(read(mangled(data, random.Random(seed)), name))


@many(1200)
@given(st.sampled_from(sorted(READERS)), SEEDS)
def test_values_of_a_definition(name, seed):
    read, _data = READERS[name]
    value = spoiled(VALUES[name], random.Random(seed))
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")
    parsed = read(text, name.replace(".json", ".yaml"))
    assert_told_harmlessly(parsed)
    if name == "lost.yaml" and parsed.value is not None and not list(layout.shape_problems(parsed.value)):
        # What the engine and the guard ask of an experiment before anything runs.
        list(layout.environment_references(parsed.value))
        undo.limit_seconds(parsed.value, timeout_seconds_each=60)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    place = tmp_path_factory.mktemp("hostile") / "ws"
    for name in ("targets.yaml", "drillmark.yaml", "experiments/orders-db-lost.yaml", "experiments/load/orders.py"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes((ROOT / name).read_bytes())
    (place / "drills").mkdir()
    (place.parent / "outside.yaml").write_bytes((ROOT / "experiments/orders-db-lost.yaml").read_bytes())
    (place / "experiments/link.yaml").symlink_to(place.parent / "outside.yaml")
    return place


@many(200)
@given(SEEDS)
def test_a_whole_workspace_around_a_spoiled_drill(root, seed):
    """Through every check and into the plan; nothing in it is run, or looked for, outside."""
    chance = random.Random(seed)
    drill = yaml.safe_load((ROOT / "drills/quarterly/orders-db-lost.yaml").read_text())
    (root / "drills/d.yaml").write_bytes(
        yaml.safe_dump(spoiled(drill, chance), allow_unicode=True).encode("utf-8", "surrogatepass")
    )
    checked = workspaces.Workspace(root, ask=lambda *_: ({}, {})).check("drills/d.yaml")
    assert checked.plan is not None or checked.problems or checked.refusals
    for problem in [*checked.problems, *checked.warnings, *checked.refusals]:
        assert not harmful(error_text(problem.message, problem.hint))
    assert not (root / "owned").exists()
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fault", "../outside.yaml"),
        ("fault", "/etc/passwd"),
        ("fault", "experiments/link.yaml"),
        ("fault", "experiments/../../outside.yaml"),
        ("load", "../outside.py"),
        ("runbook", "../../etc/passwd"),
        ("runbook", "/etc/passwd"),
        ("runbook", "file:///etc/passwd"),
        ("fault", "\x1b[2J"),
    ],
)
def test_a_path_that_leaves_the_workspace_is_refused(root, field, value):
    drill = yaml.safe_load((ROOT / "drills/quarterly/orders-db-lost.yaml").read_text()) | {field: value}
    (root / "drills/d.yaml").write_text(yaml.safe_dump(drill))
    checked = workspaces.Workspace(root, ask=lambda *_: ({}, {})).check("drills/d.yaml")
    assert checked.plan is None
    assert checked.problems


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch owned']",
        "!!python/name:os.system",
        "!!binary aGk=",
        "!own x",
        "!!set {a}",
    ],
)
@pytest.mark.parametrize("read", [read_drill, read_targets, read_settings])
def test_tags_are_refused(read, tag):
    parsed = read(f"title: {tag}\n".encode(), "f.yaml")
    assert parsed.value is None
    assert any("tag" in problem.message for problem in parsed.problems)


def test_a_python_tag_in_an_experiment_builds_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parsed = read_experiment(b"title: !!python/object/apply:os.system ['touch owned']\nmethod: []\n", "e.yaml")
    assert parsed.value is None
    assert list(tmp_path.iterdir()) == []


BOMBS = {
    "aliases": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(12)),
    "depth": "[" * 100_000,
    "mapping depth": "{a: " * 50_000,
    "itself": "a: &a [*a]\n",
    "wide": "- x\n" * 200_000,
    "one long key": "k" * 900_000 + ": 1\n",
    "digits": "a: " + "9" * 900_000 + "\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("read", [read_drill, read_targets, read_experiment])
def test_bombs_are_bounded(bomb, read):
    """Bounded by what is written out, which is told at once: processor time, as the machine may be busy."""
    began = time.process_time()
    parsed = read(BOMBS[bomb].encode(), "bomb.yaml")
    assert parsed.value is None
    assert parsed.problems
    assert time.process_time() - began < 30


def test_more_than_a_definition_may_weigh_is_not_read():
    assert "too large" in yaml_core.read(b"x" * 1_000_001, "big.yaml").problems[0].message
