"""From a file's bytes to a checked definition: what was read, and everything that is wrong with it.

A definition with problems has no `value`; its `raw` document is still there, so that later checks (names that
do not exist, files that are missing) find what they can in the same go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from drillmark.define import rules, yaml_core
from drillmark.define.drill import Drill
from drillmark.define.marks import Marks
from drillmark.define.problems import problems_of
from drillmark.define.settings import Settings
from drillmark.define.targets import Targets
from drillmark.errors import Problem

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """A definition file, read.

    Attributes:
        file: its path as told in problems.
        value: the definition; None where there is any problem.
        raw: the document as written, also where it is wrong; None where it could not be read.
        marks: the place of every key and value.
        problems: everything that is wrong; nothing may run.
        warnings: what is allowed and probably not meant.
    """

    file: str
    value: T | None
    raw: Any
    marks: Marks
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def read_drill(data: bytes, file: str) -> Parsed[Drill]:
    """Read a drill file. Raises nothing: what is wrong stands in `problems`."""
    parsed = _read(data, file, Drill, rules.drill_problems, rules.drill_warnings)
    if parsed.problems and isinstance(parsed.raw, dict) and _is_experiment(parsed.raw):
        message = "this is a Chaos Toolkit experiment, not a drill"
        hint = f"check the drill that names it as its `fault`, or play it: drillmark experiment {file}"
        return replace(parsed, value=None, raw=None, problems=[parsed.marks.problem((), message, hint)], warnings=[])
    return parsed


def _is_experiment(raw: dict[str, Any]) -> bool:
    return "method" in raw and not {"id", "target", "fault", "phases"} & raw.keys()


def read_targets(data: bytes, file: str) -> Parsed[Targets]:
    """Read a targets file. Raises nothing: what is wrong stands in `problems`."""
    return _read(data, file, Targets, rules.targets_problems, rules.targets_warnings)


def read_settings(data: bytes, file: str) -> Parsed[Settings]:
    """Read `drillmark.yaml`. An empty file means all defaults. Raises nothing."""
    if not data.strip() or all(line.strip()[:1] in (b"", b"#") for line in data.splitlines()):
        data = b"{}"
    return _read(data, file, Settings, rules.no_problems, rules.no_problems)


def _read(data: bytes, file: str, model: type[T], more: rules.Check, warn: rules.Check) -> Parsed[T]:
    document = yaml_core.read(data, file)
    problems = list(document.problems)
    raw, marks = document.value, document.marks
    if raw is None:
        return Parsed(file, None, None, marks, problems)
    value: T | None = None
    try:
        value = model.model_validate(raw)
    except ValidationError as error:
        problems += problems_of(error, model, marks)
    problems += more(raw, marks)
    problems = sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column))
    return Parsed(file, None if problems else value, raw, marks, problems, warn(raw, marks))
