"""What a fault is about to do, written down before it does it, so that its undo knows what to look at.

One file for each fault and run, beside the system that it acts on. Must hold no secrets.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillmark import files
from drillmark import site as sites
from drillmark.errors import RecoveryError
from drillmark.recovery.activity import LAB, Configuration, setting
from drillmark.site import Site


@dataclass(frozen=True, slots=True)
class Deed:
    """One fault, as it stands on disk. `undone` is empty while it may be in effect, else says how it ended."""

    path: Path
    site: Site
    facts: dict[str, Any]
    undone: str = ""

    @classmethod
    def begin(cls, fault: str, site: Site, **facts: Any) -> Deed:
        """Write down that `fault` is about to begin. Raises RecoveryError where an earlier one is not undone."""
        path = _path(fault, site)
        earlier = cls.read(fault, site)
        if earlier is not None and not earlier.undone:
            raise RecoveryError(f"{fault} is in effect already: {path}", hint="run its undo first")
        deed = cls(path, site, facts)
        deed.write()
        return deed

    @classmethod
    def read(cls, fault: str, site: Site) -> Deed | None:
        """The deed of this run (under plain `chaos run`: the last one), or None."""
        path = _path(fault, site)
        body = files.read_json(path)
        if not isinstance(body, dict):
            return None
        known = Site(str(body["cluster"]), Path(str(body["data_directory"])), int(body["port"]), site.control)
        return cls(path, known, dict(body["facts"]), str(body["undone"]))

    def end(self, how: str) -> str:
        """Write down that it is undone, and how. Returns `how`."""
        Deed(self.path, self.site, self.facts, how).write()
        return how

    def write(self) -> None:
        """Put it on disk, durably. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        body = {
            "cluster": self.site.name,
            "data_directory": str(self.site.data_directory),
            "port": self.site.port,
            "facts": self.facts,
            "undone": self.undone,
        }
        files.write_durably(self.path, json.dumps(body, indent=1))


def place(configuration: Configuration) -> Site:
    """Where the deeds of a fault lie that acts on no data directory: the lab, else the run, else where we are.

    Nobody is asked for it: an undo must work while the system does not.
    """
    lab = setting(None, configuration, "lab", LAB)
    if lab:
        return Site("", Path(lab).absolute() / "clusters" / "any", 0, sites.control_of(configuration) or "lab")
    return Site("", Path(os.environ.get("DRILLMARK_RUN_DIR") or Path.cwd()).absolute() / "any", 0, "")


def _path(fault: str, site: Site) -> Path:
    run = os.environ.get("DRILLMARK_RUN") or "by-hand"
    beside = site.data_directory.parent
    # The lab has a folder for them, which goes when the lab goes.
    folder = beside.parent / "faults" if site.control else beside / "drillmark-faults"
    return folder / f"{fault}-{run}.json"
