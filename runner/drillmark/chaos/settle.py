"""Loads configuration and secrets as chaoslib does, and says what chaoslib keeps silent about.

Imported in child processes alone. Must never write a value anywhere.
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaoslib.configuration import load_configuration, load_dynamic_configuration
from chaoslib.exceptions import ChaosException
from chaoslib.secret import load_secrets

from drillmark.chaos import redact, vault
from drillmark.chaos.needed import needed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillmark.chaos.bare import Extra
    from drillmark.chaos.redact import Redactor


@dataclass(frozen=True, slots=True)
class Settled:
    """Configuration and secrets with their values, and what could not be loaded.

    Attributes:
        problems: all of it, in words.
        absent: the blocks of secrets that are among it, with the same words.
    """

    configuration: dict[str, Any]
    secrets: dict[str, Any]
    problems: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict[str, str])

    def problems_for(self, activity: Mapping[str, Any], declared: Mapping[str, Any]) -> list[str]:
        """The problems that concern an activity: not those of `declared` secrets that it cannot use."""
        used = needed(declared, [activity, self.configuration])
        concern = {words for name, words in self.absent.items() if name in used}
        elsewhere = set(self.absent.values()) - concern
        return [words for words in self.problems if words not in elsewhere]


def prime(redactor: Redactor, secrets: Mapping[str, Any]) -> None:
    """Teach the redactor all that can be known before anything is loaded, so that not even a load error leaks."""
    redactor.add(redact.collect_references(dict(secrets), os.environ))
    redactor.add(redact.collect_by_name(os.environ))


def settle(
    configuration: Mapping[str, Any],
    secrets: Mapping[str, Any],
    variables: Mapping[str, Any],
    redactor: Redactor,
    extra: Extra | None = None,
) -> Settled:
    """Load everything that can be loaded. What cannot is left out, and named in `problems`.

    `variables` are ours (`drillmark_run`, ...): static keys laid over the configuration, None left out. `extra` are the
    user's own, which chaoslib itself lays over configuration and secrets.
    """
    prime(redactor, secrets)
    over, secret_over = (extra.configuration, extra.secrets) if extra else ({}, {})
    redactor.add(redact.collect(secret_over))
    problems: list[str] = []
    # chaoslib takes out of its variables what it has used.
    static = _each(configuration, lambda part: load_configuration(part, dict(over)), "configuration", problems)
    redactor.add(redact.collect_by_name(static))
    ours = {name: value for name, value in variables.items() if value is not None}
    if vault.used_by(dict(secrets)):
        vault.mend_client()
    absent: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, value in secrets.items():
        found: list[str] = []
        values |= _each({name: value}, lambda part: load_secrets(part, static, dict(secret_over)), "secret", found)
        if found:
            absent[name] = redactor.text(found[0])
        problems += found
    redactor.add(redact.collect(values))
    problems += [
        f"the secret '{name}' could not be read from vault"
        for name, value in secrets.items()
        if _unread(value, values.get(name))
    ]
    # chaoslib writes the secrets into the very activity that it is given.
    dynamic = load_dynamic_configuration({**copy.deepcopy(static), **ours}, values)
    redactor.add(redact.collect_by_name(dynamic))
    problems += [
        f"the configuration '{name}' could not be loaded: its probe failed" for name in static if name not in dynamic
    ]
    return Settled(dynamic, values, [redactor.text(problem) for problem in problems], absent)


def _unread(declared: Any, loaded: Any) -> bool:
    # Without Vault's client, or without the path, chaoslib logs that and hands out an empty secret.
    if not isinstance(declared, dict):
        return False
    if declared.get("type") == "vault":
        return loaded == {}
    return isinstance(loaded, dict) and any(_unread(value, loaded.get(name)) for name, value in declared.items())


def _each(block: Mapping[str, Any], load: Any, what: str, problems: list[str]) -> dict[str, Any]:
    # One by one: a rollback must not fail for a secret that it does not use.
    loaded: dict[str, Any] = {}
    for name, value in block.items():
        try:
            loaded.update(load({name: copy.deepcopy(value)}))
        except ChaosException as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - Vault's client and type conversions raise what they like
            problems.append(f"the {what} '{name}' could not be loaded: {type(error).__name__}: {error}")
    return loaded
