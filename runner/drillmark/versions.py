"""With which versions a run is made: it stands in its first entry, so that a difference can be explained later."""

from __future__ import annotations

import contextlib
import platform
from functools import cache
from importlib import metadata

from drillmark import __version__


@cache
def used() -> dict[str, str]:
    """Name -> version, of what is installed here."""
    versions = {"drillmark": __version__, "python": platform.python_version()}
    for name in ("chaostoolkit-lib", "locust", "psycopg"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
