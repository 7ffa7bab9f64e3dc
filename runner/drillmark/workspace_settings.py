"""The settings of a workspace, for an environment: `drillmark.yaml`, its overlay, variables, flags.

Which environment: the one that `--environment` or DRILLMARK_ENVIRONMENT names; else the one in which a drill's target
stands, where that has an overlay; else none. Flags reach the processes that a command starts by one variable.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from drillmark import places
from drillmark.define import layers
from drillmark.define.layers import Layer
from drillmark.define.marks import Marks
from drillmark.define.nearest import hint_for
from drillmark.errors import Problem, UsageError
from drillmark.workspace_files import Files

ENVIRONMENT = "DRILLMARK_ENVIRONMENT"
FLAGS = "DRILLMARK_FLAGS"
FOLDER = "environments"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def chosen(root: Path) -> str:
    """The environment that was named, or an empty string. Raises UsageError where it has no overlay."""
    name = os.environ.get(ENVIRONMENT, "").strip()
    if not name:
        return ""
    if not (_NAME.fullmatch(name) and (root / overlay(name)).is_file()):
        known = [path.stem for path in sorted((root / FOLDER).glob("*.yaml"))]
        raise UsageError(
            f"there is no environment {name!r}: no file {FOLDER}/{name}.yaml",
            hint=hint_for(name, known, what="environments here"),
        )
    return name


def environment_of(root: Path, target_environment: str = "") -> str:
    """Whose overlay counts for a drill on a target of that environment."""
    has_overlay = bool(target_environment) and (root / overlay(target_environment)).is_file()
    return chosen(root) or (target_environment if has_overlay else "")


def overlay(environment: str) -> str:
    """An environment's file, from the workspace root."""
    return f"{FOLDER}/{environment}.yaml"


def read(files: Files, environment: str = "") -> list[Layer]:
    """Every layer, the base first. `environment`: see `environment_of`."""
    names = [places.SETTINGS, *([overlay(environment)] if environment else [])]
    found: list[Layer] = []
    for name in names:
        data = files.read(name)
        found.append(Layer(name, {}, Marks(name), [data]) if isinstance(data, Problem) else layers.of_file(data, name))
    return [*found, *layers.of_variables(os.environ), *layers.of_flags(flags())]


def flags() -> list[str]:
    """What was given with `--set`."""
    text = os.environ.get(FLAGS, "")
    return [str(one) for one in json.loads(text)] if text else []


def hand_on(environment: str | None, given: tuple[str, ...]) -> None:
    """Let the flags count in this process and in those that it starts. Raises UsageError for a `--set` without `=`."""
    for text in given:
        if "=" not in text:
            raise UsageError(f"--set {text} gives no value", hint="--set guard.lease=45s")
    if environment is not None:
        os.environ[ENVIRONMENT] = environment
    if given:
        os.environ[FLAGS] = json.dumps(given)
