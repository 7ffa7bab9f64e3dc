"""Drillmark runs disaster-recovery and chaos drills and measures what they showed.

This module holds the version, and the entry that Chaos Toolkit's discovery looks for. Importing it must stay free of
cost.
"""

from typing import Any

__version__ = "0.1.0"

__all__ = ["__version__", "discover"]


def discover(discover_system: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as Chaos Toolkit calls it
    """What Drillmark offers to experiments: for `chaos discover --no-install drillmark`."""
    from drillmark import discovery  # noqa: PLC0415 - what it takes is not wanted by who asks for the version

    return discovery.discover(discover_system=discover_system)
