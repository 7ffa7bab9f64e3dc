"""What is shipped fits together: targets' activities and experiments call functions that exist, and the docs name them."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest
import yaml
from chaoslib.activity import ensure_activity_is_valid
from chaoslib.experiment import ensure_experiment_is_valid

ROOT = Path(__file__).parents[2]
TARGETS = yaml.safe_load((ROOT / "targets.yaml").read_text())
ACTIVITIES = [(name, activity) for name, target in TARGETS["targets"].items() for activity in target["activities"]]
DOCUMENTED = {
    "recovery": (
        "drillmark.recovery.postgres_pitr",
        "drillmark.recovery.probes",
        "drillmark.recovery.postgres_dump",
        "drillmark.database.drilling",
    ),
    "faults": tuple(
        f"drillmark.faults.{path.stem}"
        for path in sorted((ROOT / "runner/drillmark/faults").glob("*.py"))
        if "\n@activity\n" in path.read_text()
    ),
}


@pytest.mark.parametrize(
    ("target", "activity"), ACTIVITIES, ids=lambda value: value if isinstance(value, str) else value["name"]
)
def test_every_activity_of_the_targets_is_chaos_toolkits(target: str, activity: dict):
    ensure_activity_is_valid(activity)


def test_what_a_target_names_is_among_its_activities():
    for target in TARGETS["targets"].values():
        known = {activity["name"] for activity in target["activities"]}
        lists = [target.get(key, []) for key in ("probes", "side", "verify", "preflight")]
        single = {target.get(key) for key in ("effect", "identity", "source", "discard")} - {None}
        assert {*single, *(name for names in lists for name in names)} <= known


@pytest.mark.parametrize("path", sorted(ROOT.glob("experiments/*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_is_chaos_toolkits_and_has_an_undo(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ORDERS_DSN", "service=orders")
    monkeypatch.setenv("ORDERS_ADMIN_DSN", "service=orders-admin")
    experiment = yaml.safe_load(path.read_text())
    ensure_experiment_is_valid(experiment)
    assert experiment["rollbacks"]


@pytest.mark.parametrize("name", DOCUMENTED["faults"])
def test_a_fault_is_one_small_file_with_its_action_its_undo_and_its_proof(name: str):
    module = importlib.import_module(name)
    lines = len(Path(str(module.__file__)).read_text().splitlines())
    assert 20 <= lines <= 85, f"{name} has {lines} lines"
    functions = [f for _, f in inspect.getmembers(module, inspect.isfunction) if hasattr(f, "__wrapped__")]
    own = [function for function in functions if function.__module__ == name]
    proofs = [function for function in own if inspect.signature(function).return_annotation == "bool"]
    assert len(own) >= 3
    assert len(proofs) == 1, "one probe that proves the effect"


@pytest.mark.parametrize("path", sorted(ROOT.glob("drills/*/*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_drill_ends_within_two_and_a_half_minutes_on_the_lab(path: Path):
    phases = yaml.safe_load(path.read_text())["phases"]
    seconds = sum(float(str(phases.get(name, "0s")).removesuffix("s")) for name in ("baseline", "fault", "soak"))
    assert seconds <= 60, "the rest is for starting, recovering and concluding"


@pytest.mark.parametrize("page", DOCUMENTED)
def test_every_function_and_argument_is_documented(page: str):
    text = (ROOT / "docs" / "reference" / f"{page}.md").read_text()
    for module_name in DOCUMENTED[page]:
        module = importlib.import_module(module_name)
        assert f"`{module_name}`" in text
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("_") or function.__module__ != module_name or not hasattr(function, "__wrapped__"):
                continue
            assert f"`{name}`" in text, name
            for argument in inspect.signature(function).parameters:
                assert argument in {"configuration", "secrets"} or f"`{argument}`" in text, f"{name}({argument})"
