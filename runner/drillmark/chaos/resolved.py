"""Gives an experiment's configuration its values, once, before the fault.

chaoslib resolves dynamic configuration anew in every process: the rollback of a crashed run would be given another
victim than the fault had. Imported in the worker process alone. Must never let a secret's value out.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from drillmark.chaos import redact
from drillmark.chaos.settle import settle
from drillmark.chaos.values import jsonable

if TYPE_CHECKING:
    from drillmark.chaos.redact import Redactor
    from drillmark.chaos.settle import Settled

REFERENCES = ("env", "vault", "probe")


def resolve(experiment: dict[str, Any], variables: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """`output`: the configuration with static values. What holds a secret stays the reference that it was."""
    block = experiment.get("configuration") or {}
    secrets = experiment.get("secrets") or {}
    settled = settle(block, secrets, variables, redactor)
    users = {key: value for key, value in experiment.items() if key != "secrets"}
    problems = [problem for problem in settled.problems_for(users, secrets) if problem]
    if problems:
        return {"status": "failed", "error": "; ".join(problems), "output": None}
    ours = {name: value for name, value in variables.items() if value is not None}
    return {"status": "succeeded", "error": "", "output": {**static(block, settled, redactor), **ours}}


def static(block: dict[str, Any], settled: Settled, redactor: Redactor) -> dict[str, Any]:
    """The configuration with static values; what holds a secret stays the reference that it is in `block`."""
    return {name: _static(name, block.get(name), value, redactor) for name, value in settled.configuration.items()}


def _static(name: str, declared: Any, value: Any, redactor: Redactor) -> Any:
    plain = jsonable(value)
    is_reference = isinstance(declared, dict) and declared.get("type") in REFERENCES
    if not is_reference:
        return plain
    secret = redactor.value(plain) != plain or _names_secret(name, declared)
    # A value in the shape of a reference would be taken for one when it is loaded again.
    ambiguous = isinstance(plain, dict) and plain.get("type") in REFERENCES
    return copy.deepcopy(declared) if secret or ambiguous else plain


def _names_secret(name: str, declared: dict[str, Any]) -> bool:
    return redact.is_secret_name(name) or redact.is_secret_name(str(declared.get("key", "")))
