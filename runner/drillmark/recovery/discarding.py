"""Takes away what a run restored and nobody serves from, out of the lab's list of clusters too.

Must never touch the cluster that serves, nor what another run restored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drillmark import site
from drillmark.recovery import marker
from drillmark.recovery.activity import Configuration


def unserved(place: Path, configuration: Configuration) -> list[str]:
    """Discard every restore of this run in `place` that does not serve; returns their names. Without a run: none.

    Raises RecoveryError: something of it does not end; LabError: the supervisor does not answer; OSError.
    """
    run = marker.this_run()
    control = site.control_of(configuration)
    lab: dict[str, Any] = site.status(control) if control else {"primary": "", "clusters": {}}
    gone: list[str] = []
    for directory in sorted(place.glob(f"restored-{run}*")) if run else []:
        mark = marker.read(directory)
        if mark is None or mark.run != run or directory.name == lab["primary"]:
            continue
        adopted = site.find(configuration, cluster=directory.name) if directory.name in lab["clusters"] else None
        if adopted is not None:
            adopted.hold()
        marker.discard(directory, run)
        if adopted is not None:
            # Led to the one that serves once more, the supervisor retires and forgets all others.
            site.switch(control, lab["primary"])
            adopted.release()
        gone.append(directory.name)
    return gone
