"""Lets Chaos Toolkit's library be imported without what most experiments never use: that is imported when it is called.

`requests`, with all that it brings, is a third of the time that the import takes, and JSON path a tenth. Imported in
child processes alone. Must never change what is called, nor what comes of it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

# chaoslib takes functions and classes of these by name, to call them; what is in `requests` it asks the module for.
_MODULES = ("chaoslib.provider.http", "requests", "jsonpath2.path", "hvac")


class _Later:
    """A module, or something in it, that is looked up when it is called."""

    def __init__(self, module: str, path: tuple[str, ...] = ()) -> None:
        self._module = module
        self._path = path

    def __getattr__(self, name: str) -> _Later:
        if name.startswith("__"):
            raise AttributeError(name)  # what Python's import asks of a module
        return _Later(self._module, (*self._path, name))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        found: Any = import_module(self._module)
        for name in self._path:
            found = getattr(found, name)
        return found(*arguments, **named)


@contextmanager
def unless_called() -> Generator[None]:
    """What is imported in here gets stand-ins for those modules; whoever imports them later gets them as they are."""
    modules: dict[str, Any] = sys.modules  # pyright: ignore[reportAssignmentType] - they are modules to who imports them
    missing = [name for name in _MODULES if name not in modules and find_spec(name.partition(".")[0]) is not None]
    modules |= {name: _Later(name) for name in missing}
    try:
        yield
    finally:
        for name in missing:
            if isinstance(modules.get(name), _Later):
                del modules[name]
