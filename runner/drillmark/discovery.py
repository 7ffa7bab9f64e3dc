"""What Drillmark offers to experiments: its actions and probes, as Chaos Toolkit's discovery describes them.

What is offered is what a module of the packages below names in `__all__`, or where it has none, what it has made an
activity (`recovery.activity`). A function that answers yes or no is a probe. Must never perform anything.
"""

from __future__ import annotations

import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from chaoslib.discovery.discover import initialize_discovery_result, portable_type_name

from drillmark import __version__

PACKAGES = ("drillmark.faults", "drillmark.recovery")
MODULES = ("drillmark.database.drilling", "drillmark.observe.probes")
# Probes that answer with more than yes or no.
_ANSWERING = frozenset({"last_restorable_point", "list_source", "log_position", "sql"})

_Function = Callable[..., Any]


def discover(*, discover_system: bool = True) -> dict[str, Any]:
    """Everything, in the form of `chaos discover`. There is no system to look at: `discover_system` changes nothing."""
    del discover_system
    found: dict[str, Any] = initialize_discovery_result("drillmark", __version__, "drillmark")
    # Modules that need an extra which is not installed.
    found["unavailable"] = []
    for name in _modules():
        try:
            module = import_module(name)
        except ImportError:
            found["unavailable"].append(name)
            continue
        found["activities"] += [_described(module, *offered) for offered in _offered(module)]
    return found


def _modules() -> list[str]:
    names = [
        f"{package}.{each.name}"
        for package in PACKAGES
        for each in pkgutil.iter_modules(import_module(package).__path__)
        if not each.ispkg
    ]
    return sorted((*names, *MODULES))


def _offered(module: ModuleType) -> Iterator[tuple[str, _Function]]:
    exported = getattr(module, "__all__", None)
    for name, function in inspect.getmembers(module, inspect.isfunction):
        own = function.__module__ == module.__name__ and not name.startswith("_")
        if own and (hasattr(function, "__wrapped__") if exported is None else name in exported):
            yield name, function


def _described(module: ModuleType, name: str, function: _Function) -> dict[str, Any]:
    signature = inspect.signature(function, eval_str=True)
    answers = signature.return_annotation
    return {
        "type": "probe" if answers is bool or name in _ANSWERING else "action",
        "name": name,
        "mod": module.__name__,
        "doc": inspect.getdoc(function) or "",
        "arguments": [_argument(parameter) for parameter in signature.parameters.values()],
        "return_type": _type_name(answers),
    }


def _argument(parameter: inspect.Parameter) -> dict[str, Any]:
    told: dict[str, Any] = {"name": parameter.name}
    if parameter.default is not inspect.Parameter.empty:
        told["default"] = parameter.default
    if parameter.annotation is not inspect.Parameter.empty:
        told["type"] = _type_name(parameter.annotation)
    return told


def _type_name(annotation: Any) -> str:
    """Chaos Toolkit's name for a type; of an optional one, that of what it may be."""
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    there = [option for option in options if option is not types.NoneType]
    if len(there) != 1:
        return "object"
    plain = typing.get_origin(there[0]) or there[0]
    is_mapping = isinstance(plain, type) and issubclass(plain, Mapping) and plain is not dict
    return "mapping" if is_mapping else str(portable_type_name(plain))
