"""Loads a bare experiment as `chaos run` does: settings, variables, global controls, the file itself.

Imported in the experiment child alone. What the parent must know comes back in a file (`LOADED`): the experiment as the
plan holds it, and with its configuration resolved as the undo file holds it. Must never write the value of a secret
there: such a variable stands in it as a reference to the environment.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from chaoslib import convert_vars, merge_vars
from chaoslib.control import load_global_controls
from chaoslib.exceptions import ChaosException
from chaoslib.loader import load_experiment, parse_experiment_from_file
from chaoslib.settings import load_settings

from drillmark import versions
from drillmark.chaos import checks, redact, resolved
from drillmark.chaos.launch import VARIABLE, kept_back
from drillmark.chaos.values import jsonable
from drillmark.files import write_durably

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillmark.chaos.redact import Redactor
    from drillmark.chaos.settle import Settled

LOADED = "loaded.json"


class UnloadableError(Exception):
    """The experiment, or something that it is to be run with, cannot be loaded. Nothing has begun."""


@dataclass(frozen=True, slots=True)
class Extra:
    """Values that are laid over an experiment's configuration and secrets."""

    configuration: dict[str, Any] = field(default_factory=dict[str, Any])
    secrets: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Bare:
    """A bare experiment, loaded."""

    experiment: dict[str, Any]
    settings: dict[str, Any]
    extra: Extra
    texts: list[str]  # `name[:type]=value`, as they were given


def load(options: Mapping[str, Any]) -> Bare:
    """Load all that `chaos run` would load. Raises UnloadableError."""
    settings = _settings(options["settings_path"])
    extra = read_extra(options.get("vars") or [], options["var_files"])
    _load_controls(settings, list(options["control_files"]))
    experiment = _known(options) or _load(options, settings)
    if not isinstance(experiment, dict):
        raise UnloadableError(f"{options['source']} holds no experiment: a mapping with title, description and method")
    if settings.get("notifications"):
        from drillmark.chaos import notifying  # noqa: PLC0415 - whoever tells nobody does not wait for it

        notifying.began(settings, experiment)
    return Bare(experiment, settings, extra, list(options.get("vars") or []))


def _known(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The experiment where a plan holds it already, but for its secrets."""
    experiment: dict[str, Any] | None = options.get("experiment")
    if experiment and experiment.get("secrets") and "://" not in options["source"]:
        return {**experiment, "secrets": read_secrets(options["source"])}
    return experiment


def read_extra(texts: list[str], var_files: list[str]) -> Extra:
    """Variables of the command line, over those of files. Raises UnloadableError."""
    try:
        return Extra(*merge_vars(convert_vars(texts), list(var_files)))
    except (ValueError, AttributeError, TypeError) as error:
        raise UnloadableError(f"variables cannot be read: {error}") from error


def read_secrets(path: str) -> dict[str, Any]:
    """The secrets of an experiment's file, as they are written there. Raises UnloadableError."""
    try:
        return dict(parse_experiment_from_file(path).get("secrets") or {})
    except (ChaosException, OSError, ValueError, TypeError, AttributeError) as error:
        raise UnloadableError(f"the secrets in {path} cannot be read: {error}") from error


def tell(bare: Bare, settled: Settled, redactor: Redactor, directory: Path) -> None:
    """Write down what the parent must know. Raises OSError."""
    experiment = jsonable(bare.experiment)
    block = _laid_over(experiment.get("configuration") or {}, bare)
    whole = {**experiment, "configuration": block} if block else experiment
    secrets = experiment.get("secrets") or {}
    without = _without_values(secrets)
    if secrets:
        whole["secrets"] = without
    values = resolved.static(block, settled, redactor)
    told = {
        "experiment": whole,
        "resolved": {**whole, "configuration": values},
        "secrets_written_out": without != secrets,
        "versions": versions.used(),  # here Python's metadata are imported anyway
    }
    write_durably(directory / LOADED, json.dumps(told, ensure_ascii=False))


def _without_values(secrets: Any) -> Any:
    if not isinstance(secrets, dict):
        return redact.MASK
    if secrets.get("type") in ("env", "vault"):
        return secrets
    return {name: _without_values(value) for name, value in secrets.items()}


def _settings(path: str) -> dict[str, Any]:
    try:
        settings: Any = load_settings(path) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise UnloadableError(f"the settings {path} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise UnloadableError(f"the settings {path} are no mapping")
    return settings


def _load_controls(settings: dict[str, Any], files: list[str]) -> None:
    """Load the controls of settings and files. chaoslib drops what it cannot load; with it would go what it guards."""
    try:
        named = {**(settings.get("controls") or {}), **{key: one for path in files for key, one in _read(path).items()}}
        wrong = checks.control_problems([{"controls": [{**control, "name": key} for key, control in named.items()]}])
        if wrong:
            raise UnloadableError("; ".join(wrong))
        load_global_controls(settings, files)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError) as error:
        raise UnloadableError(f"the controls cannot be loaded: {error}") from error


def _read(path: str) -> dict[str, Any]:
    text = Path(path).read_text(encoding="utf-8")
    value = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    return value or {}


def _load(options: Mapping[str, Any], settings: dict[str, Any]) -> Any:
    source = str(options["source"])
    try:
        return load_experiment(source, settings, verify_tls=bool(options["verify_tls"]))
    except (ChaosException, OSError, ValueError, TypeError) as error:
        # TypeError: a server that names no content type.
        raise UnloadableError(f"{source} cannot be loaded: {error}") from error


def _laid_over(block: dict[str, Any], bare: Bare) -> dict[str, Any]:
    """The configuration with the variables in it; those that hold a secret stay in the environment."""
    types = {name: kind for name, kind in map(kept_back, bare.texts) if kind is not None}
    over = {name: value for name, value in bare.extra.configuration.items() if name in block}
    return {
        **copy.deepcopy(block),
        **{
            name: {"type": "env", "key": f"{VARIABLE}{name}", "env_var_type": types[name]}
            if name in types
            else jsonable(value)
            for name, value in over.items()
        },
    }
