"""A Chaos Toolkit experiment, read as Chaos Toolkit reads it and kept unchanged.

YAML is read by PyYAML's own (1.1) rules, as `chaos run` does, but for dates, which stay text: a plan is JSON.
Whether Chaos Toolkit finds the experiment valid is asked elsewhere; here is what can be told from the text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import yaml

from drillmark.define import chaos_keys, yaml_core
from drillmark.define.marks import Marks, Path, dotted, get
from drillmark.define.rules import secret_problems
from drillmark.errors import Problem

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE):  # type: ignore[misc]
    """PyYAML's safe loader; dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _SAFE.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment's file, read.

    Attributes:
        file: its path as told in problems.
        value: the experiment; None where it could not be read.
        marks: the place of every key and value, as far as known.
        problems: what makes it unusable.
        warnings: what Chaos Toolkit lets pass in silence.
        actions: names of the method's actions, in order.
        undos: names of the rollbacks, in file order.
    """

    file: str
    value: dict[str, Any] | None
    marks: Marks
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    undos: list[str] = field(default_factory=list)


def read_experiment(data: bytes, file: str) -> Experiment:
    """Read an experiment, JSON or YAML by its file's name. Raises nothing: what is wrong stands in `problems`."""
    value, marks, problems = _load(data, file)
    if problems or value is None:
        return Experiment(file, None, marks, problems)
    if not isinstance(value, dict):
        return Experiment(file, None, marks, [Problem(file, 0, 0, "an experiment is a mapping with title, method...")])
    problems += _not_json(value, marks, ())
    problems += secret_problems(value.get("secrets"), marks, ("secrets",))
    actions = [name for name, kind in _named(value, "method") if kind == "action"]
    undos = [name for name, _ in _named(value, "rollbacks")]
    return Experiment(file, value, marks, problems, chaos_keys.experiment_warnings(value, marks), actions, undos)


def _load(data: bytes, file: str) -> tuple[Any, Marks, list[Problem]]:
    if file.endswith(".json"):
        return _load_json(data, file)
    if not file.endswith((".yaml", ".yml")):
        hint = "Chaos Toolkit reads .yaml, .yml and .json"
        return None, Marks(file), [Problem(file, 0, 0, "not an experiment's file name", hint)]
    document = yaml_core.read(data, file, strict=False)
    if document.problems:
        return None, document.marks, document.problems
    try:
        # A SafeLoader in all but its dates.
        value = yaml.load(data.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        what = getattr(error, "problem", None) or str(error)
        return None, document.marks, [Problem(file, line, column, f"this YAML cannot be read: {what}")]
    return value, document.marks, []


def _load_json(data: bytes, file: str) -> tuple[Any, Marks, list[Problem]]:
    text = yaml_core.text_of(data, file)
    if isinstance(text, Problem):
        return None, Marks(file), [text]
    problems: list[Problem] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in items:
            if key in seen:
                problems.append(Problem(file, 0, 0, f"duplicate key `{key}`", "keep one of the two"))
            seen.add(key)
        return dict(items)

    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        return None, Marks(file), [Problem(file, error.lineno, error.colno, message)]
    except (RecursionError, ValueError):
        return None, Marks(file), [Problem(file, 0, 0, "this JSON is nested too deep, or holds too long a number")]
    # JSON is YAML, so the places can be told; where the reader disagrees, only the file is named.
    document = yaml_core.read(data, file, strict=False)
    too_deep = any("deeper" in problem.message for problem in document.problems)
    if too_deep:
        return None, document.marks, document.problems
    return value, Marks(file) if document.problems else document.marks, problems


def _named(experiment: dict[str, Any], block: str) -> list[tuple[str, str]]:
    """Name and type of each activity of a block; a `ref` is looked up as chaoslib does."""
    known: dict[str, Any] = {}
    for path in (("method",), ("steady-state-hypothesis", "probes")):
        items = get(experiment, *path)
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict) and "name" in item:
                known[str(item["name"])] = item
    found: list[tuple[str, str]] = []
    items = experiment.get(block)
    for item in items if isinstance(items, list) else []:
        name = str(get(item, "ref") or get(item, "name") or "")
        whole = known.get(name) if get(item, "ref") else item
        found.append((name, str(get(whole, "type") or "")))
    return found


def _not_json(value: Any, marks: Marks, at: Path) -> list[Problem]:
    """Values that YAML can hold and JSON cannot: a plan is JSON."""
    if isinstance(value, dict):
        found: list[Problem] = []
        for key, item in value.items():
            if not isinstance(key, str):
                found.append(marks.problem(at, f"the key `{key}` in `{dotted(at)}` is not text", "quote it"))
            found += _not_json(item, marks, (*at, str(key)))
        return found
    if isinstance(value, list):
        return [problem for index, item in enumerate(value) for problem in _not_json(item, marks, (*at, index))]
    if value is None or isinstance(value, (str, int)):
        return []
    if isinstance(value, float) and value == value and value not in (float("inf"), float("-inf")):  # noqa: PLR0124
        return []
    return [marks.problem(at, f"`{dotted(at)}` cannot stand in JSON: {type(value).__name__}")]
