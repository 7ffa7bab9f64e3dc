"""The reference pages name every field there is, and no field that there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from drillmark.define import read_drill, read_settings, read_targets
from drillmark.define.activity import Activity, Ref
from drillmark.define.drill import Drill
from drillmark.define.problems import keys_of, models_at
from drillmark.define.settings import Settings
from drillmark.define.targets import Target, Targets

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGES: dict[str, tuple[type[BaseModel], ...]] = {
    "drill": (Drill, Ref),
    "targets": (Targets, Target, Activity),
    "settings": (Settings,),
}
# Told on a page of their own, or in the table of references.
ELSEWHERE = {Activity, Ref, Target}


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every field of a model and of what stands in it, as people write it."""
    for key in keys_of(model):
        path = f"{prefix}{key}"
        yield path
        told: set[type[BaseModel]] = set()  # what may be written as one or as a list is told once
        for located, mark in (((key,), "."), ((key, 0), "[]."), ((key, "<fault>"), "."), ((key, "<within>"), ".")):
            for inner in models_at(model, located):
                if inner not in ELSEWHERE | told and inner is not model:
                    told.add(inner)
                    yield from fields(inner, f"{path}{mark}")


def told(name: str) -> set[str]:
    """The fields that a page's tables name, in their first column or in bold."""
    rows = [line for line in (REFERENCE / f"{name}.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return set(re.findall(r"`([a-z_0-9.\[\]]+)`", "\n".join(rows)))


@pytest.mark.parametrize("name", list(PAGES))
def test_every_field_is_told(name):
    known = {field for model in PAGES[name] for field in fields(model)}
    assert len(known) > 5
    assert sorted(known - told(name)) == []


@pytest.mark.parametrize("name", list(PAGES))
def test_no_field_is_told_that_is_not_there(name):
    known = {field for model in PAGES[name] for field in fields(model)}
    nested = {field for field in told(name) if "." in field and not field.startswith(".") and not field[0].isdigit()}
    assert sorted(nested - known - {"targets.yaml"}) == []


@pytest.mark.parametrize(
    ("name", "read"), [("drill", read_drill), ("targets", read_targets), ("settings", read_settings)]
)
def test_the_example_of_the_page_is_right(name, read):
    (example,) = re.findall(r"```yaml\n(.*?)```", (REFERENCE / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL)
    parsed = read(example.encode(), name)
    assert (parsed.problems, parsed.warnings) == ([], [])


def test_fields_are_found_in_depth():
    assert {
        "objectives.slo.latency.p99",
        "fault.experiment",
        "observe.alerts[].match",
        "schedule.window.from",
        "schedule.missed.run_within",
    } <= set(fields(Drill))
