"""The host of a PostgreSQL server is lost: its processes and its disk at once.

One action, because anything less leaves something serving: a server whose directory is merely deleted goes on
acknowledging commits through its open files, and a supervisor would start another. The directory is moved aside.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import psutil

from drillmark import postgres, site
from drillmark.errors import RecoveryError
from drillmark.faults.deeds import Deed
from drillmark.recovery.activity import Configuration, activity, logger
from drillmark.recovery.marker import this_run

FAULT = "postgres-host-lost"


@activity
def lose_host(
    data_directory: str | None = None, port: int | None = None, configuration: Configuration = None
) -> dict[str, Any]:
    """Hold the supervisor, move the data directory aside, kill every server process, check that none is left.

    Without `data_directory` it is the lab's serving cluster. Raises ActivityFailed where anything of it is left.
    """
    host = site.find(configuration, data_directory=data_directory, port=port)
    aside = host.data_directory.with_name(f"lost-{this_run() or 'by-hand'}-{host.name}")
    if aside.exists():
        raise RecoveryError(f"{aside} is there already", hint="an earlier loss left it aside; look at it, move it")
    Deed.begin(FAULT, host, aside=str(aside))
    host.hold()
    before = len(postgres.server_processes(host.data_directory))
    host.data_directory.rename(aside)
    if not postgres.stop(aside, "kill") or not postgres.stop(host.data_directory, "kill") or not _kill_helpers(aside):
        raise RecoveryError(f"server processes of {host.name} do not end")
    logger.info("lost the host of %s: %d processes killed, %s moved aside", host.name, before, host.data_directory)
    return {"cluster": host.name, "killed": before}


def _kill_helpers(directory: Path) -> bool:
    """Kill what the server had started (an archive_command at work would still save log). Returns whether all ended."""
    helpers: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).resolve() == directory.resolve():
                process.kill()
                helpers.append(process)
    return not psutil.wait_procs(helpers, timeout=5)[1]


@activity
def bring_host_back(data_directory: str | None = None, configuration: Configuration = None) -> str:
    """The undo: put the directory back and let its supervisor start it, unless a restored system has served since."""
    deed = Deed.read(FAULT, site.find(configuration, data_directory=data_directory))
    if deed is None or deed.undone:
        return deed.undone if deed else "no host was lost"
    host, aside = deed.site, Path(deed.facts["aside"])
    if not host.serves():
        host.release()
        return deed.end(f"{host.name} stays aside in {aside}: another system has taken its place")
    if aside.exists() and host.data_directory.exists():
        raise RecoveryError(f"{host.data_directory} is there again, and so is {aside}", hint="a person must choose")
    if aside.exists():
        postgres.stop(aside, "kill")
        aside.rename(host.data_directory)
    host.release()
    if host.control:
        host.wait_until_ready(60)
    return deed.end(f"{host.name} is back")


@activity
def is_lost(data_directory: str | None = None, configuration: Configuration = None) -> bool:
    """The proof: the directory is gone, no server process of it lives, and nobody has undone it."""
    deed = Deed.read(FAULT, site.find(configuration, data_directory=data_directory))
    if deed is None or deed.undone or deed.site.data_directory.exists():
        return False
    places = (deed.site.data_directory, Path(deed.facts["aside"]))
    return not any(postgres.server_processes(place) for place in places)
