"""The keys that Chaos Toolkit knows. Others pass its validation in silence; Drillmark warns and names them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from drillmark.define.marks import Marks, Path, get
from drillmark.define.nearest import hint_for, nearest
from drillmark.errors import Problem

_EXPERIMENT = """version title description tags contributions configuration secrets steady-state-hypothesis method
rollbacks controls extensions runtime dry"""
_ACTIVITY = "ref type name provider tolerance pauses background controls secrets configuration dry timeout"
EXPERIMENT = frozenset(_EXPERIMENT.split())
HYPOTHESIS = frozenset({"title", "probes", "controls"})
ACTIVITY = frozenset(_ACTIVITY.split())
PROVIDER = {
    "python": frozenset({"type", "module", "func", "arguments", "secrets", "timeout"}),
    "process": frozenset({"type", "path", "arguments", "secrets", "timeout"}),
    "http": frozenset(
        {"type", "url", "method", "headers", "arguments", "secrets", "timeout", "verify_tls", "max_retries"}
    ),
}
VARIABLES = (
    "drillmark_run",
    "drillmark_fault_begin",
    "drillmark_fault_position",
    "drillmark_source",
    "drillmark_alerts_url",
)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def experiment_warnings(experiment: dict[str, Any], marks: Marks) -> list[Problem]:
    """Unknown keys of an experiment and of all its activities."""
    found = list(_unknown(experiment, EXPERIMENT, marks, ()))
    hypothesis = experiment.get("steady-state-hypothesis")
    if isinstance(hypothesis, dict):
        found += _unknown(hypothesis, HYPOTHESIS, marks, ("steady-state-hypothesis",))
    for path in (("steady-state-hypothesis", "probes"), ("method",), ("rollbacks",)):
        items = get(experiment, *path)
        for index, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict):
                found += activity_warnings(item, marks, (*path, index))
                found += exposed_secret_warnings(item, marks, (*path, index), experiment.get("secrets"))
                found += secret_name_problems(item, marks, (*path, index), experiment.get("secrets"))
    return found


def activity_warnings(
    activity: dict[str, Any], marks: Marks, at: Path, *, extra: set[str] | None = None
) -> Iterator[Problem]:
    """Unknown keys of an activity and of its provider. `extra`: keys that are Drillmark's own."""
    yield from _unknown(activity, ACTIVITY | (extra or set()), marks, at)
    provider = activity.get("provider")
    if isinstance(provider, dict):
        known = PROVIDER.get(str(provider.get("type")))
        if known is not None:
            yield from _unknown(provider, known, marks, (*at, "provider"))


def variable_warnings(activity: Any, marks: Marks, at: Path, configuration: Any, secrets: Any) -> Iterator[Problem]:
    """`${names}` that nothing fills in; Chaos Toolkit would leave them as they stand."""
    known = [*VARIABLES, *(configuration if isinstance(configuration, dict) else ())]
    for block in secrets.values() if isinstance(secrets, dict) else ():
        known += block if isinstance(block, dict) else ()
    for path, text in _texts(activity, at):
        for name in _VARIABLE.findall(text):
            if name not in known:
                yield marks.problem(path, f"nothing fills in `${{{name}}}`", hint_for(name, known))


def secret_name_problems(activity: Any, marks: Marks, at: Path, secrets: Any) -> Iterator[Problem]:
    """Secrets blocks that do not exist; Chaos Toolkit would hand over an empty one."""
    known = list(secrets) if isinstance(secrets, dict) else []
    named = get(activity, "provider", "secrets")
    for index, name in enumerate(named if isinstance(named, list) else []):
        if isinstance(name, str) and name not in known:
            path: Path = (*at, "provider", "secrets", index)
            yield marks.problem(path, f"the secrets have no block `{name}`", hint_for(name, known, what="there are"))


def exposed_secret_warnings(activity: Any, marks: Marks, at: Path, secrets: Any) -> Iterator[Problem]:
    """Secrets that a process would get as arguments: every user of the machine can read those."""
    if get(activity, "provider", "type") != "process":
        return
    known = {key for block in (secrets.values() if isinstance(secrets, dict) else ()) for key in _keys(block)}
    for path, text in _texts(get(activity, "provider", "arguments"), (*at, "provider", "arguments")):
        for name in _VARIABLE.findall(text):
            if name in known:
                message = f"the secret `{name}` would stand on a command line, where every user can read it"
                yield marks.problem(path, message, "let the process read it from its environment or a file")


def _keys(block: Any) -> list[str]:
    return [str(key) for key in block] if isinstance(block, dict) else []


def _texts(value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*at, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*at, index))


def _unknown(mapping: dict[str, Any], known: frozenset[str] | set[str], marks: Marks, at: Path) -> Iterator[Problem]:
    for key in mapping:
        if str(key) not in known and not str(key).startswith("x-"):
            meant = nearest(str(key), sorted(known))
            hint = f"did you mean `{meant}`?" if meant else ""
            # Chaos Toolkit's own rule for whatever is no probe of a hypothesis, so it is no mistake by itself.
            hint += " without one, Chaos Toolkit takes any answer as good" if meant == "tolerance" else ""
            yield marks.problem(
                (*at, str(key)), f"Chaos Toolkit does not know the key `{key}` and ignores it", hint, at_key=True
            )
