"""The shape of a Chaos Toolkit experiment: its activities, its keys, its time-outs. Pure; imports no chaoslib."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from drillmark.chaos.redact import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPERIMENT = """version title description tags contributions configuration secrets extensions controls dry runtime
steady-state-hypothesis method rollbacks"""
_ACTIVITY = "type name provider ref background pauses controls tolerance timeout dry"
EXPERIMENT_KEYS = frozenset(_EXPERIMENT.split())
HYPOTHESIS_KEYS = frozenset({"title", "probes", "controls"})
ACTIVITY_KEYS = frozenset(_ACTIVITY.split())
PROVIDER_KEYS = {
    "python": frozenset({"type", "module", "func", "arguments", "secrets", "timeout"}),
    "process": frozenset({"type", "path", "arguments", "timeout", "secrets"}),
    "http": frozenset(
        {"type", "url", "method", "headers", "arguments", "timeout", "verify_tls", "max_retries", "secrets"}
    ),
}
# chaoslib enforces the time-outs of these two itself; ours come after it, for what it cannot see.
SLACK_SECONDS = {"process": 5.0, "http": 10.0}

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}|\$(\w+)")


def places(experiment: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Every activity with its section (`hypothesis`, `method`, `rollbacks`) and its place in it."""
    hypothesis = experiment.get("steady-state-hypothesis") or {}
    for section, listed in (
        ("hypothesis", hypothesis.get("probes")),
        ("method", experiment.get("method")),
        ("rollbacks", experiment.get("rollbacks")),
    ):
        for index, activity in enumerate(listed or []):
            yield section, index, activity


def activities(experiment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every activity, in order."""
    return (activity for _, _, activity in places(experiment))


def dereference(experiment: dict[str, Any], activity: dict[str, Any]) -> dict[str, Any] | None:
    """The activity that a `ref` names (in method or hypothesis, as chaoslib looks it up), or the activity itself."""
    reference = activity.get("ref")
    if not reference:
        return activity
    found = [
        other for section, _, other in places(experiment) if section != "rollbacks" and other.get("name") == reference
    ]
    # chaoslib fills its cache with the method first, then with the hypothesis: the last of a name wins.
    in_hypothesis = [
        other for section, _, other in places(experiment) if section == "hypothesis" and other.get("name") == reference
    ]
    return (in_hypothesis or found or [None])[-1]


def name_of(activity: dict[str, Any]) -> str:
    """The name to show for an activity."""
    return str(activity.get("name") or activity.get("ref") or "")


def timeout_seconds(activity: dict[str, Any]) -> float | None:
    """How long the activity says that it may take, by its own `timeout` or its provider's."""
    provider = activity.get("provider")
    if not isinstance(provider, dict):
        provider = {}
    kind = str(provider.get("type"))
    limits: list[float] = []
    if _is_number(activity.get("timeout")):
        limits.append(float(activity["timeout"]))
    if _is_number(provider.get("timeout")):
        limits.append(float(provider["timeout"]) + SLACK_SECONDS.get(kind, 0.0))
    return min(limits, default=None)


def shape_problems(experiment: dict[str, Any]) -> Iterator[str]:
    """Shapes on which chaoslib itself would stumble with a TypeError."""
    hypothesis = experiment.get("steady-state-hypothesis")
    if hypothesis is not None and not isinstance(hypothesis, dict):
        yield "steady-state-hypothesis is a mapping"
        return
    for key, listed in (
        ("steady-state-hypothesis.probes", (hypothesis or {}).get("probes")),
        ("method", experiment.get("method")),
        ("rollbacks", experiment.get("rollbacks")),
        ("controls", experiment.get("controls")),
    ):
        if listed is None:
            continue
        if not isinstance(listed, list):
            yield f"{key} is a list"
        elif not all(isinstance(item, dict) for item in listed):
            yield f"each entry of {key} is a mapping"
    for key in ("configuration", "secrets"):
        if not isinstance(experiment.get(key, {}), dict):
            yield f"{key} is a mapping"


def dry_problems(experiment: dict[str, Any]) -> list[str]:
    """`dry` in a file is ignored or overrides the global one, by chaoslib's mood: a drill refuses it."""
    found = ["the experiment says 'dry': a drill is never dry (see `drillmark plan`)"] if experiment.get("dry") else []
    return found + [
        f"the activity '{name_of(activity)}' says 'dry': a drill is never dry (see `drillmark plan`)"
        for activity in activities(experiment)
        if activity.get("dry") is not None
    ]


def literal_problems(secrets: Any, path: str = "") -> list[str]:
    """Passwords and tokens that are written out in a `secrets` block: they would stand in plan and undo file."""
    if not isinstance(secrets, dict) or secrets.get("type") in ("env", "vault"):
        return []
    found: list[str] = []
    for name, value in secrets.items():
        if isinstance(value, dict):
            found += literal_problems(value, f"{path}{name}.")
        elif isinstance(value, str) and value and "${" not in value and is_secret_name(str(name)):
            found.append(f"the secret '{path}{name}' is written out: refer to it with type env or vault")
    return found


def dangling_problems(experiment: dict[str, Any]) -> list[str]:
    """References that name no activity. In a rollback, chaoslib would notice during the rollback."""
    return [
        f"the {section} refers to an activity '{activity['ref']}' that does not exist"
        for section, _, activity in places(experiment)
        if activity.get("ref") and dereference(experiment, activity) is None
    ]


def warnings(experiment: dict[str, Any]) -> list[str]:
    """What is valid and does not do what its author may believe: unknown keys, secrets on a command line."""
    found = [f"unknown key '{key}' in the experiment" for key in experiment if not _known(key, EXPERIMENT_KEYS)]
    hypothesis = experiment.get("steady-state-hypothesis") or {}
    found += [f"unknown key '{key}' in the hypothesis" for key in hypothesis if not _known(key, HYPOTHESIS_KEYS)]
    for activity in activities(experiment):
        name, provider = name_of(activity), activity.get("provider") or {}
        found += [f"unknown key '{key}' in the activity '{name}'" for key in activity if not _known(key, ACTIVITY_KEYS)]
        known = PROVIDER_KEYS.get(str(provider.get("type")))
        if known is not None:
            found += [f"unknown key '{key}' in the provider of '{name}'" for key in provider if not _known(key, known)]
        if provider.get("type") == "process":
            found += [
                f"the activity '{name}' puts the secret '{secret}' on a command line, where every user can read it"
                for secret in sorted(_names(provider.get("arguments")) & _secret_keys(experiment))
            ]
    return found


def environment_references(experiment: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of the environment variables that configuration and secrets need, with their declared type."""
    for block in (experiment.get("configuration") or {}, experiment.get("secrets") or {}):
        yield from _references(block)


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if value.get("type") == "env" and "key" in value:
            if "default" not in value:
                yield str(value["key"]), str(value.get("env_var_type", ""))
            return
        for item in value.values():
            yield from _references(item)


def _known(key: object, known: frozenset[str]) -> bool:
    return key in known or str(key).startswith("x-")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names(value: Any) -> set[str]:
    if isinstance(value, str):
        return {first or second for first, second in _PLACEHOLDER.findall(value)}
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set[str]().union(*(_names(item) for item in items))


def _secret_keys(experiment: dict[str, Any]) -> set[str]:
    blocks = (experiment.get("secrets") or {}).values()
    return {str(key) for block in blocks if isinstance(block, dict) for key in block}
